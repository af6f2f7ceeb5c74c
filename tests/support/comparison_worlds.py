"""A tiny scenario, and outcomes made by hand."""

import numpy as np

from agents.evaluation.invariants import logged
from envs.scenarios import Objective, Scenario, Supply, WorkloadSource
from envs.simulator.results import ClusterLoad, SimulationResult
from envs.simulator.simulated_job import HeldDevices
from envs.workloads.synthetic import Synthetic
from scheduler.domain.pools import Pool
from scheduler.domain.resources import DeviceKind

GPU = Pool("gpu", DeviceKind.CUDA, "NVIDIA T4", 2, nodes=2, dollars_per_device_hour=0.5)
CPU = Pool("cpu", DeviceKind.CPU, "AMD EPYC 7B13", 8, dollars_per_device_hour=0.05)


def scenario(name="tiny", jobs=12, **figures):
    return Scenario(
        name,
        1,
        "a tiny cluster",
        (Supply(GPU, GPU.nodes), Supply(CPU, CPU.nodes)),
        WorkloadSource(jobs=jobs, synthetic=Synthetic()),
        **{"objective": Objective(600.0, 1.0, 20_000.0, 5.0), **figures},
    )


def outcome(submitted, started, ended, width=None, pool=None, **figures):
    """Jobs 1, 2, … that ran from `started` to `ended` on a node each of a pool of 4 devices."""
    count = len(submitted)
    times = [np.array(column, dtype=float) for column in (submitted, started, ended)]
    runtime = times[2] - times[1]
    held = figures.get("runtime", runtime) * (1 if width is None else np.array(width))
    useful = float(np.where(figures.get("failed", False), 0.0, held).sum())
    start = times[0].min() if count else 0.0
    load = ClusterLoad(start, np.nanmax(times[2], initial=start), useful, *times[:2])
    return SimulationResult(
        **{
            "job": np.arange(1, count + 1),
            "submitted": times[0],
            "started": times[1],
            "ended": times[2],
            "runtime": runtime,
            "ideal": runtime,
            "pool": np.zeros(count, int) if pool is None else np.array(pool),
            "width": np.ones(count, int) if width is None else np.array(width),
            "dollars": np.ones(count),
            "joules": np.full(count, 10.0),
            "attempts": np.ones(count, int),
            "failed": np.zeros(count, bool),
            "wasted": np.zeros(count),
            "priority": np.full(count, 50.0),
            "deadline": np.full(count, np.inf),
            "preference": np.full(count, np.nan),
            "user": ("ada",) * count,
            "capacity": 4,
            "load": load,
            **figures,
        }
    )


def held(job, start, end, nodes=((0, 1),), pool=0, memory=0):
    return HeldDevices(job, pool, nodes, memory, start, end)


def log(*attempts):
    return logged(attempts)
