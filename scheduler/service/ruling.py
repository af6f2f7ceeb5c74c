"""Who decides now, and how much speed is worth where a job does not say."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from scheduler.decisions.policy import Policy
from scheduler.decisions.round import Mode
from scheduler.domain.errors import InvalidError
from scheduler.domain.jobs import JobSpec
from scheduler.policies.guard import Guard
from scheduler.service.views import ActivePolicy

Lookup = Callable[[str], Policy]
"""Policy by name; raises `NotFoundError` listing the legal names."""


class Ruling:
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
    ) -> None:
        self._lookup = lookup
        self._fallback = fallback
        self._starvation_s = starvation_s
        self._projects = dict(projects or {})
        self._lock = threading.Lock()
        self._preference = preference
        self._mode = mode
        self._guard = self._guarded(name)

    def current(self) -> tuple[Guard, Mode]:
        """The policy and the mode of the next round."""
        with self._lock:
            return self._guard, self._mode

    def view(self) -> ActivePolicy:
        """As people see it."""
        with self._lock:
            return ActivePolicy(
                name=self._guard.name,
                mode=self._mode.value,
                preference=self._preference,
                fallbacks=self._guard.fallbacks,
            )

    def use(self, name: str, mode: str | None, preference: float | None) -> ActivePolicy:
        """Switch; raises `NotFoundError` or `InvalidError` and then changes nothing."""
        guard = self._guarded(name)
        if preference is not None and not 0 <= preference <= 1:
            raise InvalidError(f"preference {preference} is out of range", {"preference": "0 … 1"})
        try:
            chosen = None if mode is None else Mode(mode)
        except ValueError:
            legal = ", ".join(known.value for known in Mode)
            raise InvalidError(f"unknown mode {mode!r}", {"mode": f"one of {legal}"}) from None
        with self._lock:
            self._guard = guard
            self._mode = chosen or self._mode
            self._preference = self._preference if preference is None else preference
        return self.view()

    def preference(self, spec: JobSpec) -> float:
        """The job's own, else its project's, else the cluster's."""
        if spec.preference is not None:
            return spec.preference
        with self._lock:
            return self._projects.get(spec.project, self._preference)

    def _guarded(self, name: str) -> Guard:
        return Guard(self._lookup(name), self._fallback, self._starvation_s)
