"""What one policy is simulated on: values that name themselves, so that results can be kept."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np

from agents.evaluation.metrics import METRICS, REGIME, MetricView
from agents.evaluation.run import simulate
from agents.serving.learned_policy import LearnedPolicy
from benchmarks import kth, rlscheduler
from envs.baselines.catalogue import DRIVERS
from envs.clock import CompiledSimulation, reason_against
from envs.gym.episodes import scales_of
from envs.gym.rewards import weighed
from envs.scenarios import Scenario, Split
from envs.scenarios.splits import WORKLOAD, place
from envs.simulator.cluster_spec import ClusterSpec
from envs.simulator.results import SimulationResult
from envs.simulator.simulation import Simulation
from envs.workloads import lublin
from envs.workloads.base import Arrival, Workload
from envs.workloads.runtime_estimates import Requested
from envs.workloads.traces import swf
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.policy import Policy
from scheduler.decisions.search.arrivals import ArrivalHistory, ArrivedJob
from scheduler.decisions.search.settings import PlayoutObjective, SearchSettings
from scheduler.decisions.state.entries import Shape
from scheduler.domain.jobs import MIDDLE_PRIORITY
from scheduler.policies.learned_index import LearnedIndex
from scheduler.policies.search import SearchedPolicy

FASTEST = 1.0
"""Preference of all jobs where only slowdown counts."""
FILES = 3
"""Files out of the model that futures are drawn from."""
SEARCH = SearchSettings(jobs=8, futures=16, length=48, margin=1.0, every_event=True)
SLOWDOWN = PlayoutObjective(seconds=0.0, slowdown=1.0, preference=FASTEST)
FILE_JOBS = 10_000
"""Jobs of a fresh file out of the model; as many as the published one has."""


@dataclass(frozen=True, slots=True)
class CaseFigures:
    """What became of one workload under one policy; means over its jobs."""

    jct_s: float
    """Submission to end."""
    dollars: float
    """Per job, idle nodes included."""
    slowdown: float
    """Bounded slowdown max(1, time in the system / max(runtime, 10 s))."""
    wait_s: float
    latency: float = math.nan
    """What the scenario's objective weighs with w …"""
    cost: float = math.nan
    """… and with 1 - w …"""
    missed: float = 0.0
    """… and what missed deadlines add; all three without a unit."""
    blocks: tuple[float, ...] = ()
    """Bounded slowdowns of consecutive parts of a long log."""
    regime: tuple[float, ...] = ()
    """The metrics of `agents.evaluation.metrics.REGIME`."""

    def at(self, w: float) -> float:
        """The objective per job at preference w."""
        return weighed(self.latency, self.cost, w) + self.missed


class Case(Protocol):
    """A workload with everything around it. A value; travels between processes."""

    @property
    def key(self) -> str:
        """Equal keys: equal results for equal policies and code."""

    def run(self, policy: Policy) -> CaseFigures:
        """Simulate it. Raises whatever the policy or the simulation raises."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A workload of a scenario, all of whose jobs prefer `w` unless they say otherwise."""

    scenario: Scenario
    seed: int
    w: float
    jobs: int | None = None
    """Counted jobs; None: as many as the scenario says."""
    split: Split = Split.TEST
    driver: str = ""
    """Of `envs.baselines.catalogue.DRIVERS`: who decides instead of the policy."""

    @property
    def key(self) -> str:
        """By the scenario's digest."""
        who = f"/{self.driver}" if self.driver else ""
        return f"{self.scenario.digest}/{self.split}/{self.seed}/{self.jobs}/{self.w:g}{who}"

    def bound(self) -> float:
        """The objective per job that no scheduler does better than: no job ever waits.

        Each job starts at once on the placement that is best for it, with its true runtime.
        """
        drawn = self.scenario.draw(self.seed, self.split)
        assert drawn.objective is not None
        scales = scales_of(drawn.objective)
        pools = {supply.pool.model.casefold(): supply.pool for supply in drawn.supplies}
        workload = self.scenario.workload(self.seed, self.jobs, self.split)
        least = []
        for job in workload.jobs[workload.counted_slice]:
            weight = job.priority / MIDDLE_PRIORITY / scales.latency_s
            least.append(
                min(
                    weighed(
                        1.0 / scales.slowdown if scales.bounded else weight * run.runtime_s,
                        run.width * run.runtime_s * pool.dollars_per_device_hour / 3600,
                        self.w,
                        cost_scale=scales.dollars,
                    )
                    for run in job.runs
                    if (pool := pools.get(run.device.casefold())) is not None
                )
            )
        return float(np.mean(least))

    def run(self, policy: Policy) -> CaseFigures:
        """As `agents.evaluation.run.simulate` runs it."""
        decides = DRIVERS[self.driver] if self.driver else policy
        drawn, outcome = simulate(self.scenario, decides, self.seed, self.w, self.jobs, self.split)
        scales = scales_of(drawn.objective)
        jobs = len(outcome.job)
        view = MetricView(outcome, self.w, drawn.objective)
        return replace(
            figures(outcome),
            latency=scales.latency(outcome) / jobs,
            cost=scales.cost(outcome) / jobs,
            missed=scales.missed(outcome) / jobs,
            regime=tuple(float(METRICS[name].of(view)) for name in REGIME),
        )


