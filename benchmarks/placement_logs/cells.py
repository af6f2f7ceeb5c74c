"""What is simulated: policies, their modes, scenarios, and workloads in which a queue forms."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import agents.registry.resolve  # noqa: F401 - so that learned policies are found
from benchmarks.placement_logs import stress
from envs.baselines import catalogue
from envs.scenarios import Scenario, load
from envs.workloads.base import Arrival, Workload
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.policy import Policy, traits
from scheduler.decisions.state.node_placement import RULES
from scheduler.policies import lookup, schedules

SCENARIOS = (
    "driving",
    "hpc-lublin",
    "lab",
    "medical",
    "mixed-cloud",
    "random",
    "smart-home",
    stress.NAME,
)
SOLVED = frozenset({"gavel", "themis"})
"""Which of several best solutions of their programs is found depends on the solver's version."""
POLICIES = (
    *sorted(set(catalogue.names()) - SOLVED),
    *(f"wgc:{name}" for name in schedules.names()),
    *(f"sjf@{rule}" for rule in RULES),
    "learned:fulcrum",
)
OWN = "own"
"""Stands for the mode of a policy that ignores modes: the scenario's is left as it is."""
JOBS, SEEDS, SPLIT = 40, 20, "test"
FASTER = 4.0
"""Jobs arrive this many times as fast as in the scenario: so few form a queue only then."""


class LogCell(NamedTuple):
    """What is simulated with every seed."""

    policy: str
    mode: str
    scenario: str


def cells(
    policies: Sequence[str] = POLICIES,
    modes: Sequence[str] | None = None,
    scenarios: Sequence[str] = SCENARIOS,
) -> Iterator[LogCell]:
    """All cells of these policies and scenarios, in every mode or in some.

    Raises `MissingError` for an unknown policy.
    """
    for policy in policies:
        for mode in modes_of(policy):
            if modes is None or mode in modes:
                yield from (LogCell(policy, mode, scenario) for scenario in scenarios)


def modes_of(policy: str) -> Sequence[str]:
    """The modes in which a policy may decide differently.

    A policy that was made for one mode has that one. Raises `MissingError` for an unknown policy.
    """
    driver = catalogue.DRIVERS.get(policy)
    if driver is not None:
        return [driver.mode.value if driver.mode else OWN]
    own = traits(served(policy))
    if own.ranking is not None:
        return [OWN]
    made_for = own.mode
    return [made_for.value] if made_for else [mode.value for mode in Mode]


def served(policy: str) -> Policy:
    """The policy of the service that a cell names, without the placement rule of the name.

    Raises what `lookup.named` raises.
    """
    name, at, rule = policy.rpartition("@")
    return lookup.named(name if at and rule in RULES else policy)


def drawn(cell: LogCell, seed: int, jobs: int) -> tuple[Scenario, Workload]:
    """The scenario of a cell with nothing left to draw, and a workload of that many jobs.

    Raises `MissingError` for an unknown scenario.
    """
    if cell.scenario == stress.NAME:
        scenario, workload = _stressed(seed, jobs)
    else:
        scenario = frozen(cell.scenario).draw(seed, SPLIT)
        workload = _workload(cell.scenario, seed, jobs)
    scenario = catalogue.adapted(scenario, cell.policy)
    return scenario if cell.mode == OWN else replace(scenario, mode=Mode(cell.mode)), workload


def hurried(workload: Workload) -> Workload:
    """The workload with shorter gaps between its jobs; each job has as long to its deadline."""
    return replace(workload, jobs=tuple(map(_earlier, workload.jobs)))


def _earlier(job: Arrival) -> Arrival:
    submitted = job.submitted_at / FASTER
    shift = job.submitted_at - submitted
    deadline = None if job.deadline is None else job.deadline - shift
    return replace(job, submitted_at=submitted, deadline=deadline)


@lru_cache
def frozen(name: str) -> Scenario:
    """A scenario as it was when the first logs were written: newer versions change no log.

    Raises `MissingError` for an unknown one.
    """
    file = Path(__file__).parent / "scenarios" / f"{name}.toml"
    return load(file if file.is_file() else name)


@lru_cache(maxsize=len(SCENARIOS) * SEEDS)
def _workload(scenario: str, seed: int, jobs: int) -> Workload:
    return hurried(frozen(scenario).workload(seed, jobs, SPLIT))


@lru_cache(maxsize=SEEDS)
def _stressed(seed: int, jobs: int) -> tuple[Scenario, Workload]:
    return stress.drawn(seed, jobs)
