"""What the first choice of a round would have been if one waiting job had been different."""

from __future__ import annotations

from math import floor
from typing import NamedTuple

from scheduler.decisions.kernel.columns import PROMISED
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.policy import Policy, traits
from scheduler.decisions.rounds.round import Round
from scheduler.decisions.rounds.scorer import Scorer
from scheduler.decisions.state.world import World
from scheduler.domain.jobs import HIGHEST_PRIORITY, PREFERENCES

DEPTH = 100
"""With more waiting jobs nothing is tried: the choices would delay the start."""


class Choice(NamedTuple):
    """A first choice."""

    job: int
    """0: to wait."""
    pool: int
    width: int


class Counterfactual:
    """Repeats the first choice of a round with one job changed. Changes nothing.

    Only for policies with a compiled scorer: a choice takes them well below a millisecond.
    """

    def __init__(self, world: World, now: float, mode: Mode, policy: Policy) -> None:
        """`world`: as it is when the round makes its first choice."""
        self._world, self._now, self._mode = world, now, mode
        own = traits(policy)
        promised = bool(world.count[PROMISED])
        known = own.scorer is not None and own.ranking is None and not promised
        self._scorer: Scorer | None = own.scorer if known and world.depth <= DEPTH else None
        self._starvation_s = own.starvation_s
        self._twin: World | None = None
        """A copy of the world, in which one job at a time is another one."""
        self._touched = 0
        """That job."""

    def priority(self, job: int) -> int | None:
        """The least priority with which another job would have been chosen; None: no one would."""
        slot = self._world.slot_of(job)
        if self._scorer is None or slot is None:
            return None
        high = HIGHEST_PRIORITY
        low = floor(min(self._world.job_priority[slot], high))
        if low >= high or not self._first(job, high):
            return None
        while low + 1 < high:
            middle = (low + high) // 2
            low, high = (low, middle) if self._first(job, middle) else (middle, high)
        return high

    def preference(self, job: int, pool: int, width: int) -> str | None:
        """The named preference with which the job would have been put there; None: with none."""
        return next(
            (
                name
                for name, value in PREFERENCES.items()
                if self._chosen(job, preference=value) == Choice(job, pool, width)
            ),
            None,
        )

    def _first(self, job: int, priority: int) -> bool:
        found = self._chosen(job, priority=priority)
        return found is not None and found.job == job

    def _chosen(
        self, job: int, *, priority: float | None = None, preference: float | None = None
    ) -> Choice | None:
        if self._scorer is None:
            return None
        world = self._with(job, priority, preference)
        round_ = Round(world, self._now, self._mode)
        round_.rescue(self._starvation_s)
        if not round_.free:
            return None
        row = round_.choose(self._scorer)
        if row <= 0:
            return None
        shape = world.shape_of(row)
        return Choice(int(world.job_id[world.row_slot[row]]), shape.pool, shape.width)

    def _with(self, job: int, priority: float | None, preference: float | None) -> World:
        """The copy, in which only this job is another one."""
        if self._twin is None:
            self._twin = self._world.copy()
        if self._touched not in (0, job):
            self._twin.change(self._touched, **self._own(self._touched))
        self._touched = job
        own = self._own(job)
        given = {"priority": priority, "preference": preference}
        changes = {name: own[name] if value is None else value for name, value in given.items()}
        self._twin.change(job, **changes)
        return self._twin

    def _own(self, job: int) -> dict[str, float]:
        slot = self._world.slot_of(job)
        assert slot is not None, job
        world = self._world
        return {
            "priority": float(world.job_priority[slot]),
            "preference": float(world.job_preference[slot]),
        }
