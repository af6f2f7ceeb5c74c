"""Themis: finish-time fairness by auctions of leases, to compare with.

Mahajan et al., "Themis: fair and efficient GPU cluster scheduling", NSDI 2020.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import ceil, log
from typing import NamedTuple

import numpy as np

from envs.baselines.leases import LeasedJob, LeaseScene, Request
from envs.baselines.programs import Coefficients, maximum
from scheduler.decisions.state.entries import EstimatedPlacement
from scheduler.decisions.state.world import World

LEASE_S = 1200.0
"""Length of a lease in the paper's evaluation."""
FAIRNESS = 0.8
"""The paper's knob f: the devices are offered to the share 1 − f of the jobs that is worst off."""
SHORTEST_S = 1e-9


class Themis:
    """Finish-time fairness: a scheduler with leases.

    ρ = T_shared / T_ideal (section 3.2). T_shared is the time from a job's submission to its end
    with what it is offered; T_ideal is its least runtime × the mean number of jobs in the system
    since then. Whenever devices are free, because a job ended or a lease did, they are offered to
    the share 1 − f of the asking jobs with the greatest ρ. Who gets what is the partial allocation
    of section 3.3: the winners maximise the product of the valuations 1/ρ. The others get what is
    left.

    Simplified: an application is one job, so nobody bids for a part of its devices. Jobs cannot
    lie about their estimates, so there are no hidden payments, whose purpose is to make lying
    useless. A job that wins nothing counts as starting after one more lease, where the paper has an
    infinite ρ, as a product needs a finite one. What is left goes to the worst off of the
    others, where the paper draws at random.
    """

    aligned = False

    def __init__(self, lease_s: float = LEASE_S, fairness: float = FAIRNESS) -> None:
        self.lease_s = lease_s
        self._fairness = fairness
        self._contention = _Contention()

    def requests(self, scene: LeaseScene) -> Iterator[Request]:
        """The winners' placements, then all of all jobs that ask, the worst off first."""
        self._contention.tell(scene.now, [job.id for job in scene.jobs])
        asking = sorted(
            (job for job in scene.jobs if job.asks),
            key=lambda job: (-self._unfairness(job, scene.now, self._later(job)), job.id),
        )
        bidders = asking[: max(1, ceil((1.0 - self._fairness) * len(asking)))]
        yield from winners([(job.id, self._bid(job, scene.now)) for job in bidders], scene.free)
        for job in asking:
            for option in sorted(job.left, key=lambda each: (each.runtime_s, each.width)):
                yield job.id, option

    def _unfairness(self, job: LeasedJob, now: float, left_s: float) -> float:
        """ρ of a job that ends `left_s` seconds from now."""
        ideal = min(option.runtime_s for option in job.whole) * self._contention.mean(job.id)
        return max(now - job.submitted_at + left_s, SHORTEST_S) / max(ideal, SHORTEST_S)

    def _later(self, job: LeasedJob) -> float:
        """Seconds that are left to a job that wins nothing now."""
        return self.lease_s + min(option.runtime_s for option in job.left)

    def _bid(self, job: LeasedJob, now: float) -> Mapping[EstimatedPlacement, float]:
        """Placement → ln of the job's valuation with it ÷ without any."""
        without = self._unfairness(job, now, self._later(job))
        return {
            option: log(without / self._unfairness(job, now, option.runtime_s))
            for option in job.left
        }


def winners(
    bids: Sequence[tuple[int, Mapping[EstimatedPlacement, float]]], free: World
) -> list[Request]:
    """The placements that maximise the product of valuations, one at most for each job.

    `bids`: of each job, by placement, the logarithm of its valuation with it ÷ without any. A
    placement without a gain is not taken. Free devices are counted by pool. The greatest gain
    comes first.
    """
    columns = [
        (row, number, option, gain)
        for row, (number, bid) in enumerate(bids)
        for option, gain in bid.items()
        if gain > 0.0 and option.width <= free.free(option.pool)
    ]
    if not columns:
        return []
    pools, each = len(free.pools), np.arange(len(columns))
    taken = Coefficients(
        np.array([place for row, _, option, _ in columns for place in (option.pool, pools + row)]),
        np.repeat(each, 2),
        np.array([amount for *_, option, _ in columns for amount in (float(option.width), 1.0)]),
    )
    limits = [*(float(free.free(pool)) for pool in range(pools)), *(1.0 for _ in bids)]
    gains = np.array([gain for *_, gain in columns])
    solved = maximum(gains, taken, np.array(limits), integer=True)
    won = [column for column, x in zip(columns, solved.tolist(), strict=True) if x > 0.5]
    won.sort(key=lambda column: (-column[3], column[1]))
    return [(number, option) for _, number, option, _ in won]


class _Entry(NamedTuple):
    at: float
    area: float


class _Contention:
    """The mean number of jobs in the system since each of them was first seen."""

    def __init__(self) -> None:
        self._now = self._area = 0.0
        self._present = 0
        self._entries: dict[int, _Entry] = {}

    def tell(self, now: float, jobs: Sequence[int]) -> None:
        """These are there from `now` on. The number was the same since the last call."""
        self._area += self._present * (now - self._now)
        self._now, self._present = now, len(jobs)
        fresh = _Entry(now, self._area)
        self._entries = {job: self._entries.get(job, fresh) for job in jobs}

    def mean(self, job: int) -> float:
        """Jobs in the system, the job itself included. Raises `KeyError` if it is not there."""
        entry = self._entries[job]
        passed = self._now - entry.at
        return max(1.0, (self._area - entry.area) / passed) if passed else float(self._present)
