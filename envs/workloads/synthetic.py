"""Synthetic workloads of CNN trainings and inferences for given pools.

A job's size is the time it takes alone on one of the fastest devices for its work; its runtimes
elsewhere follow from a table of throughputs. The span of the workload follows from the load:

    ρ = Σ_jobs best runtime ÷ (span · Σ_pools devices · s),

where the best runtime is that on one device of the fastest model for the work, and s, the pool's
speed, is its rate over the fastest one's, averaged over the works by their share of the offered
time (0 where a work cannot run). So 1 is the load at which the cluster, were all jobs narrow and
nothing ever idle, could just keep up. Elastic pools count with all their nodes. The load of the
drawn jobs is exactly ρ, not only on average.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, NamedTuple

import numpy as np
from annotated_types import Ge, Gt, Le, Len, Predicate

from envs.workloads.arrivals import Arrivals, times
from envs.workloads.base import Arrival, Workload, WorkloadRun
from envs.workloads.people import People, activity
from envs.workloads.streams import Seed, streams, written
from envs.workloads.throughputs import Throughputs, computed
from scheduler.arrays import Floats, Ints
from scheduler.domain.errors import InputError
from scheduler.domain.jobs import JobKind
from scheduler.domain.pools import Pool
from scheduler.domain.resources import DeviceKind


def ascending(bounds: tuple[float, float]) -> bool:
    """Whether a range's bounds are in order."""
    return bounds[0] <= bounds[1]


Share = Annotated[float, Ge(0), Le(1)]
Positive = Annotated[float, Gt(0)]
Range = Annotated[tuple[Positive, Positive], Predicate(ascending)]
Weight = Annotated[float, Gt(0)]


@dataclass(frozen=True, slots=True)
class Phase:
    """Jobs of one kind: trainings, or inferences."""

    median_s: Annotated[float, Gt(0)] = 1800.0
    """Size: median of a log-normal (s on one of the fastest devices)."""
    sigma: Annotated[float, Ge(0), Le(5)] = 1.2
    """Its standard deviation in logarithm."""
    shortest_s: Annotated[float, Gt(0)] = 1.0
    """Sizes are cut off here …"""
    longest_s: Annotated[float, Gt(0)] = 172_800.0
    """… and here."""
    widths: Annotated[tuple[tuple[Annotated[int, Ge(1)], Weight], ...], Len(1)] = ((1, 1.0),)
    """(most GPUs, weight): a job may run on 1, 2, 4 … up to so many."""
    works: tuple[tuple[str, Weight], ...] = ()
    """(work, weight) of the table; none: all of the kind alike."""
    deadline_share: Share = 0.0
    """Of the jobs, those with a deadline."""
    slack: Range = (2.0, 6.0)
    """A deadline is this many (uniform) ideal runtimes after the submission …"""
    grace_s: Annotated[float, Ge(0)] = 0.0
    """… and so many seconds more."""
    priorities: Annotated[tuple[tuple[Annotated[float, Ge(0), Le(100)], Weight], ...], Len(1)] = (
        (50.0, 1.0),
    )
    """(priority, weight)."""


@dataclass(frozen=True, slots=True)
class Synthetic:
    """What to draw."""

    load: Range = (0.8, 0.8)
    """Range from which each workload's load ρ is drawn (uniform)."""
    training_share: Share = 0.5
    """Of the jobs, not of the time."""
    training: Phase = field(default_factory=Phase)
    inference: Phase = field(default_factory=lambda: Phase(median_s=60.0, sigma=1.0))
    arrivals: Arrivals = field(default_factory=Arrivals)
    people: People = field(default_factory=People)
    startup_s: Annotated[float, Ge(0)] = 2.0
    """Part of every runtime, on every device."""
    cpu_width: Annotated[int, Ge(1)] = 8
    """Most CPU devices of one job, in powers of two, within one node."""
    overestimate: Annotated[float, Ge(1)] = 3.0
    """Users ask for runtime ÷ U(1/this, 1): the accuracy of requests is about uniform
    (Mu'alem and Feitelson, "Utilization, predictability, workloads, and user runtime estimates in
    scheduling the IBM SP2 with backfilling", TPDS 12(6), 2001)."""


