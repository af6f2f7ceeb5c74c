"""Policies × scenarios × seeds, in parallel processes.

A run that fails is reported, and the others go on. The result of a run does not depend on the
process that ran it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field

from agents.evaluation.run import Conditions, RunKey, RunResult, check_clock, run
from agents.process_pool import begin, context, settings
from envs.scenarios import Scenario
from scheduler.domain.errors import FulcrumError, InputError

Done = Callable[[RunResult], None]
"""Called with every finished run, in any order."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is compared, and the results."""

    scenarios: Mapping[str, Scenario]
    """By name."""
    policies: tuple[str, ...]
    seeds: tuple[int, ...]
    baseline: str
    """One of `policies`."""
    preferences: tuple[float | None, ...] = (None,)
    """None: the scenario's own."""
    conditions: Conditions = field(default_factory=Conditions)
    runs: tuple[RunResult, ...] = ()
    """In the order of `keys`."""

    def __post_init__(self) -> None:
        """Raises `InputError` for an empty axis or a baseline that is not compared."""
        for name in ("scenarios", "policies", "seeds", "preferences"):
            if not getattr(self, name):
                raise InputError(f"nothing to compare: no {name}", {name: "at least one"})
        if self.baseline not in self.policies:
            raise InputError(
                f"the baseline {self.baseline!r} is not compared",
                {"baseline": f"one of {', '.join(self.policies)}"},
            )

    @property
    def keys(self) -> tuple[RunKey, ...]:
        """Keys of all runs; seeds change slowest, so that every part of the list is balanced."""
        return tuple(
            RunKey(scenario, policy, seed, preference)
            for seed in self.seeds
            for scenario in self.scenarios
            for policy in self.policies
            for preference in self.preferences
        )

    @property
    def failures(self) -> tuple[RunResult, ...]:
        """Runs with an error."""
        return tuple(run for run in self.runs if run.error)

    def of(self, scenario: str, policy: str, preference: float | None) -> dict[int, RunResult]:
        """Seed → run, without failed runs."""
        return {
            run.key.seed: run
            for run in self.runs
            if not run.error
            and (run.key.scenario, run.key.policy, run.key.preference)
            == (scenario, policy, preference)
        }


def compare(
    plan: Comparison,
    *,
    workers: int = 1,
    known: Mapping[RunKey, RunResult] | None = None,
    done: Done = lambda _: None,
) -> tuple[RunResult, ...]:
    """Run a plan; the results are in the order of its keys.

    `workers`: number of processes; 1: this one. Runs in `known` are not run again, and `done` is
    not called with them. A run that fails, or whose process dies, has an `error`. Raises
    `InputError`, before anything runs, if the compiled clock is asked for what it cannot play.
    """
    for scenario in plan.scenarios.values():
        for policy in plan.policies:
            check_clock(scenario, policy, plan.seeds[0], plan.conditions)
    known = known or {}
    results = {key: known[key] for key in plan.keys if key in known}
    missing = [key for key in plan.keys if key not in known]
    one_by_one = workers == 1 or len(missing) == 1
    tasks = _in_process(plan, missing) if one_by_one else _in_processes(plan, missing, workers)
    for result in tasks:
        results[result.key] = result
        done(result)
    return tuple(results[key] for key in plan.keys)


def _in_process(plan: Comparison, keys: Sequence[RunKey]) -> Iterator[RunResult]:
    for key in keys:
        yield _guarded(plan.scenarios[key.scenario], key, plan.conditions)


def _in_processes(plan: Comparison, keys: Sequence[RunKey], workers: int) -> Iterator[RunResult]:
    waiting = list(reversed(keys))
    while waiting:
        suspects = yield from _until_broken(plan, waiting, min(workers, len(waiting)))
        for key in suspects:
            # A process died, and the pool lost all unfinished runs. Each run alone shows which one
            # it was.
            alone = [key]
            broken = yield from _until_broken(plan, alone, 1)
            if broken or alone:
                yield RunResult(key, error="its process died (killed, or out of memory)")


def _until_broken(
    plan: Comparison, waiting: list[RunKey], workers: int
) -> Generator[RunResult, None, list[RunKey]]:
    """Run `waiting` from its end until it is empty or a process dies.

    Returns the keys of the unfinished runs; no other is lost.
    """
    running: dict[Future[RunResult], RunKey] = {}
    pool = ProcessPoolExecutor(workers, context(RunKey.__module__), begin, (settings(),))
    try:
        while waiting or running:
            while waiting and len(running) < 2 * workers:
                scenario = plan.scenarios[waiting[-1].scenario]
                future = pool.submit(_guarded, scenario, waiting[-1], plan.conditions)
                running[future] = waiting.pop()
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                result = future.result()
                del running[future]
                yield result
    except BrokenProcessPool:
        return list(running.values())
    finally:
        pool.shutdown(wait=not running, cancel_futures=True)
    return []


def _guarded(scenario: Scenario, key: RunKey, conditions: Conditions) -> RunResult:
    try:
        return run(scenario, key, conditions)
    except FulcrumError as error:
        return RunResult(key, error=error.message)
    except Exception as error:
        return RunResult(key, error=f"{type(error).__name__}: {error}")
