"""The random events of a simulation as tables: those of `envs.simulator.random_events`.

A table has one row per attempt, or per life of a node. Rows are drawn when they are needed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from envs.simulator.cluster_spec import ClusterSpec
from envs.simulator.random_events import RandomEvents
from scheduler.compilation.columns import Bytes2D, Floats2D


def failure_shares(
    events: RandomEvents, jobs: Sequence[int], probability: float, attempts: range
) -> Floats2D:
    """(attempts, jobs) share of the run after which an attempt fails; NaN: it does not."""
    shares = np.full((len(attempts), len(jobs)), np.nan)
    if probability:
        for at, attempt in enumerate(attempts):
            for column, job in enumerate(jobs):
                share = events.failure(job, attempt, probability)
                if share is not None:
                    shares[at, column] = share
    return shares


def lives(events: RandomEvents, spec: ClusterSpec, numbers: range) -> tuple[Floats2D, Bytes2D]:
    """(lives, nodes) seconds until a node is gone, and whether it breaks down then.

    inf for nodes that are neither revoked nor break down.
    """
    nodes = sum(pool.nodes for pool in spec.pools)
    lasts = np.full((len(numbers), nodes), np.inf)
    breaks = np.zeros((len(numbers), nodes), dtype=np.uint8)
    first, breakdowns = 0, spec.failures.per_node_hour
    for index, pool in enumerate(spec.pools):
        revocations = spec.supply(index).revocations_per_hour
        if revocations or breakdowns:
            for at, life in enumerate(numbers):
                for node in range(pool.nodes):
                    revoked = events.revocation(index, node, life, revocations)
                    broken = events.breakdown(index, node, life, breakdowns)
                    lasts[at, first + node] = min(revoked, broken)
                    breaks[at, first + node] = broken < revoked
        first += pool.nodes
    return lasts, breaks
