"""Projects take turns in the order of a policy that preempts, as `kernel.rules.turns` does."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from heapq import merge

import numpy as np

from scheduler.decisions.kernel.columns import SHARED
from scheduler.decisions.kernel.rules.turns import AHEAD_S
from scheduler.decisions.preemption.ranking import RankedAttempt, RankedJob, RankedQueue, shortest
from scheduler.decisions.state.world import World

Charge = tuple[int, float]
"""A job's project, and what it will use soon."""


def in_turns(
    ranked: list[RankedJob],
    queue: RankedQueue,
    world: World,
    running: Mapping[int, RankedAttempt],
    now: float,
) -> tuple[list[RankedJob], Iterable[RankedJob]]:
    """The running and the waiting jobs in their order, with `turn` as their place in it.

    Each place goes to the next job of the project with the least usage ÷ share, which is then
    charged for it. Starving jobs keep turn 0. Without several projects nothing changes.
    """
    if not world.state[SHARED]:
        return ranked, queue
    jobs = list(merge(ranked, queue))
    charge = _charges(world, running, queue, now)
    used = world.project_used.copy()
    for job in running:
        project, soon = charge(job)
        used[project] -= soon  # it is charged again when its place comes
    lines: dict[int, deque[RankedJob]] = {}
    placed = [entry for entry in jobs if not entry.turn]
    for entry in placed:
        project, soon = charge(entry.job)
        used[project] += soon
    for entry in jobs:
        if entry.turn:
            lines.setdefault(charge(entry.job)[0], deque()).append(entry)
    while lines:
        project = min(lines, key=lambda each: (used[each] / world.project_share[each], each))
        entry = lines[project].popleft()
        if not lines[project]:
            del lines[project]
        placed.append(entry._replace(turn=1 + len(placed)))
        used[project] += charge(entry.job)[1]
    waiting = [entry for entry in placed if entry.job not in running]
    return [entry for entry in placed if entry.job in running], waiting


def _charges(
    world: World, running: Mapping[int, RankedAttempt], queue: RankedQueue, now: float
) -> Callable[[int], Charge]:
    attempts = np.flatnonzero(world.attempt_job)
    owners = dict(
        zip(
            world.attempt_job[attempts].tolist(),
            world.attempt_project[attempts].tolist(),
            strict=True,
        )
    )

    def charge(job: int) -> Charge:
        if job in running:
            attempt = running[job].attempt
            seconds = min(max(attempt.end - now, 0.0), AHEAD_S)
            return owners[job], seconds * attempt.width * float(world.pool_charge[attempt.pool])
        waiting = queue.job(job)
        option = shortest(waiting)
        seconds = min(option.runtime_s, AHEAD_S)
        soon = seconds * option.width * float(world.pool_charge[option.pool])
        return world.projects[waiting.project], soon

    return charge
