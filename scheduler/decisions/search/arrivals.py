"""Jobs that may come: arrivals that futures are drawn from."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from scheduler.arrays import Floats, Ints
from scheduler.compilation.columns import Floats2D
from scheduler.decisions.kernel.columns import GONE, SLOTS_USED
from scheduler.decisions.state.entries import Shape
from scheduler.decisions.state.world import World

SPAN = 16
"""JobArrivals by which a stretch of time is called busy or quiet."""


class Lately(NamedTuple):
    """How arrivals were until now."""

    span_s: float
    """Seconds that the last `SPAN` arrivals took."""
    elapsed_s: float
    """Seconds since the last one."""


class ArrivedJob(NamedTuple):
    """A job that has come once and may come again, with estimates of its placements."""

    submitted: float
    """Seconds; only differences count."""
    priority: float
    preference: float
    slack: float
    """Seconds from submission to deadline; inf: none."""
    shapes: tuple[Shape, ...]
    """At least one."""
    figures: Floats2D
    """(3, n) runtime (s), dollars and joules on each."""
    ratio: float = 1.0
    """Its true runtime ÷ its estimate, if it has ended."""
    project: int = 0
    """Its index in the world that has shown it."""


@dataclass(frozen=True, slots=True)
class ArrivalHistory:
    """Consecutive arrivals as columns of shape (n,); rows have shape (r,)."""

    gap: Floats
    """Seconds since the arrival before."""
    priority: Floats
    preference: Floats
    slack: Floats
    ratio: Floats
    project: Ints
    first: Ints
    """The first row of each."""
    count: Ints
    row_shape: Ints
    """Positions in `shapes`."""
    figures: Floats2D
    """(3, r)."""
    shapes: tuple[Shape, ...]

    def __len__(self) -> int:
        return len(self.gap)

    def spans(self) -> Floats:
        """(n,) seconds that the `SPAN` arrivals before each one took, in a circle."""
        before = self.gap.take(np.arange(-SPAN, 0), mode="wrap")
        upto = np.cumsum(np.concatenate((before, self.gap)))
        spans: Floats = upto[SPAN - 1 : -1] - upto[:-SPAN]
        return spans

    @classmethod
    def of(cls, runs: Sequence[Sequence[ArrivedJob]]) -> ArrivalHistory:
        """The arrivals of several stretches of time, each in the order of submission.

        Between two stretches the gap is the mean of all. Raises `ValueError` without any arrival.
        """
        jobs = [job for run in runs for job in run]
        if not jobs:
            raise ValueError("there are no arrivals to draw from")
        gaps = [np.diff([job.submitted for job in run], prepend=np.nan) for run in runs]
        gap = np.maximum(np.concatenate(gaps), 0.0)
        known = gap[np.isfinite(gap)]
        gap[np.isnan(gap)] = known.mean() if len(known) else 0.0
        count = np.array([len(job.shapes) for job in jobs], dtype=np.int64)
        numbers: dict[Shape, int] = {}
        rows = [numbers.setdefault(each, len(numbers)) for job in jobs for each in job.shapes]
        return cls(
            gap=gap,
            priority=np.array([job.priority for job in jobs], dtype=np.float64),
            preference=np.array([job.preference for job in jobs], dtype=np.float64),
            slack=np.array([job.slack for job in jobs], dtype=np.float64),
            ratio=np.array([job.ratio for job in jobs], dtype=np.float64),
            project=np.array([job.project for job in jobs], dtype=np.int64),
            first=np.cumsum(count) - count,
            count=count,
            row_shape=np.array(rows, dtype=np.int64),
            figures=np.ascontiguousarray(np.concatenate([job.figures for job in jobs], axis=1)),
            shapes=tuple(numbers),
        )


class RecentArrivals:
    """The last arrivals that worlds have shown: a cluster's own recent history."""

    def __init__(self, most: int | None = 512) -> None:
        """`most`: how many are remembered; None: all."""
        self._jobs: deque[tuple[int, ArrivedJob]] = deque(maxlen=most)
        self._known: set[int] = set()

    def __len__(self) -> int:
        return len(self._jobs)

    def see(self, world: World) -> int:
        """Remember jobs that wait and were not seen before; how many there are."""
        slots = np.arange(1, int(world.count[SLOTS_USED]))
        slots = slots[world.job_state[slots] != GONE]
        new = [int(slot) for slot in slots if int(world.job_id[slot]) not in self._known]
        for slot in sorted(new, key=lambda slot: float(world.job_submitted[slot])):
            self._jobs.append((int(world.job_id[slot]), _arrival(world, slot)))
        if new:
            waiting = set(world.job_id[slots].tolist())
            self._known = {job for job, _ in self._jobs} | waiting
        return len(new)

    def lately(self, now: float) -> Lately | None:
        """How arrivals were until `now`; None before there are enough."""
        if len(self._jobs) < SPAN:
            return None
        last = [self._jobs[at][1].submitted for at in range(-SPAN, 0)]
        return Lately(max(last) - min(last), max(now - max(last), 0.0))

    @property
    def jobs(self) -> dict[int, ArrivedJob]:
        """What has been seen, by id."""
        return dict(self._jobs)

    def arrivals(self) -> ArrivalHistory:
        """The same as columns. Raises `ValueError` if nothing has been seen."""
        return ArrivalHistory.of([sorted(self.jobs.values(), key=lambda job: job.submitted)])


def _arrival(world: World, slot: int) -> ArrivedJob:
    rows = world.rows_of(slot)
    at = slice(rows.start, rows.stop)
    submitted = float(world.job_submitted[slot])
    return ArrivedJob(
        submitted,
        float(world.job_priority[slot]),
        float(world.job_preference[slot]),
        float(world.job_deadline[slot]) - submitted,
        tuple(world.shape_of(row) for row in rows),
        np.stack([world.row_runtime[at], world.row_dollars[at], world.row_joules[at]]),
        project=int(world.job_project[slot]),
    )
