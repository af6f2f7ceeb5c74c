"""The workload model of Lublin and Feitelson, for rigid jobs on parallel computers.

Lublin, Feitelson, "The workload on parallel supercomputers: modeling the characteristics of rigid
jobs", Journal of Parallel and Distributed Computing 63(11), 2003. Parameters keep the paper's
names; the values are those published for all jobs together (`WHOLE`) and for batch and interactive
jobs apart. Logarithms are natural ones but for sizes, where they are binary.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt, Lt

from envs.workloads.base import Arrival, Workload, WorkloadRun
from envs.workloads.streams import Seed, streams, written
from scheduler.arrays import Floats, Ints
from scheduler.domain.errors import InputError
from scheduler.domain.resources import ANY

BUCKETS = 48
"""Half-hours of a day."""
BUCKET_S = 1800.0
FIRST_BUCKET = 11
"""The daily cycle is fitted to the buckets 11 … 58: from 5:00 to 5:00."""
MODEL_PROCESSORS = 128
"""Size of the machine that the published sizes are meant for."""
LONGEST = 12.0
"""Logarithm of the longest runtime (s): 45 hours. Longer draws are repeated."""
LONGEST_PAUSE = 13.0
"""Logarithm of the longest pause (s) between two arrivals: 5 days. Longer draws are repeated."""


@dataclass(frozen=True, slots=True)
class Class:
    """Parameters of one class of jobs."""

    name: str
    serial_prob: float
    """Probability that a job is serial."""
    pow2_prob: float
    """Probability that its size is a power of two (of all jobs)."""
    u_low: float
    """Two-stage uniform of the logarithm of a parallel size: from here …"""
    u_med: float
    """… to here with `u_prob`, else from here …"""
    u_hi: float
    """… to here."""
    u_prob: float
    a1: float
    """Hyper-gamma of the logarithm of the runtime: shape and scale of the first gamma …"""
    b1: float
    a2: float
    """… and of the second."""
    b2: float
    pa: float
    """Probability of the first gamma: pa · size + pb."""
    pb: float
    a_arr: float
    """Gamma of the logarithm of the pause between arrivals in rush hours: shape and scale."""
    b_arr: float
    a_num: float
    """Gamma whose mass over a bucket is the bucket's share of a day's arrivals."""
    b_num: float
    arar: float
    """Arrive-rush-to-all ratio: factor of `a_arr` that turns rush hours into all hours."""

    def for_machine(self, processors: int) -> Class:
        """Sizes up to `processors`: `u_med` and `u_hi` are moved as far as the logarithm is."""
        shift = math.log2(processors / MODEL_PROCESSORS)
        med = max(self.u_low, self.u_med + shift)
        return replace(self, u_med=med, u_hi=max(med, self.u_hi + shift))


_WHOLE_SIZES = (0.244, 0.576, 0.8, 4.5, 7.0, 0.86)
_BATCH_SIZES = (0.2927, 0.6686, 1.2, 5.0, 7.0, 0.875)
_INTERACTIVE_SIZES = (0.1541, 0.625, 1.0, 3.0, 5.5, 0.705)
_WHOLE_RUNTIMES = (4.2, 0.94, 312.0, 0.03, -0.0054, 0.78)
_BATCH_RUNTIMES = (6.57, 0.823, 639.1, 0.0156, -0.003, 0.6986)
_INTERACTIVE_RUNTIMES = (3.8351, 0.6605, 7.073, 0.6856, -0.0118, 0.9156)
_WHOLE_ARRIVALS = (10.2303, 0.4871, 8.1737, 3.9631, 1.0225)
_BATCH_ARRIVALS = (6.0415, 0.8531, 6.1271, 5.2740, 1.0519)
_INTERACTIVE_ARRIVALS = (6.5510, 0.6621, 8.9186, 3.6680, 0.9797)

WHOLE = Class("job", *_WHOLE_SIZES, *_WHOLE_RUNTIMES, *_WHOLE_ARRIVALS)
BATCH = Class("batch", *_BATCH_SIZES, *_BATCH_RUNTIMES, *_BATCH_ARRIVALS)
INTERACTIVE = Class(
    "interactive", *_INTERACTIVE_SIZES, *_INTERACTIVE_RUNTIMES, *_INTERACTIVE_ARRIVALS
)


class Types(StrEnum):
    """Which classes arrive."""

    WHOLE = "whole"
    BOTH = "batch+interactive"
    BATCH = "batch"
    INTERACTIVE = "interactive"


CLASSES = {
    Types.WHOLE: (WHOLE,),
    Types.BOTH: (BATCH, INTERACTIVE),
    Types.BATCH: (BATCH,),
    Types.INTERACTIVE: (INTERACTIVE,),
}


@dataclass(frozen=True, slots=True)
class Lublin:
    """What to draw."""

    processors: Annotated[int, Ge(1)] = 256
    types: Types = Types.WHOLE
    start_hour: Annotated[float, Ge(0), Lt(24)] = 0.0
    """Hour of the day at which the workload begins; its first job comes a little later."""
    pause_factor: Annotated[float, Gt(0)] = 1.0
    """Times all pauses between arrivals, the daily cycle as it is: below 1 raises the load."""
    history: Annotated[int, Ge(0)] = 0
    """Jobs of a longer history that a workload is a window of, from a row drawn on: it begins at
    any hour, and formulas count submissions from the history's beginning. Up to the length of the
    workload: there is none."""


def draw(
    parameters: Lublin,
    jobs: int,
    seed: Seed,
    classes: tuple[Class, ...] | None = None,
) -> Workload:
    """`jobs` jobs on any device; times in whole seconds, as logs have them.

    Of a window of a longer history they count from its first job. `classes` replaces the published
    parameters of `parameters.types`; they are fitted to the machine likewise. Raises `InputError`
    for fewer than 0 jobs or 1 processor.
    """
    if jobs < 0 or parameters.processors < 1:
        raise InputError(
            f"{jobs} jobs on {parameters.processors} processors",
            {"jobs": "a whole number ≥ 0", "processors": "a whole number ≥ 1"},
        )
    chosen = CLASSES[parameters.types] if classes is None else classes
    count = max(jobs, parameters.history)
    purposes = streams(seed, 3 * len(chosen) + 1)
    columns = [
        _class(
            one.for_machine(parameters.processors), parameters, count, purposes[3 * k : 3 * k + 3]
        )
        for k, one in enumerate(chosen)
    ]
    submitted, sizes, runtimes = (np.concatenate(column) for column in zip(*columns, strict=True))
    # One of several classes is whichever comes next: of each, enough were drawn.
    names = [one.name for one in chosen for _ in range(count)]
    before = int(purposes[-1].integers(count - jobs + 1))
    kept = np.argsort(submitted, kind="stable")[before : before + jobs]
    begin = float(submitted[kept].min()) if count > jobs > 0 else 0.0
    table = zip(
        kept.tolist(),
        (submitted[kept] - begin).tolist(),
        sizes[kept].tolist(),
        runtimes[kept].tolist(),
        strict=True,
    )
    return Workload(
        name="lublin",
        jobs=tuple(
            Arrival(
                number,
                time,
                (WorkloadRun(ANY, size, runtime),),
                requested_s=runtime,
                kind=names[index],
                user=names[index],
            )
            for number, (index, time, size, runtime) in enumerate(table, 1)
        ),
        source=f"Lublin-Feitelson 2003, {parameters}, seed {written(seed)}",
        origin=-begin,
    )


def weights(parameters: Class) -> Floats:
    """Shape (48,): intensity of each half-hour from midnight on; the mean is 1.

    The mass of gamma(a_num, b_num) within half a bucket around 11 … 58, by Simpson's rule.
    """
    numbers = np.arange(FIRST_BUCKET, FIRST_BUCKET + BUCKETS)
    points = numbers[:, None] + np.linspace(-0.5, 0.5, 33)
    scaled = points / parameters.b_num
    density = np.exp((parameters.a_num - 1) * np.log(scaled) - scaled)
    simpson = np.array([1.0, *[4.0, 2.0] * 15, 4.0, 1.0])
    mass = density @ simpson
    result = np.empty(BUCKETS)
    result[(numbers - 1) % BUCKETS] = mass / mass.mean()
    return result


def _class(
    one: Class, parameters: Lublin, jobs: int, purposes: list[np.random.Generator]
) -> tuple[Floats, Ints, Floats]:
    for_sizes, for_runtimes, for_arrivals = purposes
    sizes = np.minimum(_sizes(one, jobs, for_sizes), parameters.processors)
    return (
        _arrivals(one, parameters, jobs, for_arrivals),
        sizes,
        _runtimes(one, sizes, for_runtimes),
    )


def _sizes(one: Class, jobs: int, rng: np.random.Generator) -> Ints:
    kind, stage, place = rng.random((3, jobs))
    low = np.where(stage <= one.u_prob, one.u_low, one.u_med)
    high = np.where(stage <= one.u_prob, one.u_med, one.u_hi)
    log_size = low + place * (high - low)
    log_size = np.where(kind <= one.serial_prob + one.pow2_prob, np.floor(log_size + 0.5), log_size)
    parallel = np.floor(np.exp2(log_size) + 0.5)
    return np.where(kind <= one.serial_prob, 1, parallel).astype(np.int64)


def _runtimes(one: Class, sizes: Ints, rng: np.random.Generator) -> Floats:
    first = np.clip(one.pa * sizes + one.pb, 0.0, 1.0)

    def hyper_gamma(index: Ints) -> Floats:
        chosen = rng.random(len(index)) <= first[index]
        shape = np.where(chosen, one.a1, one.a2)
        return rng.gamma(shape, np.where(chosen, one.b1, one.b2))

    log_runtime = _below(LONGEST, len(sizes), hyper_gamma)
    return np.maximum(1.0, np.floor(np.exp(log_runtime)))


def _arrivals(one: Class, parameters: Lublin, jobs: int, rng: np.random.Generator) -> Floats:
    """Pauses are drawn on a clock that runs as fast as jobs arrive, then read off the day's."""

    def gamma(index: Ints) -> Floats:
        return rng.gamma(one.a_arr * one.arar, one.b_arr, len(index))

    pauses = np.exp(_below(LONGEST_PAUSE, jobs, gamma)) * parameters.pause_factor / BUCKET_S
    day = np.concatenate(([0.0], np.cumsum(weights(one))))
    begin = np.interp(parameters.start_hour * 2, np.arange(BUCKETS + 1), day)
    passed = begin + np.cumsum(pauses)
    days, rest = np.divmod(passed, day[-1])
    clock = (days * BUCKETS + np.interp(rest, day, np.arange(BUCKETS + 1))) * BUCKET_S
    return np.floor(clock - parameters.start_hour * 3600)


def _below(limit: float, count: int, sample: Callable[[Ints], Floats]) -> Floats:
    """`count` draws, those beyond the limit repeated."""
    result = np.full(count, np.inf)
    left = np.arange(count)
    while len(left):
        result[left] = sample(left)
        left = left[result[left] > limit]
    return result
