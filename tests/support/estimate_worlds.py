"""A synthetic world with a known truth, for tests of the estimator."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from scheduler.domain.jobs import JobKind, JobSpec, Profile
from scheduler.domain.pools import Pool
from scheduler.domain.records import Measurement
from scheduler.domain.resources import DeviceKind, Request
from scheduler.estimates import Estimator

CPU = Pool(
    "cpu", DeviceKind.CPU, "AMD EPYC", 8, memory_per_node=16 * 2**30,
    dollars_per_device_hour=0.05, watts_per_device=3, flops_per_device=5e10,
)  # fmt: skip
T4 = Pool(
    "t4", DeviceKind.CUDA, "Tesla T4", 4, memory_per_node=64 * 2**30,
    dollars_per_device_hour=0.35, watts_per_device=70, flops_per_device=3e12,
)  # fmt: skip
A100 = Pool(
    "a100", DeviceKind.CUDA, "NVIDIA A100-SXM4-40GB", 8, memory_per_node=320 * 2**30,
    dollars_per_device_hour=3.67, watts_per_device=400, flops_per_device=2e13,
)  # fmt: skip
POOLS = (CPU, T4, A100)


@dataclass(frozen=True)
class Truth:
    """Nominal rates are off by a factor; a sample has a fixed part; width scales by `power`."""

    factors: dict[str, float]
    fixed_s: float = 1e-4
    power: float = 0.9
    overhead_s: float = 4.0

    def seconds(self, spec: JobSpec, pool: Pool, width: int) -> float:
        flops = spec.profile.flops_per_sample
        per_sample = flops / (pool.flops_per_device * self.factors[pool.name]) + self.fixed_s
        return self.overhead_s + spec.profile.samples * per_sample / width**self.power


def train(key="resnet18", samples=10_000.0, flops=5e9, limit=None, **request) -> JobSpec:
    return JobSpec(
        JobKind.CNN_TRAIN,
        {},
        Profile(key, samples, flops),
        request=Request(**request),
        max_duration_s=limit,
    )


def command(key="command:make:1", limit=None) -> JobSpec:
    return JobSpec(JobKind.COMMAND, {}, Profile(key, 1.0), max_duration_s=limit)


def measured(spec: JobSpec, pool: Pool, width: int, seconds: float, overhead=0.0, **kw):
    values = {
        "job": 1, "attempt": 1, "time": 0.0, "key": spec.profile.key, "pool": pool.name,
        "model": pool.model, "width": width, "samples": spec.profile.samples, "seconds": seconds,
        "overhead_s": overhead, "estimated_s": seconds, "source": "flops",
        "flops_per_sample": spec.profile.flops_per_sample,
    }  # fmt: skip
    return Measurement(**(values | kw))


def run(truth: Truth, estimator: Estimator, spec, pool, width, rng) -> tuple[float, float]:
    """(estimate, truth) of one attempt, which the estimator then learns from."""
    seconds = truth.seconds(spec, pool, width) * math.exp(rng.normal(0, 0.05))
    estimated = estimator.estimate(spec, pool, width)
    estimator.observe(
        measured(
            spec, pool, width, seconds, truth.overhead_s,
            estimated_s=estimated.runtime_s, source=estimated.source,
        )
    )  # fmt: skip
    return estimated.runtime_s, seconds


def median_error(pairs) -> float:
    return float(np.median([abs(estimated / true - 1) for estimated, true in pairs]))
