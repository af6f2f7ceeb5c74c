"""Random small clusters on which much happens at the same instant.

Jobs arrive and run for whole seconds. Pools boot or not, and may limit memory. Except on steady
clusters, pools may be elastic, nodes break, and spot nodes are revoked. Attempts fail; jobs are
wider than a node, submitted together, and run longer or shorter than believed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from envs.scenarios import Billing, Estimates, Failures, Scenario, Supply
from envs.scenarios.scenario import WorkloadSource
from envs.workloads.base import Arrival, Workload, WorkloadRun
from scheduler.domain.pools import Pool
from scheduler.domain.resources import DeviceKind

NAME = "stress"
STEADY = 0.4
"""Share of the clusters whose nodes neither come and go nor break."""
ESTIMATES = (Estimates(), Estimates("requested"), Estimates("noisy", {"sigma": 0.5}))


def drawn(seed: int, jobs: int) -> tuple[Scenario, Workload]:
    """A cluster of one to four pools and a workload for it; equal seeds give equal ones."""
    rng = np.random.default_rng((seed, jobs))
    steady = bool(rng.random() < STEADY)
    supplies = tuple(_supply(rng, index, steady) for index in range(int(rng.integers(1, 5))))
    scenario = Scenario(
        name=f"{NAME}-{seed}",
        version=1,
        description="a random cluster",
        supplies=supplies,
        source=WorkloadSource(),
        estimates=ESTIMATES[int(rng.integers(len(ESTIMATES)))],
        failures=_failures(rng, steady),
    )
    return scenario, Workload(scenario.name, tuple(_jobs(rng, scenario.pools, jobs)))


def _supply(rng: np.random.Generator, index: int, steady: bool) -> Supply:
    pool = Pool(
        f"pool{index}",
        DeviceKind.CUDA if index % 2 else DeviceKind.CPU,
        f"model{index}",
        int(rng.integers(1, 5)),
        nodes=int(rng.integers(1, 6)),
        memory_per_node=int(rng.choice([0, 8])),
        dollars_per_device_hour=float(rng.integers(1, 9)),
        watts_per_device=100.0,
        boot_s=float(rng.choice([0, 20, 60])),
    )
    elastic = not steady and rng.random() < 0.5
    return Supply(
        pool,
        int(rng.integers(0, pool.nodes)) if elastic else pool.nodes,
        idle_timeout_s=float(rng.choice([0, 30, 100])),
        revocations_per_hour=0.0 if steady else float(rng.choice([0, 0, 5])),
        billing=list(Billing)[int(rng.integers(len(Billing)))],
    )


def _failures(rng: np.random.Generator, steady: bool) -> Failures:
    return Failures(
        per_node_hour=0.0 if steady else float(rng.choice([0, 2])),
        repair_s=50.0,
        per_attempt=float(rng.choice([0, 0.1])),
        retries=2,
        checkpoint_s=float(rng.choice([0, 25])),
        restart_s=float(rng.choice([0, 5])),
    )


def _jobs(rng: np.random.Generator, pools: Sequence[Pool], jobs: int) -> Iterator[Arrival]:
    devices = sum(pool.count for pool in pools)
    now = 0.0
    for number in range(1, jobs + 1):
        now += float(rng.integers(0, max(2, 240 // devices)))
        runs = tuple(_runs(rng, pools))
        yield Arrival(
            number,
            now,
            runs,
            requested_s=float(runs[0].runtime_s * rng.choice([0.5, 1, 1, 2])),
            memory_bytes=int(rng.choice([0, 0, 3])),
            user=f"user{int(rng.integers(4))}",
            priority=float(rng.choice([20, 50, 80])),
            deadline=now + 400.0 if rng.random() < 0.3 else None,
            preference=float(rng.choice([0, 0.3, 1])) if rng.random() < 0.3 else None,
        )


def _runs(rng: np.random.Generator, pools: Sequence[Pool]) -> Iterator[WorkloadRun]:
    """Rigid or moldable, on one pool or several; on the first always one device."""
    chosen = rng.permutation(len(pools))[: int(rng.integers(1, len(pools) + 1))]
    seconds = float(rng.integers(1, 300))
    for rank, index in enumerate(chosen.tolist()):
        pool = pools[index]
        # Memory is asked for per job: one device of any node can hold it.
        widths = {1} if rank == 0 else set()
        widths |= {int(width) for width in rng.integers(1, pool.count + 1, size=2)}
        for width in sorted(widths):
            yield WorkloadRun(pool.model, width, float(np.ceil(seconds * (1 + rank) / width**0.5)))
