"""Policies by name: the heuristics, and what other distributions register."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points

from scheduler.decisions.rounds.policy import Policy
from scheduler.domain.errors import InputError, MissingError
from scheduler.policies import SIMULATED, moves, search
from scheduler.policies.heuristics import HEURISTICS
from scheduler.policies.moves import MovingPolicy
from scheduler.policies.placements import PLACEMENTS, placed
from scheduler.policies.preemptive import PREEMPTIVE
from scheduler.policies.schedules import tuned
from scheduler.policies.search import SearchedPolicy
from scheduler.policies.wgc import Wgc

GROUP = "fulcrum.policies"
"""Entry-point group: each entry names a function without arguments that returns a `Policy`."""
WGC = Wgc()

AROUND: Mapping[str, Callable[[Policy], Policy]] = {
    search.SUFFIX: SearchedPolicy,
    moves.SUFFIX: MovingPolicy,
}
"""End of a name → what it makes of the policy before it."""
Scheme = Callable[[str], Policy]
"""Makes a policy of the text after the colon; raises `MissingError` or `InputError`."""


@dataclass(frozen=True, slots=True)
class PolicyResolver:
    """Policies by name: the package's own, those of other distributions, and `scheme:text`.

    Each may end in `+search` if it has a compiled scorer: see `scheduler.policies.search`, and in
    `+moves` if it does not preempt: see `scheduler.policies.moves`. A
    textbook order may end in `@` and where its jobs run: see `scheduler.policies.placements`.
    """

    schemes: dict[str, Scheme]

    def named(self, name: str) -> Policy:
        """The policy of that name.

        Raises `MissingError` listing the legal ones, `InputError` for one that only the simulator
        can carry out.
        """
        for suffix, around in AROUND.items():
            if name.endswith(suffix):
                return around(self.named(name.removesuffix(suffix)))
        order, where, placement = name.partition("@")
        if order in HEURISTICS:
            heuristic = HEURISTICS[order]
            return placed(heuristic, placement, self.named) if where else heuristic
        if name == WGC.name:
            return WGC
        if name in PREEMPTIVE:
            return PREEMPTIVE[name]
        if name in SIMULATED:
            raise InputError(
                f"policy {name!r} runs in the simulator only, for `fulcrum compare`",
                {"policy": f"one of {self._legal()}"},
            )
        for entry in entry_points(group=GROUP):
            if entry.name == name:
                return self._loaded(entry)
        scheme, colon, text = name.partition(":")
        if colon and scheme in self.schemes:
            return self.schemes[scheme](text)
        raise MissingError(
            f"there is no policy {name!r}{self._meant(name)}", {"policy": f"one of {self._legal()}"}
        )

    def _meant(self, name: str) -> str:
        """A question, if the name is one behind a scheme, or close to a known one."""
        for scheme, make in self.schemes.items():
            with suppress(Exception):  # whatever a scheme raises, the hint is not worth it
                make(name)
                return f"; did you mean '{scheme}:{name}'?"
        close = get_close_matches(name, names(), n=1)
        return f"; did you mean {close[0]!r}?" if close else ""

    def _loaded(self, entry: EntryPoint) -> Policy:
        """The policy of an installed distribution. Raises `InputError` if it does not load."""
        try:
            policy: Policy = entry.load()()
        except Exception as error:
            legal = f"repair or remove what is installed as {entry.value}, or one of "
            raise InputError(
                f"policy {entry.name!r} of {entry.value} cannot be loaded: "
                f"{type(error).__name__}: {error}",
                {"policy": legal + self._legal()},
            ) from error
        return policy

    def _legal(self) -> str:
        known = [*sorted(names()), *(f"{scheme}:…" for scheme in sorted(self.schemes))]
        places = ", ".join((*PLACEMENTS, WGC.name))
        return (
            f"{', '.join(known)}; textbook orders also with @ and one of {places}; most also "
            f"with {' or '.join(AROUND)} at the end"
        )


DEFAULT = PolicyResolver({WGC.name: tuned})
"""What this program means by a name, unless it passes another resolver."""


def register(scheme: str, make: Scheme, *, replace: bool = True) -> None:
    """Let names `scheme:text` mean what `make` returns for the text, in `DEFAULT`.

    For programs that can serve learned policies. Without `replace` a known scheme stays.
    """
    if replace or scheme not in DEFAULT.schemes:
        DEFAULT.schemes[scheme] = make


def named(name: str) -> Policy:
    """The policy of that name by `DEFAULT`; raises as `PolicyResolver.named`."""
    return DEFAULT.named(name)


def names() -> dict[str, str]:
    """Name → one-line summary of every policy that can be used."""
    known = {name: heuristic.summary for name, heuristic in HEURISTICS.items()}
    known[WGC.name] = WGC.summary
    known |= {name: f"{policy.summary}; preempts" for name, policy in PREEMPTIVE.items()}
    for entry in entry_points(group=GROUP):
        if entry.name not in SIMULATED:
            known.setdefault(entry.name, f"from {entry.value}")
    return known


def inner_of(name: str) -> str:
    """The name without what wraps the policy, as `+search`."""
    for suffix in AROUND:
        if name.endswith(suffix):
            return inner_of(name.removesuffix(suffix))
    return name


def builtin(name: str) -> bool:
    """Whether the name is that of a policy of this package."""
    inner = inner_of(name)
    return (
        inner.partition("@")[0] in HEURISTICS
        or inner in PREEMPTIVE
        or inner.partition(":")[0] == WGC.name
    )
