"""Scenarios drawn at random: pools, counts, prices, loads, mixes.

A policy that is trained on many clusters cannot memorise one of them (domain randomisation: Tobin
et al., "Domain Randomization for Transferring Deep Neural Networks from Simulation to the Real
World", IROS 2017).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
from annotated_types import Ge, Len, Lt

from envs.scenarios.supply import Billing, Supply
from envs.workloads.arrivals import Arrivals, Process
from envs.workloads.streams import Seed, streams
from envs.workloads.synthetic import Counts, Phase, Range, Share, Sweeps, Synthetic
from scheduler.domain.pools import Pool
from scheduler.domain.resources import DeviceKind
from scheduler.hardware.figures import figures_for


@dataclass(frozen=True, slots=True)
class Device:
    """A kind of node that a drawn pool may have."""

    kind: DeviceKind
    model: str
    devices: Counts
    """Range of devices per node; a power of two is drawn."""
    nodes: Counts = (1, 4)
    memory_gib: Annotated[float, Ge(0)] = 0.0
    """Per device; 0: not limited."""


@dataclass(frozen=True, slots=True)
class Randomisation:
    """Ranges from which a scenario is drawn; quantities are log-uniform."""

    devices: Annotated[tuple[Device, ...], Len(1)]
    pools: Counts = (1, 4)
    """Of different device models."""
    price_factor: Range = (0.5, 2.0)
    """Of the models' list prices, each pool by itself."""
    rate_factor: Range = (0.7, 1.4)
    """Of the models' rates."""
    elastic_share: Share = 0.3
    """Of the pools."""
    boot_s: Range = (30.0, 300.0)
    idle_timeout_s: Range = (60.0, 900.0)
    spot_share: Share = 0.15
    """Of the elastic pools."""
    spot_price: Range = (0.25, 0.5)
    """Of the pool's price."""
    revocations_per_hour: Range = (0.02, 0.5)
    load: Range = (0.3, 1.3)
    training_s: Range = (60.0, 7200.0)
    """Median size of trainings."""
    inference_s: Range = (5.0, 300.0)
    """Median size of inferences."""
    sigma: Range = (0.5, 1.6)
    """Log-normal spread of sizes."""
    deadline_share: Share = 0.5
    """Most jobs with a deadline in a workload; uniform from 0."""
    widest: Annotated[int, Ge(1)] = 4
    """Most GPUs of a training."""
    rigid_share: Share = 0.0
    """Most trainings of a workload that cannot run on fewer; uniform from 0."""
    tail_share: Share = 0.0
    """Most jobs of a phase with a heavy-tailed size; uniform from 0."""
    sweep_share: Annotated[float, Ge(0), Lt(1)] = 0.0
    """Most jobs of a workload that belong to sweeps; uniform from 0."""
    sigma_estimates: Share = 0.8
    """Most noise of the estimates; uniform from 0."""


def concrete(ranges: Randomisation, seed: Seed) -> tuple[tuple[Supply, ...], Synthetic, float]:
    """Pools, jobs, and the noise of the estimates."""
    for_pools, for_jobs, for_shapes = streams(seed, 3)
    jobs, sigma = _jobs(ranges, for_jobs)
    return _supplies(ranges, for_pools), _shaped(ranges, jobs, for_shapes), sigma


def _supplies(ranges: Randomisation, rng: np.random.Generator) -> tuple[Supply, ...]:
    low, high = ranges.pools
    count = min(int(rng.integers(low, high + 1)), len(ranges.devices))
    chosen = rng.choice(len(ranges.devices), count, replace=False)
    return tuple(_supply(ranges, ranges.devices[index], rng) for index in chosen.tolist())


