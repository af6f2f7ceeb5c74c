"""A log: every placement of one simulation, and the record of its jobs, as text."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from envs.simulator.cluster_spec import ClusterSpec
from envs.simulator.results import SimulationResult
from envs.simulator.simulated_job import HeldDevices
from envs.simulator.simulation import Simulation
from scheduler.decisions.state.plan import Plan

NODES = 3
"""Index of the nodes in a line of a log."""


@dataclass(frozen=True, slots=True)
class Log:
    """What one simulation did, as text with all digits."""

    placements: tuple[str, ...]
    """`job pool width node:devices,… start end action` of each attempt, in order of its start, then
    of its job. Seconds from the start of the workload."""
    results: tuple[str, ...]
    """`job started ended attempts failed wasted dollars joules` of each job, then what was billed
    while no job ran."""

    def digest(self) -> str:
        """`number hash hash hash`: of the placements without their nodes, the nodes, the results.

        The number is that of the placements.
        """
        fields = [line.split() for line in self.placements]
        rest = [" ".join(line[:NODES] + line[NODES + 1 :]) for line in fields]
        hashes = map(_hash, (rest, [line[NODES] for line in fields], self.results))
        return f"{len(fields)} {' '.join(hashes)}"


class RecordedSimulation(Simulation):
    """A simulation that also remembers how each attempt was placed."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named, record=True)
        self._actions: dict[int, list[str]] = defaultdict(list)

    def commit(self, plan: Plan, *, save: bool = True) -> None:
        """Carry out a plan, and remember its actions."""
        for placement in (*plan.placements, *plan.deferred):
            self._actions[placement.job].append(placement.action.value)
        super().commit(plan, save=save)

    def log(self, outcome: SimulationResult) -> Log:
        """The log of a simulation that has ended with this result."""
        # The attempts of a job end in the order in which they were placed.
        actions = {job: iter(placed) for job, placed in self._actions.items()}
        rows = [(held, next(actions[held.job])) for held in self.held or ()]
        return log_of(rows, self.spec, outcome)


def log_of(
    rows: Iterable[tuple[HeldDevices, str]], spec: ClusterSpec, outcome: SimulationResult
) -> Log:
    """The log of (attempt, action) pairs in order of the attempts' ends, and of the result."""
    ordered = sorted(rows, key=lambda row: (row[0].start, row[0].job))
    pools = [pool.name for pool in spec.pools]
    placements = (_line(held, pools[held.pool], action) for held, action in ordered)
    return Log(tuple(placements), tuple(_results(outcome)))


def _line(held: HeldDevices, pool: str, action: str) -> str:
    width = sum(devices for _, devices in held.nodes)
    nodes = ",".join(f"{node}:{devices}" for node, devices in held.nodes)
    return f"{held.job} {pool} {width} {nodes} {float(held.start)!r} {float(held.end)!r} {action}"


def _results(outcome: SimulationResult) -> Iterator[str]:
    columns = (
        outcome.job,
        outcome.started,
        outcome.ended,
        outcome.attempts,
        outcome.failed,
        outcome.wasted,
        outcome.dollars,
        outcome.joules,
    )
    for row in zip(*(column.tolist() for column in columns), strict=True):
        yield " ".join(map(repr, row))
    yield f"idle {float(outcome.idle_dollars)!r} {float(outcome.idle_joules)!r}"


def _hash(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
