"""Quotas of projects under a policy that preempts, as `kernel.rules.allowed.within_quota`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from scheduler.decisions.kernel.columns import LIMITED, NO_PROJECT
from scheduler.decisions.preemption.ranking import RankedAttempt, RankedQueue
from scheduler.decisions.state.entries import EstimatedPlacement, RunningAttempt
from scheduler.decisions.state.world import World


class SeatQuotas:
    """Says whether a seat leaves its project within its devices and dollars.

    A running attempt is never stopped because of a quota alone: only if a job of the same project
    that goes first takes its place in the quota.
    """

    def __init__(
        self, world: World, running: Mapping[int, RankedAttempt], queue: RankedQueue
    ) -> None:
        self._world, self._running, self._queue = world, running, queue
        self._limited = bool(world.state[LIMITED])
        attempts = np.flatnonzero(world.attempt_job)
        jobs, projects = world.attempt_job[attempts], world.attempt_project[attempts]
        self._owners: dict[int, int] = dict(zip(jobs.tolist(), projects.tolist(), strict=True))

    def allow(self, job: int, option: EstimatedPlacement, free: World) -> bool:
        """Whether a waiting job may have a placement beside what runs in `free`."""
        if not self._limited:
            return True
        project, world = self._project(job), self._world
        devices, dollars = self._taken(project, free)
        return bool(
            devices + option.width <= world.project_most[project]
            and dollars + option.dollars <= world.project_dollars[project]
        )

    def allow_again(self, attempt: RunningAttempt, free: World) -> bool:
        """Whether a running attempt may go on beside what runs in `free`."""
        if not self._limited:
            return True
        project = self._project(attempt.job)
        new = any(each.job not in self._running for each in self._of(project, free))
        devices, _ = self._taken(project, free)
        return not new or bool(devices + attempt.width <= self._world.project_most[project])

    def _taken(self, project: int, free: World) -> tuple[int, float]:
        """Devices that a project holds in `free`, and dollars of those that start only now."""
        devices, dollars = 0, 0.0
        for attempt in self._of(project, free):
            devices += attempt.width
            if attempt.job not in self._owners:
                place = attempt.pool, attempt.width
                options = self._queue.job(attempt.job).options
                dollars += next(each.dollars for each in options if each[:2] == place)
        return devices, dollars

    def _of(self, project: int, free: World) -> Iterator[RunningAttempt]:
        return (
            each for each in free.running() if each.job > 0 and self._project(each.job) == project
        )

    def _project(self, job: int) -> int:
        if job in self._owners:
            return self._owners[job]
        name = self._queue.job(job).project
        return self._world.projects.get(name, NO_PROJECT)