def draw(
    parameters: Synthetic,
    pools: Sequence[Pool],
    jobs: int,
    seed: Seed,
    throughputs: Throughputs | None = None,
) -> Workload:
    """`jobs` jobs for these pools; equal arguments give equal workloads.

    Rates are those of `throughputs`; where it is None, or knows no work of a kind, they are
    computed for the pools. A job's first run is on one of the fastest devices for its work. Raises
    `InputError` if no pool can run any of the wanted works.
    """
    if jobs < 0:
        raise InputError(f"{jobs} jobs", {"jobs": "a whole number ≥ 0"})
    own = computed(pools)
    table = own if throughputs is None else throughputs.completed(own)
    rng = _Streams(*streams(seed, len(_Streams._fields)))
    mix = _mix(parameters, table, pools)
    users = activity(parameters.people, jobs, rng.people)
    wanted = _wanted(parameters, mix, jobs, rng)
    # A repeated job is the user's last one, a little longer or shorter.
    again = users.repeats
    choice, width = wanted.choice[again.origin], wanted.width[again.origin]
    size = _sizes(mix, choice, wanted.normal[again.origin], again.factor)
    load = float(rng.load.uniform(*parameters.load))
    best = size + parameters.startup_s
    span = float(best.sum()) / (load * _capacity(mix, choice, best, pools)) if jobs else 0.0
    submitted = times(parameters.arrivals, jobs, span, rng.arrivals)
    deadlines = rng.deadlines.random((2, jobs))
    requests = rng.requests.uniform(1 / parameters.overestimate, 1.0, jobs)
    priority = _priorities(mix, choice, rng.priorities.random(jobs))
    arrivals: list[Arrival] = []
    ways_of: dict[tuple[int, int], tuple[_Way, ...]] = {}
    rows = zip(choice.tolist(), width.tolist(), size.tolist(), submitted.tolist(), strict=True)
    for index, (which, widest, seconds, time) in enumerate(rows):
        work = mix[which]
        ways = ways_of.get((which, widest))
        if ways is None:
            ways = _ways(parameters, work, table, pools, widest)
            ways_of[which, widest] = ways
        runs = tuple(
            WorkloadRun(device, devices, parameters.startup_s + seconds * factor)
            for device, devices, factor in ways
        )
        phase = work.phase
        deadline = None
        if deadlines[0, index] < phase.deadline_share:
            slack = phase.slack[0] + deadlines[1, index] * (phase.slack[1] - phase.slack[0])
            deadline = time + slack * min(run.runtime_s for run in runs) + phase.grace_s
        user = users.user[index]
        arrivals.append(
            Arrival(
                id=index + 1,
                submitted_at=time,
                runs=runs,
                requested_s=runs[0].runtime_s / float(requests[index]),
                memory_bytes=table.memory.get(work.name, 0),
                kind=work.name,
                user=f"user {user}",
                project=f"project {user % parameters.people.projects}",
                priority=priority[index],
                deadline=deadline,
            )
        )
    source = f"synthetic, load {load:.4f}, throughputs {table.name}, seed {written(seed)}"
    return Workload("synthetic", tuple(arrivals), source)


class _Streams(NamedTuple):
    """One generator per purpose; order is part of what a seed means."""

    phase: np.random.Generator
    work: np.random.Generator
    size: np.random.Generator
    width: np.random.Generator
    people: np.random.Generator
    load: np.random.Generator
    arrivals: np.random.Generator
    deadlines: np.random.Generator
    priorities: np.random.Generator
    requests: np.random.Generator


class _Work(NamedTuple):
    name: str
    phase: Phase
    training: bool
    weight: float
    speeds: tuple[float, ...]
    """By pool: rate of one device over that of the fastest; 0: it cannot run there."""


class _Way(NamedTuple):
    device: str
    width: int
    factor: float
    """Runtime over size."""


class _Wanted(NamedTuple):
    choice: Ints
    width: Ints
    normal: Floats


