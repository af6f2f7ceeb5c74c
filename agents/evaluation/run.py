"""One run: a policy on one workload of a scenario, simulated and measured."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np

import agents.registry.resolve  # noqa: F401 - so that policies are found
from agents.evaluation.by_class import Breakdown, classify
from agents.evaluation.invariants import RunLog, check, logged
from agents.evaluation.metrics import STARVED_S, MetricView, dollars_per_job, metrics_of
from envs.baselines import catalogue
from envs.baselines.catalogue import Driver
from envs.clock import CompiledSimulation, reason_against
from envs.gym.episodes import scales_of
from envs.scenarios import Objective, Scenario, Split
from envs.simulator.cluster_spec import ClusterSpec
from envs.simulator.results import SimulationResult
from envs.simulator.simulation import Simulation
from envs.workloads.base import Workload
from envs.workloads.runtime_estimates import RuntimeEstimator
from scheduler.arrays import Floats, Ints
from scheduler.decisions.rounds.policy import Policy
from scheduler.decisions.search.settings import PlayoutObjective
from scheduler.domain.errors import InputError
from scheduler.domain.pools import Pool
from scheduler.policies.search import SearchedPolicy

QUANTILES = np.linspace(0.0, 1.0, 201)
"""Quantiles at which the distributions of a run are kept."""


class ClockChoice(StrEnum):
    """What moves time in simulations."""

    AUTO = "auto"
    """The compiled clock where it can play the run, else SimPy: both give the same results."""
    COMPILED = "compiled"
    SIMPY = "simpy"


@dataclass(frozen=True, slots=True, order=True)
class RunKey:
    """Identifies a run of a comparison; equal keys give equal results in every process."""

    scenario: str
    policy: str
    seed: int
    preference: float | None = None
    """Preference of jobs that name none; None: the scenario's."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """Settings that all runs of a comparison share."""

    jobs: int | None = None
    """Counted jobs of each workload; None: as many as the scenario says."""
    split: Split = Split.TEST
    starved_s: float = STARVED_S
    timeline: int | None = None
    """Seed whose timelines are kept; None: none are."""
    clock: ClockChoice = ClockChoice.AUTO


@dataclass(frozen=True, slots=True)
class Timeline:
    """Placements and the length of the queue over time: columns, times in seconds."""

    pools: tuple[tuple[str, int, int], ...]
    """(name, nodes, devices per node)."""
    log: RunLog
    slowdown: Floats
    """(rows of the log,) bounded slowdown of each row's job; nan: it does not count."""
    times: Floats
    waiting: Ints
    """Number of jobs in the queue from each of `times` on."""
    counted: tuple[float, float]
    """(start, end) of the time that counts."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """The result of a run, or its error."""

    key: RunKey
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Name → value, see `agents.evaluation.metrics`; empty if it failed."""
    classes: Breakdown = field(default_factory=dict)
    """Figures by class of jobs, see `agents.evaluation.by_class`."""
    rows: tuple[int, int] | None = None
    """(first, beyond) rows of the trace that the workload is from; None: drawn from a model."""
    point: tuple[float, float] = (np.nan, np.nan)
    """(mean JCT, dollars per job) ÷ the objective's reference point; nan without one."""
    jct: tuple[float, ...] = ()
    """Job completion times (s) at `QUANTILES`."""
    bounded_slowdown: tuple[float, ...] = ()
    """Bounded slowdowns at `QUANTILES`."""
    error: str = ""
    """Why it failed; empty if it did not."""
    clock: str = ""
    """What moved time: `compiled` or `simpy`; empty if it failed."""
    seconds: float = 0.0
    """Real time that it took, which may differ between equal runs."""
    timeline: Timeline | None = field(default=None, compare=False, repr=False)


def run(scenario: Scenario, key: RunKey, conditions: Conditions) -> RunResult:
    """Simulate, check and measure a run. Raises what the policy or the simulation raises."""
    begun = time.perf_counter()
    drawn = catalogue.adapted(scenario.draw(key.seed, conditions.split), key.policy)
    if key.preference is not None:
        drawn = replace(drawn, preference=key.preference)
    workload = scenario.workload(key.seed, conditions.jobs, conditions.split)
    policy = catalogue.served(key.policy)
    simulation = simulation_of(
        drawn, workload, key.seed, policy, clock=conditions.clock, record=True
    )
    if policy is None:
        assert isinstance(simulation, Simulation), "only SimPy runs policies of the simulator"
        outcome = catalogue.run(simulation, key.policy)
    else:
        outcome = simulation.run(counting(policy, drawn))
    log = logged([*(simulation.held or ()), *simulation.holding()])
    counted = workload.counted_slice
    ids = [job.id for job in workload.jobs]
    check(outcome, log, drawn.pools, ids[counted], ids[: counted.start] + ids[counted.stop :])
    view = MetricView(outcome, drawn.preference, drawn.objective, conditions.starved_s)
    kept = key.seed == conditions.timeline
    return RunResult(
        key,
        metrics=metrics_of(view),
        classes=classify(view),
        rows=workload.rows,
        point=_point(outcome, drawn.objective),
        jct=_quantiles(outcome.jct),
        bounded_slowdown=_quantiles(outcome.bounded_slowdown),
        clock=str(
            ClockChoice.SIMPY if isinstance(simulation, Simulation) else ClockChoice.COMPILED
        ),
        seconds=time.perf_counter() - begun,
        timeline=_timeline(outcome, log, drawn.pools) if kept else None,
    )


