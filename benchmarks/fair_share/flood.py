"""Two projects that flood a cluster, and what each gets of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from agents.registry import resolve  # noqa: F401 — names of learned policies
from envs.simulator.cluster_spec import ClusterSpec
from envs.simulator.simulation import Simulation
from envs.workloads.base import Arrival, Workload, WorkloadRun
from scheduler.decisions.state.usage import Allowance, SharingRules
from scheduler.domain.pools import Pool
from scheduler.domain.resources import DeviceKind
from scheduler.policies import lookup

SHARES = {"vision": 3.0, "speech": 1.0}
HOUR_S = 3600.0
TOLERANCE = 0.1
CASES = ("equal", "long", "urgent")
LEARNED = ("learned:fulcrum",)
SEARCHED = ("sjf+search", "wgc+search")
POOL = Pool("gpu", DeviceKind.CUDA, "GPU", 8, dollars_per_device_hour=2.0)


def flood(case: str, until_s: float = HOUR_S, seed: int = 0) -> Workload:
    """Jobs of both projects for longer than that, all submitted at once."""
    rng = np.random.default_rng(seed)
    jobs: list[Arrival] = []
    devices = POOL.count * until_s
    for project, share in SHARES.items():
        long = case == "long" and project == "speech"
        mean = 240.0 if long else 60.0
        wanted, work = 1.15 * devices * share / sum(SHARES.values()) + 8.0 * mean, 0.0
        while work < wanted:
            runtime = float(rng.uniform(0.5, 1.5)) * mean
            work += runtime
            urgent = case == "urgent" and project == "vision"
            jobs.append(
                Arrival(
                    len(jobs) + 1,
                    0.0,
                    (WorkloadRun("cuda", 1, runtime),),
                    project=project,
                    priority=100.0 if urgent else 50.0,
                )
            )
    return Workload(f"flood-{case}", tuple(jobs))


def used(policy: str, case: str, until_s: float = HOUR_S) -> Mapping[str, float]:
    """Device-seconds that each project got until then."""
    workload = flood(case, until_s)
    spec = ClusterSpec(
        (POOL,),
        sharing=SharingRules({name: Allowance(share) for name, share in SHARES.items()}),
    )
    simulation = Simulation(workload, spec, record=True)
    simulation.run(lookup.named(policy))
    projects = {job.id: job.project for job in workload.jobs}
    found = dict.fromkeys(SHARES, 0.0)
    for held in simulation.held or ():
        seconds = min(held.end, until_s) - min(held.start, until_s)
        found[projects[held.job]] += seconds * sum(count for _, count in held.nodes)
    return found


def ratio(found: Mapping[str, float]) -> float:
    """Device-seconds of the first project for each of the second."""
    first, second = found.values()
    return first / max(second, 1e-9)


def fair(value: float) -> bool:
    """Whether a ratio is that of the shares, within the tolerance."""
    wanted = ratio(SHARES)
    return abs(value / wanted - 1.0) <= TOLERANCE


def policies() -> Sequence[str]:
    """All that the service offers, and some that are searched."""
    return [*lookup.names(), *LEARNED, *SEARCHED]
