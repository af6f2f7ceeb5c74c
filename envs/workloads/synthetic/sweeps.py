"""Sweeps: a user submits many jobs of one work in a burst, as a search for parameters does.

On Microsoft's Philly cluster 68 % of the jobs follow one of the same virtual cluster and width
within 60 s (Jeon et al., "Analysis of Large-Scale Multi-Tenant GPU Clusters for DNN Training
Workloads", USENIX ATC 2019, publishes the log).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt, Le, Lt

from envs.workloads.synthetic.values import Counts
from scheduler.arrays import Floats, Ints


@dataclass(frozen=True, slots=True)
class Sweeps:
    """How many jobs come in sweeps, and what these look like."""

    share: Annotated[float, Ge(0), Lt(1)] = 0.0
    """Of the jobs, those that belong to a sweep."""
    jobs: Counts = (4, 32)
    """Range of the number of jobs in a sweep (log-uniform)."""
    pause_s: Annotated[float, Gt(0)] = 10.0
    """Mean time between two submissions of a sweep (exponential)."""
    sigma: Annotated[float, Ge(0), Le(2)] = 0.3
    """Log-normal spread of the sizes within a sweep around a common one."""


def groups(sweeps: Sweeps, jobs: int, rng: np.random.Generator) -> Ints:
    """(groups,) Sizes that add up to `jobs`: 1 for a job by itself, more for a sweep."""
    if sweeps.share == 0:
        return np.ones(jobs, dtype=np.int64)
    low, high = sweeps.jobs
    lengths = np.floor(np.exp(rng.uniform(np.log(low), np.log(high + 1), jobs))).astype(np.int64)
    # Of all groups, so many are sweeps that the share of jobs comes out.
    mean = (high + 1 - low) / np.log((high + 1) / low) - 0.5
    odds = sweeps.share / (sweeps.share + mean * (1 - sweeps.share))
    sizes = np.where(rng.random(jobs) < odds, np.minimum(lengths, high), 1)
    ends = np.cumsum(sizes)
    count = int(np.searchsorted(ends, jobs)) + 1 if jobs else 0
    found: Ints = sizes[:count].copy()
    if count:
        found[-1] -= ends[count - 1] - jobs
    return found


def offsets(sweeps: Sweeps, sizes: Ints, rng: np.random.Generator) -> Floats:
    """(jobs,) Seconds from the beginning of each job's group to its submission."""
    total = int(sizes.sum())
    first = np.cumsum(sizes) - sizes
    pauses = rng.exponential(sweeps.pause_s, total)
    pauses[first] = 0.0
    reached = np.cumsum(pauses)
    result: Floats = reached - np.repeat(reached[first], sizes)
    return result


def spread(sweeps: Sweeps, sizes: Ints, rng: np.random.Generator) -> Floats:
    """(jobs,) Factor of each job's size; 1 outside sweeps."""
    alone = np.repeat(sizes, sizes) == 1
    factor: Floats = np.exp(sweeps.sigma * rng.standard_normal(int(sizes.sum())))
    return np.where(alone, 1.0, factor)