@dataclass(frozen=True, slots=True)
class Published:
    """One of the ten published sequences of RLScheduler's protocol."""

    trace: Path
    start: int
    mode: Mode

    @property
    def key(self) -> str:
        """By the file's name: the traces are published and never change."""
        return f"rlscheduler/{self.trace.name}/{self.start}/{self.mode}"

    def run(self, policy: Policy) -> CaseFigures:
        """As `benchmarks.rlscheduler` runs it."""
        return sequence(_log(self.trace), self.start, rlscheduler.JOBS, self.mode, policy)


@dataclass(frozen=True, slots=True)
class Fresh:
    """A sequence out of a fresh file of Lublin and Feitelson's model, by the same protocol."""

    seed: int
    jobs: int
    mode: Mode

    @property
    def key(self) -> str:
        """By seed and length."""
        return f"lublin/{self.seed}/{self.jobs}/{self.mode}"

    def run(self, policy: Policy) -> CaseFigures:
        """From a row drawn by the seed."""
        workload, start = fresh(self.seed, self.jobs)
        return sequence(workload, start, self.jobs, self.mode, policy)


@dataclass(frozen=True, slots=True)
class Half:
    """The second half of KTH-SP2's log under EASY backfilling, as one run."""

    trace: Path
    row: int | None = None
    """Of `kth.ROWS`: who decides instead of the policy, with what it knows; None: the policy,
    which knows the users' requests."""
    jobs: int | None = None
    """Only the first so many of it."""

    BLOCK = 512
    """Jobs, about: all blocks are of one size, so that their mean is the whole's."""

    @property
    def key(self) -> str:
        """By the file's name."""
        who = "" if self.row is None else f"/{kth.ROWS[self.row].title}"
        return f"kth/{self.trace.name}/second half/{self.jobs or 'all'}{who}"

    def run(self, policy: Policy) -> CaseFigures:
        """As `benchmarks.kth` runs the whole log."""
        whole = _log(self.trace)
        half = len(whole.jobs) // 2
        count = len(whole.jobs) - half
        workload = whole.window(half, min(self.jobs or count, count))
        row = None if self.row is None else kth.ROWS[self.row]
        estimator = Requested() if row is None else row.estimator()
        site = ClusterSpec((kth.PROCESSORS,), preference=FASTEST)
        chosen = under(policy, site.mode) if row is None else row.policy
        refused = reason_against(workload, site, estimator, chosen)
        clock = Simulation if refused else CompiledSimulation
        outcome = clock(workload, site, estimator).run(chosen)
        slow = outcome.bounded_slowdown
        parts = np.array_split(slow, max(1, round(len(slow) / self.BLOCK)))
        blocks = tuple(float(part.mean()) for part in parts)
        return replace(figures(outcome), blocks=blocks)


def under(policy: Policy, mode: Mode) -> Policy:
    """A learned policy would bring the mode of its training; a protocol has its own."""
    if isinstance(policy, SearchedPolicy):
        return replace(policy, policy=under(policy.policy, mode))
    if isinstance(policy, LearnedPolicy | LearnedIndex):
        return replace(policy, mode=mode)
    return policy


def sequence(workload: Workload, start: int, jobs: int, mode: Mode, policy: Policy) -> CaseFigures:
    """`jobs` jobs from row `start` on by RLScheduler's protocol, see `benchmarks.rlscheduler`.

    Formulas count submissions from the beginning of the file. A search knows the futures of other
    files and counts slowdowns.
    """
    if isinstance(policy, SearchedPolicy):
        policy = replace(policy, arrivals=training_arrivals(), settings=SEARCH, objective=SLOWDOWN)
    spec = ClusterSpec((rlscheduler.PROCESSORS,), mode, FASTEST, every_event=True)
    made = CompiledSimulation(workload.window(start, jobs, aged=True), spec)
    return figures(made.run(under(policy, mode)))


def figures(outcome: SimulationResult) -> CaseFigures:
    """Means over the jobs."""
    jobs = len(outcome.job)
    return CaseFigures(
        jct_s=float(outcome.jct.mean()),
        dollars=(float(outcome.dollars.sum()) + outcome.idle_dollars) / jobs,
        slowdown=float(outcome.bounded_slowdown.mean()),
        wait_s=float(outcome.wait.mean()),
    )


@lru_cache(maxsize=1)
def training_arrivals() -> ArrivalHistory:
    """Jobs of whole files out of the model, none of which is played."""
    model = lublin.Lublin(rlscheduler.PROCESSORS.count)
    files = [
        lublin.draw(model, FILE_JOBS, place(seed, Split.TRAIN, WORKLOAD)) for seed in range(FILES)
    ]
    return ArrivalHistory.of([[_arrived(job) for job in file.jobs] for file in files])


def _arrived(job: Arrival) -> ArrivedJob:
    (run,) = job.runs
    figures = np.array([[run.runtime_s], [0.0], [0.0]])
    return ArrivedJob(
        float(job.submitted_at), job.priority, FASTEST, np.inf, (Shape(0, run.width, 0),), figures
    )


@lru_cache(maxsize=4)
def fresh(seed: int, jobs: int) -> tuple[Workload, int]:
    """A fresh file, and the row at which its sequence of `jobs` jobs begins."""
    where = place(seed, Split.TEST, WORKLOAD)
    rng = np.random.default_rng(where.spawn(1)[0])
    workload = lublin.draw(lublin.Lublin(rlscheduler.PROCESSORS.count), FILE_JOBS, where)
    return workload, int(rng.integers(FILE_JOBS - jobs + 1))


@lru_cache(maxsize=2)
def _log(trace: Path) -> Workload:
    return swf.read(trace)