def check_clock(scenario: Scenario, name: str, seed: int, conditions: Conditions) -> None:
    """Raise `InputError` if the compiled clock is asked for a policy that it cannot play here.

    What depends on the jobs of a workload is seen when that is simulated.
    """
    if conditions.clock is not ClockChoice.COMPILED:
        return
    drawn = catalogue.adapted(scenario.draw(seed, conditions.split), name)
    nothing, estimates = Workload(scenario.name, ()), drawn.estimates.make(seed)
    reason = _reason_against(nothing, ClusterSpec.of(drawn), estimates, catalogue.served(name))
    if reason:
        raise InputError(
            f"the compiled clock cannot play {name} on {scenario.name}: {reason}",
            {"clock": f"auto or simpy with {name}"},
        )


def simulation_of(
    drawn: Scenario,
    workload: Workload,
    seed: int,
    policy: Policy | None,
    *,
    clock: ClockChoice = ClockChoice.AUTO,
    record: bool = False,
) -> Simulation | CompiledSimulation:
    """The simulation of a workload in a scenario that has nothing left to draw.

    `policy`: the one that will run; None for one that only the simulator can run. Failures of
    attempts and nodes depend on the seed alone, so all policies meet the same ones. Raises
    `InputError` if the compiled clock is asked for what it cannot play.
    """
    spec, estimates = ClusterSpec.of(drawn), drawn.estimates.make(seed)
    reason = _reason_against(workload, spec, estimates, policy)
    if clock is ClockChoice.SIMPY or (reason and clock is ClockChoice.AUTO):
        return Simulation(workload, spec, estimates, seed=seed, record=record)
    if reason:
        raise InputError(
            f"the compiled clock cannot play {workload.name}: {reason}",
            {"clock": "auto or simpy"},
        )
    return CompiledSimulation(workload, spec, estimates, seed=seed, record=record)


def counting(policy: Policy, drawn: Scenario) -> Policy:
    """The policy; if it searches, a new one that counts the objective of this scenario."""
    if not isinstance(policy, SearchedPolicy) or drawn.objective is None:
        return policy
    scales = scales_of(drawn.objective)
    objective = PlayoutObjective(
        seconds=0.0 if scales.bounded else 1.0 / scales.latency_s,
        slowdown=1.0 / scales.slowdown if scales.bounded else 0.0,
        dollars=1.0 / scales.dollars,
        miss=scales.miss,
        preference=drawn.preference,
    )
    return replace(policy, objective=objective)


def simulate(
    scenario: Scenario,
    policy: Policy | Driver,
    seed: int,
    preference: float,
    jobs: int | None = None,
    split: Split | str = Split.TEST,
) -> tuple[Scenario, SimulationResult]:
    """One policy on one workload of a scenario: the drawn scenario, and the result.

    `preference`: that of jobs that name none. `jobs`: None for as many as the scenario says.
    Raises what the policy or the simulation raises.
    """
    drawn = replace(scenario.draw(seed, split), preference=preference)
    workload = scenario.workload(seed, jobs, split)
    if isinstance(policy, Driver):
        drawn = policy.adapted(drawn)
        simulation = simulation_of(drawn, workload, seed, None)
        assert isinstance(simulation, Simulation), "only SimPy runs policies of the simulator"
        return drawn, policy.run(simulation)
    return drawn, simulation_of(drawn, workload, seed, policy).run(counting(policy, drawn))


def _reason_against(
    workload: Workload, spec: ClusterSpec, estimates: RuntimeEstimator, policy: Policy | None
) -> str:
    if policy is None:
        return "only SimPy runs the policy"
    return reason_against(workload, spec, estimates, policy)


def _point(outcome: SimulationResult, objective: Objective | None) -> tuple[float, float]:
    if objective is None or not len(outcome.job):
        return (np.nan, np.nan)
    return (
        float(outcome.jct.mean()) / objective.reference_latency_s,
        dollars_per_job(outcome) / objective.reference_dollars,
    )


def _quantiles(values: Floats) -> tuple[float, ...]:
    return tuple(np.quantile(values, QUANTILES).tolist()) if len(values) else ()


def _timeline(outcome: SimulationResult, log: RunLog, pools: Sequence[Pool]) -> Timeline:
    slowdowns = dict(zip(outcome.job.tolist(), outcome.bounded_slowdown.tolist(), strict=True))
    times, waiting = outcome.load.queue()
    return Timeline(
        pools=tuple((pool.name, pool.nodes, pool.devices_per_node) for pool in pools),
        log=log,
        slowdown=np.array([slowdowns.get(job, np.nan) for job in log.job.tolist()]),
        times=times,
        waiting=waiting,
        counted=(outcome.load.start, outcome.load.end),
    )