def _mix(parameters: Synthetic, table: Throughputs, pools: Sequence[Pool]) -> list[_Work]:
    """All works that may be drawn and can run, with their probabilities."""
    kinds = (
        (JobKind.CNN_TRAIN, parameters.training, parameters.training_share),
        (JobKind.CNN_INFER, parameters.inference, 1 - parameters.training_share),
    )
    mix: list[_Work] = []
    for kind, phase, share in kinds:
        legal = table.works(kind)
        wanted = phase.works or tuple((work, 1.0) for work in legal)
        if share > 0:
            mix += _runnable(kind, phase, share, wanted, table, pools)
    return mix


def _runnable(
    kind: JobKind,
    phase: Phase,
    share: float,
    wanted: Sequence[tuple[str, float]],
    table: Throughputs,
    pools: Sequence[Pool],
) -> list[_Work]:
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
        _Work(work, phase, training, share * weight / total, speeds)
        for work, weight, speeds in found
    ]


def _wanted(parameters: Synthetic, mix: list[_Work], jobs: int, rng: _Streams) -> _Wanted:
    """Work, most devices and log-size of each job, as if none were repeated."""
    training = rng.phase.random(jobs) < parameters.training_share
    place = rng.work.random(jobs)
    choice = np.zeros(jobs, dtype=np.int64)
    width = np.ones(jobs, dtype=np.int64)
    for_width = rng.width.random(jobs)
    for phase, here in ((True, training), (False, ~training)):
        indices = [index for index, work in enumerate(mix) if work.training is phase]
        if not indices or not here.any():
            continue
        weights = np.array([mix[index].weight for index in indices])
        choice[here] = np.array(indices)[_drawn(weights, place[here])]
        widths = mix[indices[0]].phase.widths
        drawn = _drawn(np.array([weight for _, weight in widths]), for_width[here])
        width[here] = np.array([value for value, _ in widths])[drawn]
    return _Wanted(choice, width, rng.size.standard_normal(jobs))


def _drawn(weights: Floats, uniform: Floats) -> Ints:
    edges = np.cumsum(weights) / weights.sum()
    found: Ints = np.minimum(np.searchsorted(edges, uniform, side="right"), len(weights) - 1)
    return found


def _sizes(mix: list[_Work], choice: Ints, normal: Floats, factor: Floats) -> Floats:
    phases = [work.phase for work in mix]
    median, sigma, least, most = (
        np.array([getattr(phase, name) for phase in phases])[choice]
        for name in ("median_s", "sigma", "shortest_s", "longest_s")
    )
    result: Floats = np.clip(median * np.exp(sigma * normal) * factor, least, most)
    return result


def _priorities(mix: list[_Work], choice: Ints, uniform: Floats) -> list[float]:
    result = np.zeros(len(choice))
    for index, work in enumerate(mix):
        here = choice == index
        values, weights = (np.array(column) for column in zip(*work.phase.priorities, strict=True))
        result[here] = values[_drawn(weights, uniform[here])]
    priorities: list[float] = result.tolist()
    return priorities


def _capacity(mix: list[_Work], choice: Ints, best: Floats, pools: Sequence[Pool]) -> float:
    """Σ devices · speed, works weighted by their offered time; in fastest devices."""
    offered = np.bincount(choice, weights=best, minlength=len(mix))
    speeds = np.array([work.speeds for work in mix])
    counts = np.array([pool.count for pool in pools])
    return float(offered @ speeds @ counts / offered.sum())


def _ways(
    parameters: Synthetic, work: _Work, table: Throughputs, pools: Sequence[Pool], widest: int
) -> tuple[_Way, ...]:
    """Every device model and width, the fastest single device first."""
    fastest = max(table.rate(work.name, pools[index].model) or 0.0 for index in _able(work))
    found: dict[tuple[str, int], _Way] = {}
    for index in sorted(_able(work), key=lambda index: -work.speeds[index]):
        pool = pools[index]
        most = min(widest, pool.count)
        if pool.kind is DeviceKind.CPU:
            most = min(parameters.cpu_width, pool.devices_per_node)
        for width in (1 << bit for bit in range(most.bit_length())):
            rate = table.rate(work.name, pool.model, width)
            key = (pool.model.casefold(), width)
            if rate and key not in found:
                found[key] = _Way(pool.model, width, fastest / rate)
    return tuple(found.values())


def _able(work: _Work) -> list[int]:
    return [index for index, speed in enumerate(work.speeds) if speed > 0]
