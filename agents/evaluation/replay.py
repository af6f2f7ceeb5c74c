"""`python -m agents.evaluation.replay` replays one cluster's jobs under two policies.

It reads a `scheduler.service.policy_control.replay.Question` as JSON and writes a `ReplayVerdict`.
It is a process of its own at the lowest priority, so that the service neither waits nor loads a
simulator.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from agents.evaluation.metrics import dollars_per_job, objective_per_job
from agents.evaluation.run import simulation_of
from agents.evaluation.statistics import difference
from agents.registry.registry import Registry
from agents.serving.learned_policy import SCHEME
from envs.scenarios import Scenario, Split, load
from envs.scenarios.recorded import write
from envs.scenarios.scenario import Estimates, natural
from envs.scenarios.supply import Supply
from envs.simulator.results import SimulationResult
from envs.workloads.base import Workload
from envs.workloads.traces import history
from scheduler.decisions.rounds.modes import Mode
from scheduler.domain.errors import FulcrumError, InputError
from scheduler.policies.guard import Guard
from scheduler.policies.lookup import named, register
from scheduler.policies.schedules.library import Library
from scheduler.service.policy_control.replay_evaluation import Question, ReplayVerdict
from scheduler.store.base import Store
from scheduler.store.sql.store import SqlStore

MODEL = "mixed-cloud"
"""Scenario whose jobs are simulated on the cluster's pools if its history has too few jobs."""
NARROWEST = 40
"""Least number of jobs in a window of the history; a short history has fewer windows."""


def main() -> int:
    """JSON on standard input, JSON on standard output; a refusal on standard error."""
    os.nice(19)
    asked = json.load(sys.stdin)
    try:
        register(SCHEME, Registry(Path(asked["data_dir"])).policy)
        register("wgc", Library(Path(asked["data_dir"])).policy)
        store = SqlStore(asked["database"]) if asked["database"] else None
        try:
            verdict = evaluate(Question.of(asked["question"]), store)
        finally:
            if store is not None:
                store.close()
    except FulcrumError as error:
        print(error.message, file=sys.stderr)
        return 1
    json.dump(asdict(verdict), sys.stdout, allow_nan=False)
    return 0


def evaluate(question: Question, store: Store | None) -> ReplayVerdict:
    """Both policies under the guard on the same workloads, one after another.

    Raises `InputError` or `MissingError` for a policy that cannot be loaded, or for a cluster that
    no jobs can be drawn for.
    """
    begun = time.monotonic()
    policies = [_guarded(name, question) for name in (question.nominee, question.rival)]
    replays = _replays(question, store)
    scenario = replays.scenario
    runs: list[list[SimulationResult]] = []
    for seed, workload in enumerate(replays.workloads):
        if runs and time.monotonic() - begun > question.limit_s:
            break
        runs.append([simulation_of(scenario, workload, seed, each).run(each) for each in policies])
    objective, preference = scenario.objective, scenario.preference
    table = np.array(
        [[objective_per_job(each, objective, preference) for each in pair] for pair in runs]
    )
    found = difference(table[:, 0], table[:, 1], distinct=len(runs))
    ours, rivals = ([pair[side] for pair in runs] for side in (0, 1))
    return ReplayVerdict(
        source=replays.source,
        about=replays.about,
        windows=len(runs),
        jobs=sum(len(rival.job) for rival in rivals),
        nominee=float(table[:, 0].mean()),
        rival=float(table[:, 1].mean()),
        difference=_finite(found.relative.mean) or 0.0,
        low=_finite(found.relative.low),
        high=_finite(found.relative.high),
        median=_finite(found.median) or 0.0,
        won=found.won,
        lost=found.lost,
        shown=found.shown,
        utilisation=float(np.mean([one.utilisation for one in rivals])),
        queue_mean=float(np.mean([one.load.queue_mean for one in rivals])),
        queue_max=max(one.load.queue_max for one in rivals),
        waiting=sum(one.wait.sum() for one in rivals) / sum(one.jct.sum() for one in rivals),
        seconds=time.monotonic() - begun,
        nominee_latency_s=_mean_latency_s(ours),
        nominee_dollars=_mean_dollars(ours),
        rival_latency_s=_mean_latency_s(rivals),
        rival_dollars=_mean_dollars(rivals),
    )


def _mean_latency_s(runs: Sequence[SimulationResult]) -> float | None:
    return _finite(float(np.mean([one.jct.mean() for one in runs])))


def _mean_dollars(runs: Sequence[SimulationResult]) -> float | None:
    return _finite(float(np.mean([dollars_per_job(one) for one in runs])))


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


@dataclass(frozen=True, slots=True)
class _Replays:
    source: str
    about: str
    scenario: Scenario
    workloads: Iterator[Workload]


def _guarded(name: str, question: Question) -> Guard:
    bound = np.inf if question.starvation_s is None else question.starvation_s
    return Guard(named(name), named("wgc"), bound)


def _replays(question: Question, store: Store | None) -> _Replays:
    past = None if store is None else _past(question, store)
    if past is not None and len(past.jobs) >= question.least_jobs:
        return _Replays(
            "history",
            f"{len(past.jobs)} jobs of this cluster, {past.source}",
            _with_settings(question, _recorded(past, question)),
            _windows(past, question.windows),
        )
    scenario = _with_settings(question, _drawn(question))
    own = 0 if past is None else len(past.jobs)
    return _Replays(
        "synthetic",
        f"jobs as in {MODEL}, drawn for these pools: the cluster's history has {own} jobs that "
        f"succeeded, {question.least_jobs} are needed",
        scenario,
        (scenario.workload(at, question.jobs, Split.TEST) for at in range(question.windows)),
    )


def _past(question: Question, store: Store) -> Workload | None:
    try:
        return history.read(store, question.pools, since=question.since, until=question.until)
    except InputError:
        return None


def _recorded(past: Workload, question: Question) -> Scenario:
    with tempfile.TemporaryDirectory(prefix="fulcrum-fit-") as folder:
        return write(past, _supplies(question), Path(folder) / "history.toml").scenario


def _drawn(question: Question) -> Scenario:
    scenario = replace(
        load(MODEL),
        name="own-pools",
        supplies=_supplies(question),
        estimates=Estimates("noisy", {"sigma": 0.3}),
        objective=None,
    )
    return replace(scenario, objective=natural(scenario))


def _with_settings(question: Question, scenario: Scenario) -> Scenario:
    return replace(scenario, mode=Mode(question.mode), preference=question.preference)


def _supplies(question: Question) -> tuple[Supply, ...]:
    return tuple(
        Supply(pool, pool.nodes, idle_watts_per_device=Supply.idling(pool))
        for pool in question.pools
    )


def _windows(past: Workload, count: int) -> Iterator[Workload]:
    """Windows of the history whose counted jobs do not overlap; the last one ends with the newest.

    Up to half as many jobs before each window warm the cluster up, and those after it keep it
    loaded.
    """
    count = max(1, min(count, len(past.jobs) // NARROWEST))
    size = len(past.jobs) // count
    first = len(past.jobs) - count * size
    for number in range(count):
        start = first + number * size
        before, after = min(start, size // 2), min(len(past.jobs) - start - size, size // 2)
        yield past.window(start, size, before=before, after=after, since=0)


if __name__ == "__main__":
    sys.exit(main())
