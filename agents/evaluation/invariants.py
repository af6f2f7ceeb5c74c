"""Invariants of every simulated run under any policy, checked after each run, vectorised.

`envs.simulator.invariants` checks the queue and the nodes during a simulation, in tests.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, fields

import numpy as np

from envs.simulator.results import SimulationResult
from envs.simulator.simulated_job import HeldDevices
from scheduler.arrays import Bools, Floats, Ints
from scheduler.domain.errors import FulcrumError
from scheduler.domain.pools import Pool

SLACK = 1e-9
"""Relative difference of two sums of seconds that counts as none."""
_SHOWN = 3


class InvariantError(FulcrumError):
    """A run did what no cluster can do, so the simulator or the policy is wrong."""

    code = "invariant"


@dataclass(frozen=True, slots=True)
class RunLog:
    """Placements, one row for each node of an attempt: columns of shape (rows,)."""

    job: Ints
    pool: Ints
    """Index."""
    node: Ints
    """Index inside the pool."""
    devices: Ints
    """Held on this node."""
    memory: Floats
    """Bytes claimed on this node."""
    start: Floats
    """Seconds; begin of the placement."""
    end: Floats
    """Seconds; end of the placement."""


def logged(held: Iterable[HeldDevices]) -> RunLog:
    """The log of attempts that have ended."""
    rows = [
        (
            attempt.job,
            attempt.pool,
            node,
            count,
            # Memory is claimed evenly per device, rounded up on every node.
            -(-attempt.memory * count // width),
            attempt.start,
            attempt.end,
        )
        for attempt in held
        for width in (sum(count for _, count in attempt.nodes),)
        for node, count in attempt.nodes
    ]
    table = np.array(rows, dtype=np.float64).reshape(-1, 7)
    return RunLog(*table[:, :4].astype(np.int64).T, *table[:, 4:].T)


def check(
    outcome: SimulationResult,
    log: RunLog,
    pools: Sequence[Pool],
    submitted: Sequence[int],
    uncounted: Collection[int] = (),
) -> None:
    """Raise `InvariantError` that names everything wrong with a run of the jobs `submitted`.

    `uncounted`: further jobs, which the outcome does not tell of.
    No job is lost or run twice at once, time never runs backwards, no node holds more devices or
    memory than it has, and all that is counted is finite and at least 0.
    """
    # The other checks need all jobs.
    found = _lost(outcome, submitted) or [
        *_backwards(outcome, log),
        *_oversubscribed(log, pools),
        *_twice(log),
        *_unconserved(outcome, _without(log, uncounted), pools),
    ]
    if found:
        raise InvariantError("; ".join(found), {"run": "what a cluster can do"})


def _without(log: RunLog, jobs: Collection[int]) -> RunLog:
    """The rows of other jobs."""
    kept = ~np.isin(log.job, np.array(sorted(jobs), dtype=np.int64))
    return RunLog(*(getattr(log, field.name)[kept] for field in fields(log)))


def _lost(outcome: SimulationResult, submitted: Sequence[int]) -> list[str]:
    wanted = np.asarray(submitted, dtype=np.int64)
    if not np.array_equal(np.sort(outcome.job), np.sort(wanted)):
        return ["jobs that ended are not those that arrived"]
    return _named("never ended", np.isnan(outcome.ended) | np.isnan(outcome.started), outcome.job)


def _backwards(outcome: SimulationResult, log: RunLog) -> list[str]:
    slack = SLACK * np.maximum(np.abs(outcome.ended), 1.0)
    return [
        *_named("started before it arrived", outcome.wait < -slack, outcome.job),
        *_named("ended before it started", outcome.ended < outcome.started - slack, outcome.job),
        *_named(
            "ended sooner than it can run",
            _straight(outcome) & (outcome.ended - outcome.started < outcome.runtime - slack),
            outcome.job,
        ),
        *_named("is held backwards in time", log.end < log.start, log.job),
    ]


def _oversubscribed(log: RunLog, pools: Sequence[Pool]) -> list[str]:
    counts = np.array([pool.nodes for pool in pools], dtype=np.int64)
    wrong = (log.pool < 0) | (log.pool >= len(pools))
    wrong |= (log.node < 0) | (log.node >= counts[np.where(wrong, 0, log.pool)])
    if wrong.any():
        return _named("is on a node that does not exist", wrong, log.job)
    place = (np.cumsum(counts) - counts)[log.pool] + log.node
    devices = np.repeat([float(pool.devices_per_node) for pool in pools], counts)
    limits = np.array([float(pool.memory_per_node or np.inf) for pool in pools])
    found = []
    for what, held, limit in (
        ("devices", log.devices.astype(np.float64), devices),
        ("bytes", log.memory, np.repeat(limits, counts)),
    ):
        used, where, when = _levels(place, log, held)
        over = np.flatnonzero(used > limit[where])
        if len(over):
            first = over[0]
            found.append(
                f"a node holds {used[first]:g} of {limit[where[first]]:g} {what} "
                f"at {when[first]:g} s"
            )
    return found


def _levels(place: Ints, log: RunLog, held: Floats) -> tuple[Floats, Ints, Floats]:
    """How much is held on a node after each change there: (amount, place, time)."""
    places = np.concatenate((place, place))
    times = np.concatenate((log.start, log.end))
    changes = np.concatenate((held, -held))
    # At equal times, ends come before starts.
    order = np.lexsort((changes, times, places))
    # Every node ends with nothing held, so one running sum serves all nodes in turn.
    return np.cumsum(changes[order]), places[order], times[order]


def _twice(log: RunLog) -> list[str]:
    # Rows of one attempt share their start; attempts of a job must follow one another.
    order = np.lexsort((log.start, log.job))
    job, start, end = log.job[order], log.start[order], log.end[order]
    later = (job[1:] == job[:-1]) & (start[1:] > start[:-1])
    return _named("runs twice at once", later & (start[1:] < end[:-1]), job[1:])


def _unconserved(outcome: SimulationResult, log: RunLog, pools: Sequence[Pool]) -> list[str]:
    found = []
    for name in ("dollars", "joules", "runtime", "ideal", "wasted"):
        values = getattr(outcome, name)
        wrong = ~((values >= 0) & (values < np.inf))
        found += _named(f"has no sensible {name}", wrong, outcome.job)
    if not 0 <= outcome.idle_dollars < np.inf:
        found.append(f"idle nodes cost {outcome.idle_dollars} dollars")
    if not 0 <= outcome.idle_joules < np.inf:
        found.append(f"idle devices draw {outcome.idle_joules} joules")
    if outcome.capacity != sum(pool.count for pool in pools):
        found.append(f"{outcome.capacity} devices are not those of the pools")
    if not np.isin(log.job, outcome.job).all():
        return [*found, "devices were held for jobs that never arrived"]
    # What jobs needed was held for them: no run is shorter on devices than it is long.
    order = np.argsort(outcome.job)
    held = np.zeros(len(outcome.job))
    rows = order[np.searchsorted(outcome.job[order], log.job)]
    np.add.at(held, rows, (log.end - log.start) * log.devices)
    slack = SLACK * np.maximum(np.abs(outcome.ended) * outcome.width, 1.0)
    short = _straight(outcome) & (held < outcome.runtime * outcome.width - slack)
    # However often it was interrupted, its attempts together did the whole work.
    idle = ~outcome.failed & (_worked(outcome, log) < outcome.ideal - slack)
    return [
        *found,
        *_named("held fewer device-seconds than it ran", short, outcome.job),
        *_named("worked for less than its least runtime", idle, outcome.job),
    ]


def _worked(outcome: SimulationResult, log: RunLog) -> Floats:
    """Seconds that each job's attempts lasted, without what was wasted."""
    # Rows of one attempt share their start and end: the first stands for all.
    order = np.lexsort((-log.end, log.start, log.job))
    job, start, end = log.job[order], log.start[order], log.end[order]
    first = np.ones(len(job), dtype=np.bool_)
    first[1:] = (job[1:] != job[:-1]) | (start[1:] != start[:-1])
    where = np.argsort(outcome.job)
    rows = where[np.searchsorted(outcome.job[where], job[first])]
    lasted = np.bincount(rows, (end - start)[first], len(outcome.job))
    worked: Floats = lasted - outcome.wasted
    return worked


def _straight(outcome: SimulationResult) -> Bools:
    """Which jobs ran once, from their start to a good end."""
    once: Bools = (outcome.attempts == 1) & ~outcome.failed
    return once


def _named(what: str, wrong: Bools, jobs: Ints) -> list[str]:
    rows = np.unique(jobs[wrong])
    if not len(rows):
        return []
    shown = ", ".join(str(job) for job in rows[:_SHOWN])
    more = f" and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else ""
    return [f"job {shown}{more} {what}"]
