"""Why a queued job does not start now: one main reason, its evidence, and who goes first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np

from scheduler.arrays import Floats
from scheduler.decisions.kernel.cluster.starts import look_ahead
from scheduler.decisions.kernel.rules.precedence import alike, earlier, first_of, urgency_of
from scheduler.decisions.rounds import words
from scheduler.decisions.rounds.candidates import Candidates, open_rows
from scheduler.decisions.rounds.criteria import Criterion
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.policy import Policy, traits
from scheduler.decisions.rounds.round import Round
from scheduler.decisions.rounds.run import best, decide
from scheduler.decisions.state.plan import Plan
from scheduler.decisions.state.snapshot import Snapshot
from scheduler.decisions.state.world import World
from scheduler.domain.units import counted, duration


class Cause(StrEnum):
    """The one reason that keeps a job from starting now."""

    NONE = "none"
    """Nothing keeps it: it starts in this round."""
    DEVICES = "devices"
    """It is next for its pool, which has too little free."""
    ORDER = "order"
    """Its pool keeps free what it has for a job that goes first."""
    POLICY = "policy"
    """The policy chose to wait."""


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another placement the job accepts."""

    pool: str
    width: int
    start_delay_s: float
    runtime_s: float
    dollars: float
    slowdown: float
    """Runtime there ÷ runtime on the placement it waits for."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Why a queued job does not run now."""

    job: int
    cause: Cause
    text: str
    position: int
    """1: the next in the policy's order."""
    depth: int
    """Waiting jobs."""
    pool: str
    """Where it would go."""
    width: int
    start_delay_s: float
    """Seconds until its placement would fit if it were next; inf: not in sight."""
    blockers: Sequence[int] = ()
    """Jobs whose end or start it waits for, soonest first."""
    alternatives: Sequence[Alternative] = field(default_factory=tuple)
    ahead: str = ""
    """Who goes first for its pool, and why, in words; empty if it is next."""


def wait(snapshot: Snapshot, policy: Policy, mode: Mode, job: int) -> Wait:
    """Why the queued `job` does not start now. Raises `KeyError` if it is not in the queue."""
    world, after = snapshot.world.copy(), snapshot.world.copy()
    slot = world.slot_of(job)
    if slot is None:
        raise KeyError(job)
    Round(world, snapshot.now, mode)
    table = Candidates(world, open_rows(world))
    scores = policy.scores(table)
    mine = [int(np.searchsorted(table.rows, row)) for row in world.rows_of(slot)]
    own = np.full(len(table), -np.inf)
    own[mine] = scores[mine]
    plan = decide(Round(after, snapshot.now, mode, snapshot.committed), policy)
    target = _decided(plan, table, mine)
    if target is None:
        target = best(table, own, policy) or mine[0]
    pool = snapshot.pools[int(table.pool[target])]
    found = Wait(
        job=job,
        cause=Cause.POLICY,
        text="the policy keeps it waiting although something fits",
        position=_position(table, scores, target, heed=traits(policy).heeds_urgency),
        depth=world.depth,
        pool=pool.name,
        width=int(table.width[target]),
        start_delay_s=float(table.start_delay[target]),
        alternatives=_alternatives(table, mine, target),
        ahead=_ahead(policy, table, scores, target),
    )
    return _with_cause(found, plan, after, table, target)


def _decided(plan: Plan, table: Candidates, mine: Sequence[int]) -> int | None:
    """The row of the job that the round started or reserved."""
    job = int(table.job[mine[0]])
    fates = {placed.job: (placed.pool, placed.width) for placed in plan.placements}
    fates |= {held.job: (held.pool, held.width) for held in plan.reservations}
    places = ((int(table.pool[row]), int(table.width[row])) for row in mine)
    return next(
        (row for row, place in zip(mine, places, strict=True) if place == fates.get(job)), None
    )


