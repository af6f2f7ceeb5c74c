"""Rewards of a step: pure functions, each with its unit, that sum up to metrics of the episode.

A function reads one `Step`: what accrued between two decisions, what was placed, and at the end the
outcome. Rewards may depend on true runtimes; observations never do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, TypeVar

import numpy as np

from envs.simulator.meter import Reading
from envs.simulator.results import BOUND_S, SimulationResult
from scheduler.arrays import Floats
from scheduler.domain.errors import InputError
from scheduler.domain.jobs import MIDDLE_PRIORITY

_Value = TypeVar("_Value", float, Floats)


def weighed(
    latency: _Value,
    cost: _Value,
    w: _Value | float,
    latency_scale: float = 1.0,
    cost_scale: float = 1.0,
) -> _Value:
    """What every objective weighs, less is better: w · latency / scale + (1 - w) · cost / scale.

    Numbers, or arrays of one shape. A scale of 1 is for figures that are scaled already.
    """
    return w * latency / latency_scale + (1 - w) * cost / cost_scale


@dataclass(frozen=True, slots=True)
class Scales:
    """The units of latency, cost and missed deadlines in an objective."""

    latency_s: float = 1.0
    """Seconds in the system that count as 1."""
    slowdown: float = 1.0
    dollars: float = 1.0
    miss: float = 0.0
    """What a job that ended after its deadline adds to an objective; no unit."""
    bounded: bool = False
    """Whether the latency of an objective is the slowdown instead of the time in the system."""

    def latency(self, outcome: SimulationResult) -> float:
        """Latency of a whole workload in the objective: a sum over jobs, scaled."""
        if self.bounded:
            return float(outcome.bounded_slowdown.sum()) / self.slowdown
        return float(outcome.jct @ outcome.priority) / MIDDLE_PRIORITY / self.latency_s

    def cost(self, outcome: SimulationResult) -> float:
        """Dollars of a whole workload, idle devices included, scaled."""
        return (float(outcome.dollars.sum()) + outcome.idle_dollars) / self.dollars

    def missed(self, outcome: SimulationResult) -> float:
        """What missed deadlines of a whole workload add to the objective, at every preference."""
        return self.miss * float((outcome.ended > outcome.deadline).sum())

    def value(self, outcome: SimulationResult, w: float) -> float:
        """The objective of a whole workload: a sum over jobs, less is better."""
        return weighed(self.latency(outcome), self.cost(outcome), w) + self.missed(outcome)


@dataclass(frozen=True, slots=True)
class Commitment:
    """A placement as it looked when it was chosen."""

    wait_s: float
    delay_s: float
    """Boot time."""
    runtime_s: float
    """An estimate, like all figures here."""
    ideal_s: float
    dollars: float


class Step(NamedTuple):
    """One step of an episode, from a decision to the next or to the end.

    The first step begins with the episode and includes what accrued before the first decision.
    """

    interval: Reading
    """What really accrued."""
    committed: tuple[Commitment, ...] = ()
    """Placements of this step."""
    outcome: SimulationResult | None = None
    """The result of the whole episode, in its last step."""
    preference: float = 0.5
    """w: 0 cheapest … 1 fastest."""
    scales: Scales = Scales()


class When(StrEnum):
    """When a reward is paid."""

    INTERVAL = "interval"
    """As it accrues."""
    COMMIT = "commit"
    """When a placement is chosen, by estimate."""
    END = "end"
    """All of it in the last step."""


@dataclass(frozen=True, slots=True)
class Reward:
    """A named reward of a step; more is better."""

    name: str
    of: Callable[[Step], float]
    unit: str
    total: str
    """The meaning of its sum over an episode."""
    when: When = When.INTERVAL


def latency(step: Step) -> float:
    """Time in the system accrued by all jobs (job-seconds); sums to Σ job completion time."""
    return step.interval.job_seconds


def slowdown(step: Step) -> float:
    """Slowdown accrued by all jobs, dt ÷ max(ideal runtime, 10 s) each; no unit."""
    return step.interval.slowdown


def cost(step: Step) -> float:
    """Dollars accrued by attempts, and by devices that are billed while idle."""
    return step.interval.dollars


def energy(step: Step) -> float:
    """Joules accrued by attempts."""
    return step.interval.joules


def misses(step: Step) -> float:
    """Jobs that ended after their deadline."""
    return float(step.interval.misses)


def committed_slowdown(step: Step) -> float:
    """(wait + boot + runtime) ÷ max(ideal, 10 s) of what was placed, by estimate; no unit.

    Sums to the same as `slowdown` where estimates are exact and nothing fails.
    """
    return sum(
        (job.wait_s + job.delay_s + job.runtime_s) / max(job.ideal_s, BOUND_S)
        for job in step.committed
    )


def committed_cost(step: Step) -> float:
    """Dollars of what was placed, by estimate.

    Sums to the same as `cost` where estimates are exact, nothing fails and idling is free.
    """
    return sum(job.dollars for job in step.committed)


def mean_bounded_slowdown(step: Step) -> float:
    """Mean over jobs of max(1, time in the system ÷ max(runtime, 10 s)), in the last step."""
    return _mean(step, "bounded_slowdown")


def mean_jct(step: Step) -> float:
    """Mean job completion time (s), in the last step."""
    return _mean(step, "jct")


def objective(step: Step) -> float:
    """-[w · latency / scale + (1 - w) · dollars / scale] - miss · missed deadlines; no unit.

    The latency is the time in the system weighed by priority, or the slowdown if `bounded`.
    """
    w, scales, interval = step.preference, step.scales, step.interval
    late = (
        interval.slowdown / scales.slowdown
        if scales.bounded
        else interval.weighed_seconds / scales.latency_s
    )
    return -weighed(late, cost(step), w, cost_scale=scales.dollars) - scales.miss * misses(step)


def latency_cost(step: Step) -> float:
    """-[w · slowdown / scale + (1 - w) · dollars / scale] - penalty · misses; no unit."""
    return _latency_cost(step, slowdown(step), cost(step))


def committed_latency_cost(step: Step) -> float:
    """`latency_cost` of what was placed, by estimate; deadlines count when they are missed."""
    return _latency_cost(step, committed_slowdown(step), committed_cost(step))


def _latency_cost(step: Step, slowed: float, dollars: float) -> float:
    scales = step.scales
    balance = weighed(slowed, dollars, step.preference, scales.slowdown, scales.dollars)
    return -balance - scales.miss * misses(step)


REWARDS: Mapping[str, Reward] = {
    reward.name: reward
    for reward in (
        Reward(
            "objective",
            objective,
            "",
            "-jobs · [w · mean latency / scale + (1 - w) · mean dollars / scale] - misses",
        ),
        Reward(
            "latency-cost",
            latency_cost,
            "",
            "-[w · Σ slowdown / scale + (1 - w) · Σ dollars / scale] - misses",
        ),
        Reward(
            "latency-cost-commit",
            committed_latency_cost,
            "",
            "the same by estimate, paid when a job is placed",
            When.COMMIT,
        ),
        Reward("latency", lambda step: -latency(step), "s", "-Σ completion times"),
        Reward("slowdown", lambda step: -slowdown(step), "", "-Σ slowdowns"),
        Reward(
            "slowdown-commit",
            lambda step: -committed_slowdown(step),
            "",
            "-Σ slowdowns by estimate",
            When.COMMIT,
        ),
        Reward("cost", lambda step: -cost(step), "$", "-Σ dollars"),
        Reward("energy", lambda step: -energy(step), "J", "-Σ joules"),
        Reward("misses", lambda step: -misses(step), "jobs", "-missed deadlines"),
        Reward(
            "bounded-slowdown",
            lambda step: -mean_bounded_slowdown(step),
            "",
            "-mean bounded slowdown",
            When.END,
        ),
        Reward("completion", lambda step: -mean_jct(step), "s", "-mean completion time", When.END),
    )
}


def named(name: str) -> Reward:
    """A reward by name; raises `InputError` naming the legal ones."""
    try:
        return REWARDS[name]
    except KeyError:
        legal = ", ".join(REWARDS)
        raise InputError(f"no reward {name!r}", {"reward": f"one of {legal}"}) from None


def _mean(step: Step, measure: str) -> float:
    if step.outcome is None or not len(step.outcome.job):
        return 0.0
    return float(np.mean(getattr(step.outcome, measure)))
