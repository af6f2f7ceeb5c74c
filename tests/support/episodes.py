"""Episodes of rigid jobs in which much happens at once."""

import numpy as np

from envs.gym.episodes import Episode
from envs.gym.rewards import Scales
from envs.simulator.cluster_spec import ClusterSpec
from envs.workloads.base import Arrival, Workload, WorkloadRun
from envs.workloads.runtime_estimates import Exact, Requested
from scheduler.domain.pools import Pool
from scheduler.domain.resources import ANY, DeviceKind

POOL = Pool("gpu", DeviceKind.CUDA, "GPU", 8, dollars_per_device_hour=2.0)
JOBS = 60


def workload(seed, jobs=JOBS):
    """Whole seconds, so that much happens at once; requests above and below the truth."""
    rng = np.random.default_rng(seed)
    now, made = 0.0, []
    for number in range(1, jobs + 1):
        now += float(rng.integers(0, 30))
        seconds = float(rng.integers(1, 400))
        made.append(
            Arrival(
                number,
                now,
                (WorkloadRun(ANY, int(rng.choice([1, 1, 2, 3, 5, 8])), seconds),),
                requested_s=seconds * float(rng.choice([0.4, 1.0, 1.0, 3.0])),
                priority=float(rng.choice([20, 50, 80])),
                preference=float(rng.random()) if rng.random() < 0.2 else None,
            )
        )
    return Workload(f"rigid-{seed}", tuple(made), origin=-1000.0 * seed)


def episode(seed, mode, *, requested, bounded=True):
    scales = Scales(latency_s=100.0, slowdown=7.0, dollars=0.3, bounded=bounded)
    return Episode(
        workload(seed), ClusterSpec((POOL,), mode), Requested() if requested else Exact(), scales
    )
