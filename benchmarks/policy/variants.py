"""Scenarios beside `mixed-cloud`: other loads, sizes, prices, pools and jobs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from envs.scenarios import Scenario, Supply
from envs.workloads.synthetic import Synthetic
from scheduler.domain.pools import Pool
from scheduler.domain.resources import DeviceKind
from scheduler.hardware.figures import figures_for

PRICES = {"k80": 0.5, "p100": 1.6, "v100": 0.6, "cpu": 2.5}
"""Factors: the middling GPU becomes the dearest for what it does, and the old one a bargain."""
FIFTH = "NVIDIA A10"


def variants(base: Scenario) -> dict[str, Scenario]:
    """Name → scenario; the first is the base itself."""
    return {name: replace(make(base), name=f"{base.name} {name}") for name, make in _MAKE.items()}


def _load(load: float) -> Callable[[Scenario], Scenario]:
    return lambda base: _jobs(base, lambda jobs: replace(jobs, load=(load, load)))


def _size(factor: float) -> Callable[[Scenario], Scenario]:
    def make(base: Scenario) -> Scenario:
        return replace(base, supplies=tuple(_scaled(supply, factor) for supply in base.supplies))

    return make


def _prices(base: Scenario) -> Scenario:
    supplies = []
    for supply in base.supplies:
        pool = supply.pool
        price = pool.dollars_per_device_hour * PRICES[pool.name]
        supplies.append(replace(supply, pool=replace(pool, dollars_per_device_hour=price)))
    return replace(base, supplies=tuple(supplies))


def _three(base: Scenario) -> Scenario:
    return replace(
        base, supplies=tuple(supply for supply in base.supplies if supply.pool.name != "p100")
    )


def _five(base: Scenario) -> Scenario:
    figures = figures_for(DeviceKind.CUDA, FIFTH)
    pool = Pool(
        name="a10",
        kind=DeviceKind.CUDA,
        model=FIFTH,
        devices_per_node=4,
        memory_per_node=96 * 2**30,
        dollars_per_device_hour=figures.dollars_per_hour,
        watts_per_device=figures.watts,
        flops_per_device=figures.flops,
    )
    return replace(base, supplies=(*base.supplies, Supply(pool, 1, origin=figures.source)))


def _mix(base: Scenario) -> Scenario:
    """Four of five jobs are trainings, of half the length; inferences are four times as long."""

    def change(jobs: Synthetic) -> Synthetic:
        return replace(
            jobs,
            training_share=0.8,
            training=replace(jobs.training, median_s=jobs.training.median_s / 2),
            inference=replace(jobs.inference, median_s=jobs.inference.median_s * 4),
        )

    return _jobs(base, change)


_MAKE: Mapping[str, Callable[[Scenario], Scenario]] = {
    "as it is": lambda base: base,
    "load 0.5": _load(0.5),
    "load 1.4": _load(1.4),
    "half the size": _size(0.5),
    "2.5 × the size": _size(2.5),
    "other prices": _prices,
    "three pools": _three,
    "five pools": _five,
    "another job mix": _mix,
}


def _jobs(base: Scenario, change: Callable[[Synthetic], Synthetic]) -> Scenario:
    assert base.source.synthetic is not None
    return replace(base, source=replace(base.source, synthetic=change(base.source.synthetic)))


def _scaled(supply: Supply, factor: float) -> Supply:
    """Nodes where there are several, devices of a node else."""
    pool = supply.pool
    if pool.nodes > 1:
        scaled = replace(pool, nodes=round(pool.nodes * factor))
    else:
        scaled = replace(
            pool,
            devices_per_node=round(pool.devices_per_node * factor),
            memory_per_node=round(pool.memory_per_node * factor),
        )
    least = supply.min_nodes if supply.elastic else scaled.nodes
    return replace(supply, pool=scaled, min_nodes=min(least, scaled.nodes))
