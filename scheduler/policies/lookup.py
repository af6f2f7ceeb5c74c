"""Policies by name: the heuristics, and what other distributions register."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points

from scheduler.decisions.rounds.policy import Policy
from scheduler.domain.errors import InputError, MissingError
from scheduler.policies.heuristics import HEURISTICS
from scheduler.policies.schedules import tuned
from scheduler.policies.simulated import SIMULATED
from scheduler.policies.wgc import Wgc

GROUP = "fulcrum.policies"
"""Entry-point group: each entry names a function without arguments that returns a `Policy`."""


WGC = Wgc()

_SCHEMES: dict[str, Callable[[str], Policy]] = {WGC.name: tuned}


def register(scheme: str, make: Callable[[str], Policy], *, replace: bool = True) -> None:
    """Let names `scheme:rest` mean what `make` returns for the rest.

    For programs that can serve learned policies, which this package may not import.
    `make` raises `MissingError` or `InputError`. Without `replace` what is registered stays.
    """
    if replace or scheme not in _SCHEMES:
        _SCHEMES[scheme] = make


def names() -> dict[str, str]:
    """Name → one-line summary of every policy that can be used."""
    known = {name: heuristic.summary for name, heuristic in HEURISTICS.items()}
    known[WGC.name] = WGC.summary
    for entry in entry_points(group=GROUP):
        if entry.name not in SIMULATED:
            known.setdefault(entry.name, f"from {entry.value}")
    return known


def builtin(name: str) -> bool:
    """Whether the name is that of a policy of this package."""
    return name in HEURISTICS or name.partition(":")[0] == WGC.name


def named(name: str) -> Policy:
    """The policy of that name.

    Raises `MissingError` listing the legal ones, `InputError` for one that only the simulator
    can carry out.
    """
    if name in HEURISTICS:
        return HEURISTICS[name]
    if name == WGC.name:
        return WGC
    if name in SIMULATED:
        raise InputError(
            f"policy {name!r} runs in the simulator only, for `fulcrum compare`",
            {"policy": f"one of {_legal()}"},
        )
    for entry in entry_points(group=GROUP):
        if entry.name == name:
            return _loaded(entry)
    scheme, colon, rest = name.partition(":")
    if colon and scheme in _SCHEMES:
        return _SCHEMES[scheme](rest)
    raise MissingError(f"there is no policy {name!r}", {"policy": f"one of {_legal()}"})


def _loaded(entry: EntryPoint) -> Policy:
    """The policy of an installed distribution. Raises `InputError` if it does not load."""
    try:
        policy: Policy = entry.load()()
    except Exception as error:
        raise InputError(
            f"policy {entry.name!r} of {entry.value} cannot be loaded: "
            f"{type(error).__name__}: {error}",
            {"policy": f"repair or remove the package of {entry.value}, or use one of {_legal()}"},
        ) from error
    return policy


def _legal() -> str:
    return ", ".join([*sorted(names()), *(f"{known}:…" for known in sorted(_SCHEMES))])
