"""Gavel's heterogeneity-aware fair shares, given in rounds, to compare with.

Narayanan et al., "Heterogeneity-aware cluster scheduling policies for deep learning workloads",
OSDI 2020.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import inf

import numpy as np

from envs.baselines.leases import LeasedJob, LeaseScene, Request
from envs.baselines.programs import Coefficients, maximum
from envs.simulator.placements import PoolWidth
from scheduler.arrays import Floats, Ints
from scheduler.domain.jobs import MIDDLE_PRIORITY

ROUND_S = 360.0
"""Length of a round in the paper's evaluation (section 7)."""
SLACK = 1e-7
"""Part of the least share that rounding may cost in the second program."""

Shares = Mapping[int, Mapping[PoolWidth, float]]
"""Job → placement → share of its time that it shall run there."""


class Gavel:
    """Max-min fairness over effective throughputs, by rounds: a scheduler with leases.

    The allocation is computed again whenever a job has come or gone (the paper's reset events). In
    each round a placement's priority is its share of the allocation ÷ the fraction of the job's
    time that it has received there (section 5 and algorithm 1 there); the placements with the
    greatest priorities that fit get the devices, and each job only one. Placements without a share
    come last, the shortest first, so that no device stays idle while a job could use it.

    Among the paper's policies this is LAS, its policy for single jobs of equal standing (section
    4.1), with priority ÷ 50 as weight. Its policies that pack two jobs on a device are left out:
    here a device has one job.
    """

    aligned = True

    def __init__(self, lease_s: float = ROUND_S) -> None:
        self.lease_s = lease_s
        self._shares: Shares = {}

    def requests(self, scene: LeaseScene) -> Iterator[Request]:
        """Placements of the jobs that ask, greatest priority first."""
        if self._shares.keys() != {job.id for job in scene.jobs}:
            self._shares = max_min_shares(scene.jobs, [pool.count for pool in scene.free.pools])
        entries = []
        for job in scene.jobs:
            if job.asks:
                shares, passed = self._shares[job.id], scene.now - job.submitted_at
                for option in job.left:
                    share, received = shares[option[:2]], job.received.get(option[:2], 0.0)
                    entries.append(
                        (*_first(share, received, passed), option.runtime_s, job, option)
                    )
        entries.sort(key=lambda entry: (*entry[:3], entry[3].submitted_at, entry[3].id))
        for *_, job, option in entries:
            yield job.id, option


def _first(share: float, received_s: float, passed_s: float) -> tuple[float, float]:
    """Sorts placements by their priority, the greatest first, then by their share."""
    if share <= 0.0:
        return 0.0, 0.0
    return (-share / (received_s / passed_s) if received_s else -inf), -share


def max_min_shares(jobs: Sequence[LeasedJob], devices: Sequence[int]) -> Shares:
    """The shares of jobs' time on placements that make the least-off job best off.

    `devices`: of each pool. With T the throughput (1 ÷ estimated seconds of the whole job) of job m
    on placement j, the program of section 4.1 is

        max over X of min over m of  1/w_m · Σ_j T_mj X_mj / throughput(m, X_equal)
        X ≥ 0;  Σ_j X_mj ≤ 1 for each job;  Σ_mj width_mj X_mj ≤ devices for each pool

    X_equal gives the job one device, and of each pool that it accepts a share of the time in
    proportion to the pool's devices. For jobs of a fixed width this is the paper's scale factor z.
    A job that accepts several widths has one column for each, and X_equal counts the width with
    the greatest throughput per device.

    Such a program leaves open who gets what the least-off job cannot use. A second one maximises
    the sum of the same terms, none below that minimum.
    """
    options = [option for job in jobs for option in job.whole]
    if not options:
        return {}
    owner = np.repeat(np.arange(len(jobs)), [len(job.whole) for job in jobs])
    gains = np.concatenate([_gains(job, devices) for job in jobs])
    solved = _solved(
        gains,
        owner,
        np.array([option.pool for option in options]),
        np.array([float(option.width) for option in options]),
        np.array(devices, dtype=np.float64),
    )
    shares: dict[int, dict[PoolWidth, float]] = {job.id: {} for job in jobs}
    for position, option, share in zip(owner.tolist(), options, solved.tolist(), strict=True):
        shares[jobs[position].id][option[:2]] = share
    return shares


def _gains(job: LeasedJob, devices: Sequence[int]) -> Floats:
    """(n,) What a whole share of each placement adds to the job's term of the objective."""
    speeds = np.array([1.0 / max(option.runtime_s, 1e-9) for option in job.whole])
    by_pool: dict[int, float] = {}
    for option, speed in zip(job.whole, speeds.tolist(), strict=True):
        by_pool[option.pool] = max(by_pool.get(option.pool, 0.0), speed / option.width)
    equal = sum(devices[pool] * speed for pool, speed in by_pool.items())
    equal /= sum(devices[pool] for pool in by_pool)
    weight = max(job.priority, 1.0) / MIDDLE_PRIORITY
    gains: Floats = speeds / (equal * weight)
    return gains


def _solved(gains: Floats, owner: Ints, pool: Ints, width: Floats, devices: Floats) -> Floats:
    """(n,) The shares that solve both programs, by column."""
    columns, jobs, pools = len(gains), int(owner[-1]) + 1, len(devices)
    each, every_job = np.arange(columns), np.arange(jobs)
    # The last variable is the term of the least-off job, which is at most any job's.
    taken = Coefficients(
        np.concatenate([owner, jobs + pool, jobs + pools + owner, jobs + pools + every_job]),
        np.concatenate([each, each, each, np.full(jobs, columns)]),
        np.concatenate([np.ones(columns), width, -gains, np.ones(jobs)]),
    )
    limits = np.concatenate([np.ones(jobs), devices, np.zeros(jobs)])
    none = np.zeros(columns)
    least = maximum(np.append(none, 1.0), taken, limits)[-1]
    shares = maximum(np.append(gains, 0.0), taken, limits, np.append(none, (1.0 - SLACK) * least))
    # Rounded, so that of jobs whose shares are equal the oldest goes first.
    return np.asarray(np.clip(shares[:-1], 0.0, 1.0).round(6), dtype=np.float64)
