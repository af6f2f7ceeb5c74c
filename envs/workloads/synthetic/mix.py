"""The works of a synthetic workload: which can run, where, how fast, and how large they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from envs.workloads.synthetic.parameters import Phase, Synthetic
from envs.workloads.throughputs import Throughputs
from scheduler.arrays import Bools, Floats, Ints
from scheduler.domain.errors import InputError
from scheduler.domain.jobs import JobKind
from scheduler.domain.pools import Pool
from scheduler.domain.resources import DeviceKind


class RunnableWork(NamedTuple):
    """A work that some pool can run."""

    name: str
    phase: Phase
    training: bool
    weight: float
    """Probability of a job to be of it."""
    speeds: tuple[float, ...]
    """By pool: rate of one device over that of the fastest; 0: it cannot run there."""


class RunShape(NamedTuple):
    """A way to run a work."""

    device: str
    width: int
    factor: float
    """Runtime over size."""


class Shapes(NamedTuple):
    """All ways to run jobs of one work and width, the fastest one on fewest devices first."""

    shapes: tuple[RunShape, ...]
    speeds: tuple[float, ...]
    """As of the work, but 0 also where a pool is too narrow."""

    def offered_s(self, size: float, startup_s: float) -> float:
        """Least device time of a job, in seconds of the work's fastest device."""
        first = self.shapes[0]
        return first.width * (startup_s + size * first.factor) * max(self.speeds)

    def devices(self, counts: Ints) -> float:
        """Devices that do such work when pools with these `counts` are full of it.

        Pools that do little of it hardly count: (Σ count · speed)² ÷ Σ count · speed².
        """
        speeds = np.array(self.speeds)
        return float(counts @ speeds) ** 2 / float(counts @ speeds**2)


def works_of(
    parameters: Synthetic, table: Throughputs, pools: Sequence[Pool]
) -> list[RunnableWork]:
    """All works that may be drawn and can run, with their probabilities.

    Raises `InputError` for unknown ones, and where no pool can run any.
    """
    kinds = (
        (JobKind.CNN_TRAIN, parameters.training, parameters.training_share),
        (JobKind.CNN_INFER, parameters.inference, 1 - parameters.training_share),
    )
    mix: list[RunnableWork] = []
    for kind, phase, share in kinds:
        legal = table.works(kind)
        wanted = phase.works or tuple((work, 1.0) for work in legal)
        if share > 0:
            mix += _runnable(kind, phase, share, wanted, table, pools)
    return mix


def shapes_of(
    parameters: Synthetic,
    work: RunnableWork,
    table: Throughputs,
    pools: Sequence[Pool],
    widest: int,
    rigid: bool,
) -> Shapes:
    """The ways to run a job of a work on up to `widest` GPUs, or, if rigid, on exactly so many.

    Where no pool has so many, on the most that one has. CPUs take a rigid job only if it fits on
    one GPU, or if there is no GPU for it.
    """
    able = [index for index, speed in enumerate(work.speeds) if speed > 0]
    fastest = max(table.rate(work.name, pools[index].model) or 0.0 for index in able)
    gpus = [pools[index].count for index in able if pools[index].kind is not DeviceKind.CPU]
    least = 1
    if rigid and gpus:
        least = 1 << (min(widest, max(gpus)).bit_length() - 1)
    found: dict[tuple[str, int], RunShape] = {}
    used: set[int] = set()
    for index in sorted(able, key=lambda index: -work.speeds[index]):
        pool = pools[index]
        most = min(widest, pool.count)
        if pool.kind is DeviceKind.CPU:
            most = min(parameters.cpu_width, pool.devices_per_node) if least == 1 else 0
        elif rigid:
            most = min(most, least)
        for width in (1 << bit for bit in range(most.bit_length())):
            rate = table.rate(work.name, pool.model, width)
            key = (pool.model.casefold(), width)
            if rate and width >= least:
                used.add(index)
                found.setdefault(key, RunShape(pool.model, width, fastest / rate))
    speeds = (speed if index in used else 0.0 for index, speed in enumerate(work.speeds))
    return Shapes(tuple(found.values()), tuple(speeds))


def drawn(weights: Floats, uniform: Floats) -> Ints:
    """Positions drawn by weight, from uniform numbers."""
    edges = np.cumsum(weights) / weights.sum()
    found: Ints = np.minimum(np.searchsorted(edges, uniform, side="right"), len(weights) - 1)
    return found


def log_normal(works: list[RunnableWork], choice: Ints, normal: Floats) -> Floats:
    """Sizes in seconds, before they are cut off."""
    result: Floats = _figures(works, choice, "median_s") * np.exp(
        _figures(works, choice, "sigma") * normal
    )
    return result


def heavy(works: list[RunnableWork], choice: Ints, uniform: Floats) -> Floats:
    """Sizes in seconds from the bounded Pareto distribution of each job's phase."""
    high = _figures(works, choice, "longest_s")
    median, start = _figures(works, choice, "median_s"), _figures(works, choice, "tail_from")
    low = np.minimum(median * start, high)
    shape = _figures(works, choice, "tail_shape")
    ratio = (low / high) ** shape
    result: Floats = low * (1 - uniform * (1 - ratio)) ** (-1 / shape)
    return np.minimum(result, high)


def cut_off(works: list[RunnableWork], choice: Ints, size: Floats) -> Floats:
    """Sizes within the limits of each job's phase."""
    low, high = _figures(works, choice, "shortest_s"), _figures(works, choice, "longest_s")
    result: Floats = np.clip(size, low, high)
    return result


def happens(works: list[RunnableWork], choice: Ints, share: str, uniform: Floats) -> Bools:
    """Whether each job is of the share of its phase with this name."""
    result: Bools = uniform < _figures(works, choice, share)
    return result


def _figures(works: list[RunnableWork], choice: Ints, name: str) -> Floats:
    values: Floats = np.array([getattr(work.phase, name) for work in works], dtype=np.float64)
    return values[choice]


def _runnable(
    kind: JobKind,
    phase: Phase,
    share: float,
    wanted: Sequence[tuple[str, float]],
    table: Throughputs,
    pools: Sequence[Pool],
) -> list[RunnableWork]:
    legal = table.works(kind)
    place = "training" if kind is JobKind.CNN_TRAIN else "inference"
    unknown = [work for work, _ in wanted if work not in legal]
    if unknown:
        raise InputError(
            f"the throughput table {table.name!r} has no {kind} {unknown[0]!r}",
            {f"workload.synthetic.{place}.works": f"some of: {', '.join(legal)}"},
        )
    found = []
    for work, weight in wanted:
        memory = table.memory.get(work, 0)
        rates = [
            (table.rate(work, pool.model) or 0.0) if pool.memory_fits(1, memory) else 0.0
            for pool in pools
        ]
        fastest = max(rates, default=0.0)
        if fastest > 0:
            speeds = tuple(rate / fastest for rate in rates)
            found.append((work, weight, speeds))
    if not found:
        raise InputError(
            f"no pool can run any {kind} of the throughput table {table.name!r}",
            {f"workload.synthetic.{place}.works": "with a rate on a pool's device, in its memory"},
        )
    total = sum(weight for _, weight, _ in found)
    training = kind is JobKind.CNN_TRAIN
    return [
        RunnableWork(work, phase, training, share * weight / total, speeds)
        for work, weight, speeds in found
    ]
