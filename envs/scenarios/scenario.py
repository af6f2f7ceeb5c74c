"""A scenario: a cluster, its jobs, its prices, and the objective.

A scenario is a value; `workload` draws from it, always the same for the same seed. Different
splits share no randomness, so no policy is evaluated on workloads of its training or tuning.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from enum import StrEnum
from typing import Annotated, Any

import numpy as np
from annotated_types import Ge, Gt, Le, Predicate

from envs.scenarios.logs import NAMED, Draw, JobLog, draw_log
from envs.scenarios.randomisation import Randomisation, concrete
from envs.scenarios.splits import CLUSTER, WORKLOAD, Split, place
from envs.scenarios.supply import Supply
from envs.workloads.base import Workload, WorkloadRun
from envs.workloads.lublin import Lublin
from envs.workloads.lublin import draw as draw_lublin
from envs.workloads.runtime_estimates import RuntimeEstimator, estimator
from envs.workloads.synthetic import Phase, Synthetic, ascending
from envs.workloads.synthetic import draw as draw_synthetic
from envs.workloads.throughputs import Throughputs
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.state.node_placement import BEST_FIT
from scheduler.decisions.state.preemption import AS_PUBLISHED, PreemptionRules
from scheduler.domain.errors import InputError
from scheduler.domain.pools import Pool

_SOURCE_SINCE = ("warm_up", "cool_down", "population", "backlog")
_RANDOM_SINCE = ("widest", "rigid_share", "tail_share", "sweep_share")
_PHASE_SINCE = ("rigid_share", "tail_share", "tail_shape", "tail_from")
"""Settings that a digest leaves out where they are the defaults."""


@dataclass(frozen=True, slots=True)
class WorkloadSource:
    """Where jobs come from: one of three models, and which of them count."""

    jobs: Annotated[int, Ge(1)] = 1000
    """Counted jobs of a workload by default."""
    warm_up: Annotated[float, Ge(0), Le(100)] = 0.0
    """Jobs before the counted ones, as a share of these: they bring the cluster into its regime."""
    cool_down: Annotated[float, Ge(0), Le(100)] = 0.0
    """Jobs after the counted ones, as a share of these. They arrive until all counted jobs have
    ended. If they run out before that, the cluster drains under the last counted jobs."""
    population: bool = False
    """Whether further jobs are under way at time 0: as many as keep the load's share of the devices
    busy, or those that a trace has at that time. They do not count."""
    backlog: Annotated[
        tuple[Annotated[int, Ge(0)], Annotated[int, Ge(0), Le(10_000)]], Predicate(ascending)
    ] = (0, 0)
    """Range of the number of synthetic jobs that wait at time 0 (uniform). They do not count."""
    synthetic: Synthetic | None = None
    lublin: Lublin | None = None
    trace: JobLog | None = None

    def __post_init__(self) -> None:
        """Raises `InputError` for a population or a backlog that no model can draw."""
        if self.backlog[1] and (self.trace is not None or self.lublin is not None):
            raise InputError(
                "a backlog is drawn only with synthetic jobs",
                {"workload.backlog": "[0, 0], and warm_up instead"},
            )
        drawn = self.trace is not None and self.trace.draw is not Draw.WINDOW
        if self.population and (drawn or self.lublin is not None):
            raise InputError(
                "a population at the start is drawn only with synthetic jobs and with windows of a "
                "trace",
                {"workload.population": "false, and warm_up instead"},
            )

    def around(self, count: int) -> tuple[int, int]:
        """Jobs before and after `count` counted ones."""
        return math.ceil(self.warm_up * count), math.ceil(self.cool_down * count)


@dataclass(frozen=True, slots=True)
class Estimates:
    """What the scheduler believes about runtimes; see `envs.workloads.runtime_estimates`."""

    name: str = "exact"
    parameters: Mapping[str, float] = field(default_factory=dict)

    def make(self, seed: int = 0) -> RuntimeEstimator:
        """A new estimator. `seed`: of its noise, if it draws any.

        Raises `InputError` for an unknown name or parameter.
        """
        noisy = self.name in ("noisy", "history")
        return estimator(self.name, **self.parameters, **({"seed": seed} if noisy else {}))


@dataclass(frozen=True, slots=True)
class Failures:
    """What fails, and how much work is kept then."""

    per_node_hour: Annotated[float, Ge(0)] = 0.0
    """Rate at which a node fails; its attempts are lost."""
    repair_s: Annotated[float, Ge(0)] = 600.0
    """Seconds until a failed node is back."""
    per_attempt: Annotated[float, Ge(0), Le(1)] = 0.0
    """Probability that an attempt fails by itself, at a uniform point of its run."""
    retries: Annotated[int, Ge(0)] = 3
    """Failed attempts that are followed by another; one more, and the job has failed."""
    checkpoint_s: Annotated[float, Ge(0)] = 600.0
    """Seconds of work between checkpoints: a lost or preempted job goes on from the last one; 0:
    from its start."""
    restart_s: Annotated[float, Ge(0)] = 10.0
    """Seconds added to each further attempt of a job."""


class Latency(StrEnum):
    """What the latency of an objective is; a mean over jobs."""

    COMPLETION = "completion"
    """Completion time (s), weighed by priority: 50 counts once, 100 twice."""
    SLOWDOWN = "slowdown"
    """Bounded slowdown."""


@dataclass(frozen=True, slots=True)
class Objective:
    """How latency, dollars and missed deadlines are weighed against each other; all per job."""

    latency_scale: Annotated[float, Gt(0)]
    """What counts as 1: seconds in the system, or a slowdown."""
    cost_scale_dollars: Annotated[float, Gt(0)]
    """Dollars that count as 1."""
    reference_latency_s: Annotated[float, Gt(0)]
    """Corner of the hypervolume over (mean job completion time, mean dollars): points beyond
    it count as 0. It is fixed, so that figures of different runs can be compared."""
    reference_dollars: Annotated[float, Gt(0)]
    latency: Latency = Latency.COMPLETION
    missed_deadline: Annotated[float, Ge(0)] = 1.0
    """What a job that ends after its deadline adds, at every preference: 1 counts as much as
    `latency_scale` seconds do at w = 1, or `cost_scale_dollars` at w = 0."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A cluster and its workloads; `envs.scenarios.load` makes one."""

    name: str
    version: int
    """Increased whenever its figures can no longer be compared with earlier ones."""
    description: str
    supplies: tuple[Supply, ...]
    """The pools; none yet in a scenario that draws them (`random`)."""
    source: WorkloadSource
    estimates: Estimates = field(default_factory=Estimates)
    failures: Failures = field(default_factory=Failures)
    mode: Mode = Mode.EASY
    placement: str = BEST_FIT.name
    """The rule that chooses nodes, by a name of `scheduler.decisions.state.node_placement`."""
    preemption: PreemptionRules = AS_PUBLISHED
    """When running attempts may be preempted."""
    preference: float = 0.5
    """0 cheapest … 1 fastest, of jobs that name none."""
    objective: Objective | None = None
    """None only while pools or jobs are not known yet."""
    randomisation: Randomisation | None = None
    throughputs: Throughputs | None = None
    """For synthetic jobs; None: computed for the pools."""

    @property
    def pools(self) -> tuple[Pool, ...]:
        """The pools, elastic ones with all their nodes."""
        return tuple(supply.pool for supply in self.supplies)

    @property
    def digest(self) -> str:
        """12 hexadecimal digits of everything that is simulated, file names aside."""
        content = asdict(replace(self, description="", throughputs=None))
        if content["source"]["trace"] is not None:
            del content["source"]["trace"]["path"]
        lublin = content["source"]["lublin"]
        if lublin is not None and not lublin["history"]:
            # Scenarios without a history keep the digest that they had before there were histories.
            del lublin["history"]
        _forget_defaults(content["source"], WorkloadSource, _SOURCE_SINCE)
        if content["source"]["synthetic"] is not None:
            _forget_defaults(content["source"]["synthetic"], Synthetic, ("sweeps",))
            for phase in ("training", "inference"):
                _forget_defaults(content["source"]["synthetic"][phase], Phase, _PHASE_SINCE)
        if content["randomisation"] is not None:
            _forget_defaults(content["randomisation"], Randomisation, _RANDOM_SINCE)
        if content["objective"] is not None and (lublin or content["source"]["trace"]):
            # No job of these has a deadline.
            del content["objective"]["missed_deadline"]
        if self.preemption == AS_PUBLISHED:
            del content["preemption"]
        for supply in content["supplies"]:
            del supply["origin"]
        if self.throughputs is not None:
            content["throughputs"] = {
                work: {device: dict(widths) for device, widths in devices.items()}
                for work, devices in self.throughputs.rates.items()
            }
        text = json.dumps(content, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def check(self) -> None:
        """Raise `InputError` if no workload can be drawn because no trace is named."""
        trace = self.source.trace
        if trace is not None and trace.path is None:
            raise InputError(
                f"scenario {self.name} replays a trace, which is not part of Fulcrum",
                {"trace": NAMED},
            )

    def draw(self, seed: int, split: Split | str = Split.TRAIN) -> Scenario:
        """This scenario with everything drawn but its workload; itself if nothing is random.

        Raises `InputError` for an unknown split or a negative seed.
        """
        drawn = _concrete(self, seed, split)
        if self.randomisation is None or self.objective is not None:
            return drawn
        return replace(drawn, objective=natural(drawn))

    def workload(
        self, seed: int, jobs: int | None = None, split: Split | str = Split.TRAIN
    ) -> Workload:
        """The workload of a seed, of `jobs` counted jobs (None: as many as the scenario says).

        Those that warm the cluster up, follow, or are there at the start come on top.
        Splits share neither a random number nor a row of a trace. Raises `InputError` for an
        unknown split, a negative seed, fewer than 1 job, or a trace that is missing or too short.
        """
        where = place(seed, split, WORKLOAD)
        count = self.source.jobs if jobs is None else jobs
        if count < 1:
            raise InputError(f"{count} jobs", {"jobs": "a whole number ≥ 1"})
        self.check()
        drawn = _concrete(self, seed, split)
        label = f"{drawn.name}/{Split(split)}/{seed}"
        return replace(_drawn(drawn, count, where, Split(split)), name=label)

    def whole_trace(self) -> Workload:
        """All jobs of the trace, whatever the split: for agreement with published figures only.

        Raises `InputError` if the scenario has no trace.
        """
        if self.source.trace is None:
            raise InputError(
                f"scenario {self.name!r} replays no trace", {"scenario": "one with a trace"}
            )
        self.check()
        return self.source.trace.jobs()


def natural(scenario: Scenario) -> Objective:
    """An objective whose scales are the least times and costs of the scenario's jobs, rounded.

    Seconds: the mean of the shortest runtimes, over the jobs of a fixed training workload.
    Dollars: those of as many seconds on one device of the most expensive pool, so that the exchange
    rate of seconds for dollars depends only on the cluster, which every policy sees. The
    corner is at twenty times these seconds, and at five times the mean dollars of the cheapest
    runs. Where nothing has a price, a device-hour counts as a dollar.
    """
    where = place(0, Split.TRAIN, WORKLOAD)
    alone = replace(scenario.source, warm_up=0.0, cool_down=0.0, population=False, backlog=(0, 0))
    source = replace(scenario, source=alone)
    jobs = _drawn(source, min(alone.jobs, 200), where, Split.TRAIN).jobs
    latency = float(np.mean([min(run.runtime_s for run in job.runs) for job in jobs]))
    prices = _prices(scenario.pools)
    dollars = float(np.mean([min(_dollars(run, prices) for run in job.runs) for job in jobs]))
    latency, dollars = _rounded(max(latency, 1.0)), _rounded(max(dollars, 1e-6))
    hour = max((pool.dollars_per_device_hour for pool in scenario.pools), default=0.0) or 1.0
    scale = _rounded(latency / 3600 * hour)
    return Objective(latency, scale, _rounded(20 * latency), _rounded(5 * dollars))


def _concrete(scenario: Scenario, seed: int, split: Split | str) -> Scenario:
    where = place(seed, split, CLUSTER)
    if scenario.randomisation is None:
        return scenario
    supplies, jobs, sigma = concrete(scenario.randomisation, where)
    return replace(
        scenario,
        name=f"{scenario.name}-{Split(split)}-{seed}",
        supplies=supplies,
        source=replace(scenario.source, synthetic=jobs),
        estimates=Estimates("noisy", {"sigma": sigma}),
        randomisation=None,
    )


def _drawn(scenario: Scenario, count: int, where: np.random.SeedSequence, split: Split) -> Workload:
    """A workload with `count` counted jobs."""
    source = scenario.source
    before, after = source.around(count)
    total = before + count + after
    if source.trace is not None:
        return draw_log(
            source.trace, total, where, split, counted=(before, count), population=source.population
        )
    if source.lublin is not None:
        workload = draw_lublin(source.lublin, total, where)
    else:
        workload = draw_synthetic(
            source.synthetic or Synthetic(),
            scenario.pools,
            total,
            where,
            scenario.throughputs,
            population=source.population,
            backlog=source.backlog,
        )
    if total == count:
        return workload
    first = workload.counted_range[0] + before
    return replace(workload, counted=(first, first + count))


def _forget_defaults(content: dict[str, Any], kind: type[Any], names: Sequence[str]) -> None:
    """Take what a scenario leaves as it is out of its digest: it had no such settings before."""
    for field_ in fields(kind):
        if field_.name in names:
            make = field_.default_factory
            default = field_.default if make is MISSING else asdict(make())
            if content[field_.name] == default:
                del content[field_.name]


def _prices(pools: Sequence[Pool]) -> Mapping[str, float]:
    """Least dollars per device-hour by what a run may name; all 1 if nothing has a price."""
    free = all(pool.dollars_per_device_hour == 0 for pool in pools)
    prices: dict[str, float] = {}
    for pool in pools:
        price = 1.0 if free else pool.dollars_per_device_hour
        for name in pool.accepted_as:
            prices[name] = min(price, prices.get(name, price))
    return prices


def _dollars(run: WorkloadRun, prices: Mapping[str, float]) -> float:
    """Dollars of a run; infinite on a device that the scenario does not have."""
    return run.runtime_s * run.width / 3600 * prices.get(run.device, np.inf)


def _rounded(value: float) -> float:
    """To two significant digits."""
    return float(f"{value:.2g}")