def _supply(ranges: Randomisation, device: Device, rng: np.random.Generator) -> Supply:
    figures = figures_for(device.kind, device.model)
    # A fixed number of draws each, whether used or not: no pool's figures depend on another's.
    price, rate = _log(ranges.price_factor, rng), _log(ranges.rate_factor, rng)
    boot, idle = _log(ranges.boot_s, rng), _log(ranges.idle_timeout_s, rng)
    cheaper, revoked = _log(ranges.spot_price, rng), _log(ranges.revocations_per_hour, rng)
    nodes = int(rng.integers(device.nodes[0], device.nodes[1] + 1))
    bits = [math.floor(math.log2(count)) for count in device.devices]
    per_node = max(device.devices[0], 1 << int(rng.integers(bits[0], bits[1] + 1)))
    is_elastic, is_spot = rng.random() < ranges.elastic_share, rng.random() < ranges.spot_share
    least = int(rng.integers(0, nodes))
    pool = Pool(
        name=_name(device.model),
        kind=device.kind,
        model=device.model,
        devices_per_node=per_node,
        nodes=nodes,
        memory_per_node=int(device.memory_gib * per_node * (1 << 30)),
        dollars_per_device_hour=figures.dollars_per_hour * price,
        watts_per_device=figures.watts,
        flops_per_device=figures.flops * rate,
    )
    origin = f"{figures.source}; price × {price:.2f}, rate × {rate:.2f}"
    watts = Supply.idling(pool)
    if not is_elastic:
        return Supply(pool, nodes, origin=origin, idle_watts_per_device=watts)
    if not is_spot:
        elastic = replace(pool, boot_s=boot)
        return Supply(elastic, least, idle, 0.0, Billing.UP, origin, watts)
    dollars = pool.dollars_per_device_hour * cheaper
    spot = replace(pool, boot_s=boot, dollars_per_device_hour=dollars)
    return Supply(spot, 0, idle, revoked, Billing.UP, f"{origin}, spot × {cheaper:.2f}", watts)


def _jobs(ranges: Randomisation, rng: np.random.Generator) -> tuple[Synthetic, float]:
    load = _log(ranges.load, rng)
    share = float(rng.random())
    training = _phase(ranges, ranges.training_s, rng)
    inference = _phase(ranges, ranges.inference_s, rng)
    process = list(Process)[int(rng.integers(len(Process)))]
    wide = float(rng.random())
    widths = [
        (1 << bit, 0.01 + wide / (1 << bit - 1)) for bit in range(1, ranges.widest.bit_length())
    ]
    jobs = Synthetic(
        load=(load, load),
        training_share=share,
        training=replace(training, widths=((1, 1.0), *widths)),
        inference=inference,
        arrivals=Arrivals(process),
    )
    return jobs, float(rng.random() * ranges.sigma_estimates)


def _shaped(ranges: Randomisation, jobs: Synthetic, rng: np.random.Generator) -> Synthetic:
    """The jobs with widths that are fixed, heavy tails and sweeps."""
    rigid, sweep = rng.random(2) * (ranges.rigid_share, ranges.sweep_share)
    training, inference = (
        replace(phase, tail_share=float(share), tail_shape=_log((0.8, 1.5), rng), tail_from=tail)
        for phase, share, tail in (
            (jobs.training, rng.random() * ranges.tail_share, _log((5.0, 30.0), rng)),
            (jobs.inference, rng.random() * ranges.tail_share, _log((5.0, 30.0), rng)),
        )
    )
    return replace(
        jobs,
        training=replace(training, rigid_share=float(rigid)),
        inference=inference,
        sweeps=Sweeps(share=float(sweep), jobs=(4, 32), pause_s=_log((2.0, 30.0), rng)),
    )


def _phase(ranges: Randomisation, median: Range, rng: np.random.Generator) -> Phase:
    middle, sigma = _log(median, rng), _log(ranges.sigma, rng)
    deadlines = float(rng.random() * ranges.deadline_share)
    return Phase(
        median_s=middle,
        sigma=sigma,
        deadline_share=deadlines,
        slack=(1.5, 1.5 + 8 * float(rng.random())),
        grace_s=60.0,
        priorities=((20.0, 0.2), (50.0, 0.6), (80.0, 0.2)),
    )


def _log(bounds: Range, rng: np.random.Generator) -> float:
    return float(np.exp(rng.uniform(*np.log(bounds))))


def _name(model: str) -> str:
    words = [word for word in model.casefold().split() if word not in ("nvidia", "tesla")]
    return "-".join(words)
