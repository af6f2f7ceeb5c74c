"""What an order of jobs looks at, and the figures of the waiting jobs that it looks at.

A policy names its criteria (`Traits.criteria`), so that a choice can be told in words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from scheduler.arrays import Floats
from scheduler.compilation.columns import Ints
from scheduler.decisions.kernel.columns import NOW, SLOTS_USED, WAITS
from scheduler.decisions.state.world import World

SAMPLE = 4096
"""Of a longer queue so many jobs, evenly spread, stand for all in a median."""


class Criterion(StrEnum):
    """One figure of a job that an order may look at. The job with the least goes first.

    r and n are runtime and devices where the job takes the fewest device-seconds.
    """

    PRIORITY = "priority"
    """-priority."""
    DEADLINE = "deadline"
    """Seconds to the deadline; inf: none."""
    LAXITY = "laxity"
    """Seconds to the deadline, less r."""
    LENGTH = "length"
    """r (s)."""
    AREA = "area"
    """r·n (device-seconds)."""
    WIDTH = "width"
    """n."""
    EXPANSION = "expansion"
    """-wait / r, r at least 1 s."""
    ARRIVAL = "arrival"
    """-wait (s)."""


TERMS: Mapping[str, Criterion] = {
    name: criterion
    for criterion, names in (
        (Criterion.PRIORITY, ("priority", "rank_priority")),
        (Criterion.DEADLINE, ("slack", "late")),
        (Criterion.LENGTH, ("size", "ideal", "runtime", "rank_sjf")),
        (Criterion.AREA, ("area", "inflicted", "rank_saf", "rank_f1")),
        (Criterion.WIDTH, ("request", "share")),
        (Criterion.EXPANSION, ("expansion",)),
        (Criterion.ARRIVAL, ("wait", "rank_fcfs")),
    )
    for name in names
}
"""Column of a learned policy's table → what it says of a job; those of placements are left out."""


def told_by(terms: Mapping[str, float]) -> tuple[Criterion, ...]:
    """The criteria of those terms that spoke for a choice, greatest first, each once."""
    spoke = sorted((item for item in terms.items() if item[1] > 0.0), key=lambda item: -item[1])
    return tuple(dict.fromkeys(TERMS[name] for name, _ in spoke if name in TERMS))


def figure_of(world: World, criterion: Criterion, slots: Ints) -> Floats:
    """(n,) The figures of the jobs in (n,) `slots`; the job with the least goes first."""
    return _FIGURES[criterion](world, slots)


def _wait(world: World, slots: Ints) -> Floats:
    waits: Floats = world.figure[NOW] - world.job_submitted.take(slots)
    return waits


def _left(world: World, slots: Ints) -> Floats:
    left: Floats = world.job_deadline.take(slots) - world.figure[NOW]
    # Callers may say that there is no deadline by any number that is none.
    return np.where(np.isfinite(left), left, np.inf)


_FIGURES: Mapping[Criterion, Callable[[World, Ints], Floats]] = {
    Criterion.PRIORITY: lambda world, slots: -world.job_priority.take(slots),
    Criterion.DEADLINE: _left,
    Criterion.LAXITY: lambda world, slots: _left(world, slots) - world.job_size.take(slots),
    Criterion.LENGTH: lambda world, slots: world.job_size.take(slots),
    Criterion.AREA: lambda world, slots: world.job_size.take(slots) * world.job_request.take(slots),
    Criterion.WIDTH: lambda world, slots: world.job_request.take(slots),
    Criterion.EXPANSION: lambda world, slots: (
        -_wait(world, slots) / np.maximum(world.job_size.take(slots), 1.0)
    ),
    Criterion.ARRIVAL: lambda world, slots: -_wait(world, slots),
}


@dataclass(slots=True)
class QueueFigures:
    """The jobs that wait as a round begins: what a chosen one is compared with."""

    world: World
    count: int = field(init=False)
    """Jobs that wait."""
    complete: bool = field(init=False)
    """Whether all of them are looked at, not a sample."""
    _slots: Ints = field(init=False, repr=False)
    _known: dict[Criterion, tuple[float, float]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        used = self.world.count[SLOTS_USED]
        slots = np.flatnonzero(self.world.job_state[:used] == WAITS)
        slots = slots[self.world.job_id.take(slots) != 0]
        self.count, self.complete = len(slots), len(slots) <= SAMPLE
        self._slots = slots[:: -(-len(slots) // SAMPLE)] if len(slots) else slots

    def least_and_median(self, criterion: Criterion) -> tuple[float, float]:
        """The least figure of these jobs and their median; (inf, inf) without a job."""
        if criterion not in self._known:
            found = figure_of(self.world, criterion, self._slots)
            least = float(found.min(initial=np.inf))
            middle = np.sort(found)[len(found) // 2] if len(found) else np.inf
            self._known[criterion] = (least, float(middle))
        return self._known[criterion]


def of_job(world: World, criterion: Criterion, slot: int) -> float:
    """The figure of one job."""
    return float(figure_of(world, criterion, np.array([slot]))[0])