def _with_cause(found: Wait, plan: Plan, after: World, table: Candidates, target: int) -> Wait:
    pool = int(table.pool[target])
    held = next((r for r in plan.reservations if r.pool == pool), None)
    if any(placement.job == found.job for placement in plan.placements):
        return replace(found, cause=Cause.NONE, text="starts in this round")
    if held is not None and held.job != found.job:
        going = [placement.job for placement in plan.placements if placement.pool == pool]
        return replace(
            found,
            cause=Cause.ORDER,
            text=f"job {held.job} goes first on {found.pool} and {_needs(held.width)}"
            f"{_in(held.start - plan.now)}; starting now would delay it",
            blockers=(held.job, *going),
        )
    if held is not None or not table.fits[target]:
        start = np.inf if held is None else held.start
        # What this round starts counts too: the job may wait for it.
        ends = [
            (running.end - plan.now, running.job)
            for running in after.releases(pool)
            if running.end <= start and running.job > 0
        ]
        free, count = after.free(pool), after.pools[pool].count
        text = f"waits for {found.width} of {count} {found.pool} devices, {free} free"
        if ends:
            text += f"; job {ends[0][1]} ends{_in(ends[0][0])}"
        delay = found.start_delay_s
        if held is not None:
            delay = held.start - plan.now + after.pools[pool].boot_s
        return replace(
            found,
            cause=Cause.DEVICES,
            text=text,
            start_delay_s=delay,
            blockers=tuple(job for _, job in ends),
        )
    going = [placement.job for placement in plan.placements if placement.pool == pool]
    if going:
        return replace(
            found,
            cause=Cause.ORDER,
            text=f"job {going[0]} goes first on {found.pool}",
            blockers=tuple(going),
        )
    return found


def _position(table: Candidates, scores: Floats, target: int, *, heed: bool) -> int:
    """1 + jobs that go first: by their best scores, and among jobs alike by urgency if `heed`."""
    world, me = table.world, int(table.slot[target])
    handle, row = world.handle, int(table.rows[target])
    look_ahead(handle, int(table.pool[target]))  # urgencies read when the row could start
    best = np.full(len(world.job_id), -np.inf)
    np.maximum.at(best, table.slot, scores)
    slots = np.unique(table.slot[1:]).tolist()
    group = [slot for slot in slots if slot == me or (heed and alike(handle, me, slot))]
    urgencies = {slot: urgency_of(handle, slot, row) for slot in group}
    first = sum(
        urgencies[slot] > urgencies[me]
        or (urgencies[slot] == urgencies[me] and earlier(handle, slot, me))
        for slot in group
    )
    # Among jobs that are alike, the more urgent one gets the higher score.
    own = np.sort(best[group])[::-1][first]
    others = set(slots).difference(group)
    ahead = sum(
        bool(best[slot] > own) or (best[slot] == own and earlier(handle, slot, me))
        for slot in others
    )
    return 1 + int(first + ahead)


def _ahead(policy: Policy, table: Candidates, scores: Floats, target: int) -> str:
    """The first of the jobs that go before this one on the same pool, and why."""
    slot, world = int(table.slot[target]), table.world
    rows = np.flatnonzero((table.pool == table.pool[target]) & (table.slot != slot))
    own = scores[table.rivals(target)].max()
    rows = rows[(scores[rows] > own) | ((scores[rows] == own) & (own > -np.inf))]
    before = [
        other
        for other in np.unique(table.slot[rows]).tolist()
        if scores[rows[table.slot[rows] == other]].max() > own or earlier(world.handle, other, slot)
    ]
    if not before:
        return ""
    # Of equal scores the oldest goes first, as in `run.best`.
    best = {other: float(scores[rows[table.slot[rows] == other]].max()) for other in before}
    top = max(best.values())
    tied = np.array([other for other in before if best[other] == top])
    first = int(tied[first_of(world.handle, tied)])
    said = f"{counted(len(before), 'job')} {'goes' if len(before) == 1 else 'go'} before it"
    said += f" on {world.pools[int(table.pool[target])].name}"
    said += f", job {int(world.job_id[first])} first"
    criteria = tuple(traits(policy).criteria) or tuple(Criterion)
    why = words.behind(world, criteria, first, slot)
    return f"{said}: job {int(world.job_id[slot])} {why}" if why else said


def _alternatives(table: Candidates, mine: Sequence[int], target: int) -> tuple[Alternative, ...]:
    return tuple(
        Alternative(
            pool=table.world.pools[int(table.pool[row])].name,
            width=int(table.width[row]),
            start_delay_s=float(table.start_delay[row]),
            runtime_s=float(table.runtime[row]),
            dollars=float(table.dollars[row]),
            slowdown=float(table.runtime[row] / max(table.runtime[target], 1e-9)),
        )
        for row in mine
        if row != target
    )


def _needs(width: int) -> str:
    return f"needs {counted(width, 'device')}"


def _in(seconds: float) -> str:
    if not np.isfinite(seconds):
        return " at a time not in sight"
    return f" in about {duration(max(seconds, 0.0))}"
