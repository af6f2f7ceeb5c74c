"""What stands against a preemption, as the rules found it while they decided."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from math import isfinite, nan
from typing import NamedTuple

from scheduler.domain.units import duration

NAMED = 3
"""Obstacles in a sentence."""


class ObstacleKind(StrEnum):
    """The rule that forbids a preemption."""

    CANNOT_RESUME = "cannot-resume"
    """The running job would begin again from nothing."""
    STOPPING = "stopping"
    """Its attempt is being stopped already."""
    MAX_PER_JOB = "max-per-job"
    """It was preempted as often as a job may be. Figures: times, limit."""
    MIN_RUNTIME = "min-runtime"
    """It has not worked long enough. Figures: seconds, least seconds."""
    STARVED = "starved"
    """It has waited longer than the guard allows, and would wait again."""
    PRIORITY = "priority"
    """It is as urgent. Figures: its priority, that of the waiting job."""
    DEVICES = "devices"
    """Too few devices become free."""
    DEADLINE = "deadline"
    """The waiting job would end after its deadline even so. Figures: seconds late, nan."""
    GAIN = "gain"
    """More would be lost than gained. Figures: seconds gained, seconds lost, both weighed."""


_TEXTS = {
    ObstacleKind.CANNOT_RESUME: "{jobs} could not resume",
    ObstacleKind.STOPPING: "{jobs} is being stopped already",
    ObstacleKind.MAX_PER_JOB: "{jobs} was preempted {found} × (max_per_job is {limit})",
    ObstacleKind.MIN_RUNTIME: "{jobs} has worked for {found_s} (min_runtime_s is {limit_s})",
    ObstacleKind.STARVED: "{jobs} has itself waited too long before",
    ObstacleKind.PRIORITY: "{jobs} has priority {found}, this one {limit}",
    ObstacleKind.DEVICES: "without {jobs} there are too few devices all the same",
    ObstacleKind.DEADLINE: "without {jobs} it would end {found_s} after its deadline",
    ObstacleKind.GAIN: "stopping {jobs} gains {found_s} and loses {limit_s}, weighed by priority",
}


class Obstacle(NamedTuple):
    """Why running attempts are not stopped for a waiting job."""

    kind: ObstacleKind
    jobs: tuple[int, ...]
    """The running jobs that it is about."""
    found: float = nan
    limit: float = nan

    def text(self) -> str:
        """Half a sentence with the figures."""
        figures = {"found": self.found, "limit": self.limit}
        plain = {name: f"{value:g}" for name, value in figures.items()}
        times = {f"{name}_s": duration(one) for name, one in figures.items() if isfinite(one)}
        jobs = ("jobs " if len(self.jobs) > 1 else "job ") + ", ".join(map(str, self.jobs))
        return _TEXTS[self.kind].format(jobs=jobs, **plain, **times)


def nearest(obstacles: Iterable[Obstacle]) -> Obstacle | None:
    """Of what was tried in turn, the trial that came nearest to success; None if there was none."""
    return max(obstacles, key=_nearness, default=None)


def _nearness(obstacle: Obstacle) -> tuple[int, float]:
    order = (ObstacleKind.PRIORITY, ObstacleKind.DEVICES, ObstacleKind.DEADLINE, ObstacleKind.GAIN)
    if obstacle.kind is ObstacleKind.GAIN:
        return order.index(obstacle.kind), obstacle.found - obstacle.limit
    return order.index(obstacle.kind), -obstacle.found if isfinite(obstacle.found) else 0.0


def sentence(obstacles: Iterable[Obstacle]) -> str:
    """Why a job that might preempt does not; empty without obstacles."""
    parts = [obstacle.text() for obstacle in obstacles]
    if not parts:
        return ""
    more = f"; {len(parts) - NAMED} more" if len(parts) > NAMED else ""
    return f"preempts nothing: {'; '.join(parts[:NAMED])}{more}"
