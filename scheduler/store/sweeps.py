"""The store's port for sweeps: what every implementation owes its callers.

The obligations of `scheduler.store.base` hold here too: durable, all or nothing, thread-safe.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from scheduler.domain.groups.sweeps import Sweep, SweepSpec, SweepState, SweepTrial


@dataclass(frozen=True, slots=True)
class SweepQuery:
    """Which sweeps to list; empty fields do not filter."""

    states: Collection[SweepState] = ()
    user: str | None = None
    project: str | None = None

    def matches(self, sweep: Sweep) -> bool:
        """Whether `sweep` is one of those."""
        job = sweep.spec.job
        return (
            (not self.states or sweep.state in self.states)
            and (self.user is None or job.user == self.user)
            and (self.project is None or job.project == self.project)
        )


class SweepStore(Protocol):
    """Keeps sweeps and their trials."""

    def submit(
        self, spec: SweepSpec, *, now: float, actor: str, key: str | None = None, digest: str = ""
    ) -> tuple[Sweep, bool]:
        """Store a sweep, RUNNING and without trials; it, and whether an earlier call stored it.

        `key` is an idempotency key, unique per actor: the same with the same `digest` returns the
        sweep of the first time. Ids rise from 1. Raises `StateError` for the key of another
        request, `InputError` for values that JSON cannot hold.
        """

    def sweep(self, number: int) -> Sweep:
        """Raises `MissingError`."""

    def sweeps(
        self, query: SweepQuery, *, before: int | None = None, limit: int = 100
    ) -> list[Sweep]:
        """Newest first: the sweeps with an id below `before` that match, at most `limit`."""

    def move(
        self,
        number: int,
        origin: Collection[SweepState],
        state: SweepState,
        reason: str,
        now: float,
    ) -> Sweep:
        """Change the state if it is one of `origin`; the sweep as it is then.

        A final state sets `finished_at` to `now`. Raises `MissingError`.
        """

    def trials(self, sweep: int) -> list[SweepTrial]:
        """Of one sweep, by number."""

    def record(self, trials: Sequence[SweepTrial]) -> None:
        """Write trials, new ones or in place of the old."""
