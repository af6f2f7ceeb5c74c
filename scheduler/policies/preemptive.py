"""Policies that preempt: their ranking sorts all jobs, running and waiting, in every round."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import inf

import numpy as np

from scheduler.arrays import Floats
from scheduler.decisions.preemption.ranking import JobRank, Ranking
from scheduler.decisions.rounds.candidates import Candidates
from scheduler.decisions.rounds.criteria import Criterion
from scheduler.decisions.state.entries import WAIT
from scheduler.decisions.state.preemption import JobProgress
from scheduler.domain.errors import InputError

GRAIN_S = 1e-6
"""Attained service this close below a threshold counts as reaching it: sums are rounded."""
SUNK_S = 1.0
"""An attempt that passed a threshold less than this long ago has only just sunk."""


@dataclass(frozen=True, slots=True)
class Preemptive:
    """A policy that preempts. Its scores are for forecasts, which stop nothing."""

    name: str
    ranking: Ranking
    summary: str
    order: Callable[[Candidates], Floats]
    """Score of jobs that have not run, in the order of the ranking."""
    criteria: Sequence[Criterion]
    """What this order looks at."""
    stable: bool = True

    def scores(self, table: Candidates) -> Floats:
        """(n,) The order of jobs that have not run; WAIT is last."""
        scores = np.array(self.order(table), dtype=np.float64)
        scores[WAIT] = -np.inf
        return scores

    def costs(self, table: Candidates) -> Floats:
        """(n,) The soonest end first."""
        cost: Floats = table.start_delay + table.runtime
        return cost


def las(thresholds: Sequence[float] = (3200.0,)) -> Preemptive:
    """Tiresias, discretised 2D-LAS, with ascending thresholds in device-seconds.

    Gu et al., "Tiresias: a GPU cluster manager for distributed deep learning", NSDI 2019: jobs
    sink through queues as their attained service (devices × time) passes thresholds; a job is never
    promoted. Within a queue those that run go first, then the oldest. A job that sinks goes to the
    end of its new queue: it keeps its devices only if no job that waits there can use them, and
    jobs that stopped when they sank go by their age. The paper's evaluation uses two queues.
    Raises `InputError` for thresholds that do not ascend.
    """
    limits = tuple(thresholds)
    if sorted(set(limits)) != list(limits) or any(limit <= 0 for limit in limits):
        raise InputError(
            f"thresholds {limits} do not ascend from 0", {"thresholds": "device-seconds > 0"}
        )
    return Preemptive(
        "tiresias",
        partial(_level, limits),
        "least attained service, in queues (Gu et al. 2019)",
        lambda table: -table.born,
        (Criterion.ARRIVAL,),
    )


def _level(limits: tuple[float, ...], job: JobProgress, width: int) -> JobRank:
    service = job.service_s + GRAIN_S
    level = sum(service >= limit for limit in limits)
    sunk = level > 0 and service - limits[level - 1] <= SUNK_S * width
    left = (limits[level] - job.service_s) / width if level < len(limits) else inf
    return JobRank((float(level), float(sunk)), left, yields=sunk)


def _srtf(job: JobProgress, _: int) -> JobRank:
    return JobRank((job.remaining_s,))


def _srsf(job: JobProgress, width: int) -> JobRank:
    return JobRank((job.remaining_s * width,))


SRTF = Preemptive(
    "srtf",
    _srtf,
    "shortest remaining time first (Schrage 1968)",
    lambda table: -table.ideal,
    (Criterion.LENGTH,),
)
SRSF = Preemptive(
    "srsf",
    _srsf,
    "shortest remaining service (devices × time) first (Gu et al. 2019)",
    lambda table: -table.size * table.request,
    (Criterion.AREA,),
)
LAS = las()

PREEMPTIVE: Mapping[str, Preemptive] = {policy.name: policy for policy in (SRSF, SRTF, LAS)}
