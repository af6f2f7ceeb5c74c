"""The policy that decides now, and the preferences of jobs that name none."""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.policy import Policy, mode_of, preempts_itself, traits
from scheduler.decisions.state.preemption import PreemptionMode, PreemptionRules
from scheduler.domain.errors import InputError
from scheduler.domain.jobs import JobSpec
from scheduler.domain.pools import Pool
from scheduler.policies.guard import Fault, Guard
from scheduler.service.policy_control.replay_evaluation import Question
from scheduler.service.policy_control.views import ActivePolicyView, Preferences

Lookup = Callable[[str], Policy]
"""Policy by name; raises `MissingError` listing the legal names."""


class ActivePolicy:
    """The active policy under its guard, the mode, and the preferences. Thread-safe."""

    def __init__(
        self,
        lookup: Lookup,
        fallback: Policy,
        *,
        name: str,
        mode: Mode,
        preference: float,
        projects: Mapping[str, float] | None = None,
        starvation_s: float = float("inf"),
        limit_s: float = float("inf"),
        preemption: PreemptionRules | None = None,
    ) -> None:
        self.preemption = preemption or PreemptionRules()
        """When a running attempt may be preempted."""
        self._lookup = lookup
        self._fallback = fallback
        self._starvation_s = starvation_s
        self._limit_s = limit_s
        self._projects = dict(projects or {})
        self._lock = threading.Lock()
        self._preference = preference
        self._mode = mode
        self._guard = self.guarded(name)

    def current(self) -> tuple[Guard, Mode]:
        """The policy and the mode of the next round."""
        with self._lock:
            return self._guard, mode_of(self._guard, self._mode)

    @property
    def preempts(self) -> bool:
        """Whether a round may preempt: by the rules, or because the policy does so itself."""
        with self._lock:
            by_itself = preempts_itself(self._guard)
            return by_itself or self.preemption.mode is not PreemptionMode.OFF

    @property
    def mode(self) -> Mode:
        """The mode of policies that were not made for one."""
        with self._lock:
            return self._mode

    @property
    def fallback(self) -> Policy:
        """Decides when the active policy cannot."""
        return self._fallback

    def uncounted(self) -> tuple[Guard, Mode]:
        """As `current`, for the questions of one thread: its faults are not counted."""
        guard, mode = self.current()
        return replace(guard, faults=Counter()), mode

    def view(self) -> ActivePolicyView:
        """As people see it."""
        with self._lock:
            return ActivePolicyView(
                name=self._guard.name,
                mode=mode_of(self._guard, self._mode).value,
                preference=self._preference,
                fallbacks=self._guard.fallbacks,
                faults={fault.value: self._guard.faults[fault] for fault in Fault},
                preempts=preempts_itself(self._guard),
            )

    def use(self, name: str, mode: str | None, preference: float | None) -> ActivePolicyView:
        """Switch; raises `MissingError` or `InputError` and then changes nothing.

        `mode`: of policies that were not made for one.
        """
        guard = self.guarded(name)
        if preference is not None and not 0 <= preference <= 1:
            raise InputError(f"preference {preference} is out of range", {"preference": "0 … 1"})
        try:
            chosen = None if mode is None else Mode(mode)
        except ValueError:
            legal = ", ".join(known.value for known in Mode)
            raise InputError(f"unknown mode {mode!r}", {"mode": f"one of {legal}"}) from None
        if chosen is not None and traits(guard).ranking is not None:
            raise InputError(
                f"{guard.name} preempts: it reserves nothing and has no mode",
                {"mode": "leave it out"},
            )
        if chosen is not None and mode_of(guard, chosen) is not chosen:
            raise InputError(
                f"{guard.name} was made for mode {guard.mode}",
                {"mode": f"{guard.mode}, or leave it out"},
            )
        with self._lock:
            self._guard = guard
            self._mode = chosen or self._mode
            self._preference = self._preference if preference is None else preference
        return self.view()

    def check(self, name: str) -> str:
        """The policy's own name; raises `MissingError` or `InputError` if it cannot be used."""
        return self._lookup(name).name

    def question(
        self, candidate: str, baseline: str, pools: tuple[Pool, ...], since: float, until: float
    ) -> Question:
        """The replay that shows which of the two is better here, under the rules in force."""
        bound = self._starvation_s
        with self._lock:
            return Question(
                nominee=candidate,
                rival=baseline,
                pools=pools,
                mode=self._mode.value,
                preference=self._preference,
                starvation_s=None if math.isinf(bound) else bound,
                since=since,
                until=until,
            )

    def setting(self) -> dict[str, Any]:
        """The arguments of `restore`."""
        with self._lock:
            return {
                "name": self._guard.name,
                "mode": self._mode.value,
                "preference": self._preference,
            }

    def restore(self, name: str, mode: str | None, preference: float | None) -> None:
        """Use the policy of an earlier `setting`. A policy that has a mode keeps it.

        Raises `MissingError` or `InputError` and then changes nothing.
        """
        guard = self.guarded(name)
        with self._lock:
            self._guard = guard
            self._mode = self._mode if mode is None else Mode(mode)
            self._preference = self._preference if preference is None else preference

    def preference(self, spec: JobSpec) -> float:
        """The job's own, else its project's, else the cluster's."""
        if spec.preference is not None:
            return spec.preference
        with self._lock:
            return self._projects.get(spec.project, self._preference)

    def preferences(self) -> Preferences:
        """The cluster's preference, and those of the projects that have one."""
        with self._lock:
            return Preferences(self._preference, dict(self._projects))

    def prefer(self, cluster: float | None, projects: Mapping[str, float | None]) -> Preferences:
        """Change the preferences that are named; None: the project takes the cluster's.

        Raises `InputError` and then changes nothing.
        """
        named = {"preference": cluster} | {f"projects.{name}": w for name, w in projects.items()}
        wrong = [field for field, w in named.items() if w is not None and not 0 <= w <= 1]
        if wrong:
            raise InputError(f"{wrong[0]} is out of range", dict.fromkeys(wrong, "0 … 1"))
        with self._lock:
            self._preference = self._preference if cluster is None else cluster
            merged = {**self._projects, **projects}
            self._projects = {name: w for name, w in merged.items() if w is not None}
        return self.preferences()

    def guarded(self, name: str) -> Guard:
        """The policy under a new guard; raises `MissingError` or `InputError`."""
        return Guard(self._lookup(name), self._fallback, self._starvation_s, self._limit_s)
