"""Explanations: the part of a table that explains a choice, and the main reason of a wait.

Every figure is read from the table that decided.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np

from scheduler.arrays import Floats
from scheduler.decisions.kernel.cluster.starts import look_ahead
from scheduler.decisions.kernel.rules.precedence import alike, earlier, urgency_of
from scheduler.decisions.rounds.candidates import COLUMNS, Candidates, open_rows
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.policy import Policy, traits
from scheduler.decisions.rounds.round import Round
from scheduler.decisions.rounds.run import Observer, best, decide
from scheduler.decisions.state.plan import Action, Plan
from scheduler.decisions.state.snapshot import Snapshot
from scheduler.decisions.state.world import WAIT, World
from scheduler.domain.records import Decision, Row
from scheduler.domain.units import duration, money

RIVALS = 5
"""Rows kept beside the chosen one."""


EXPLAINED = 4
"""A policy gives reasons for so many first choices of a round: for a learned one they take as long
as ten choices."""
NAMED = 3
"""Reasons in the sentence."""


def observer(policy: Policy) -> Observer:
    """An observer of one round: it keeps each chosen row, its best rivals and one sentence."""
    reasons = traits(policy).reasons
    asked = 0

    def observe(table: Candidates, scores: Floats, chosen: int, action: Action) -> Decision:
        nonlocal asked
        rivals = [row for row in _top(scores, RIVALS + 1) if row != chosen][:RIVALS]
        rows = _rows(table, scores, [chosen, *rivals])
        if reasons is not None and rivals and asked < EXPLAINED:
            asked += 1
            rows[0] = replace(rows[0], terms=reasons(table, chosen, rivals[0]))
        return Decision(
            time=table.now,
            job=rows[0].job,
            attempt=None,
            policy=policy.name,
            action=action.value,
            rows=len(table) - 1,
            chosen=rows[0],
            rivals=tuple(rows[1:]),
            reason=_sentence(policy, action, rows, len(np.unique(table.slot)) - 1)
            + _comment(policy, table, chosen),
        )

    return observe


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


def _top(scores: Floats, count: int) -> list[int]:
    """Positions of the best scores, best first, WAIT and the impossible left out."""
    possible = np.flatnonzero(np.isfinite(scores))
    possible = possible[possible != WAIT]
    if len(possible) > count:
        possible = possible[np.argpartition(-scores[possible], count)[:count]]
    return [int(row) for row in possible[np.argsort(-scores[possible], kind="stable")]]


def _rows(table: Candidates, scores: Floats, positions: Sequence[int]) -> list[Row]:
    part = table.only(positions)
    columns = {name: getattr(part, name) for name in COLUMNS}
    return [
        Row(
            job=int(part.job[at]),
            pool=table.world.pools[int(part.pool[at])].name if positions[at] else "",
            width=int(part.width[at]),
            score=float(np.nan_to_num(scores[positions[at]], neginf=-1e300, posinf=1e300)),
            values={
                name: float(values[at])
                for name, values in columns.items()
                if np.isfinite(values[at])
            },
        )
        for at in range(len(positions))
    ]


def _sentence(policy: Policy, action: Action, rows: Sequence[Row], jobs: int) -> str:
    chosen = rows[0]
    if action is Action.WAIT:
        return f"{policy.name} chose to wait before {jobs} jobs"
    place = f"{chosen.pool} × {chosen.width}"
    values = chosen.values
    what = {
        Action.START: "starts on",
        Action.BACKFILL: "fits beside the reserved job on",
        Action.RESERVE: "is next for",
        Action.WAIT: "",
    }[action]
    text = f"{policy.name}: best of {jobs} {'job' if jobs == 1 else 'jobs'}, {what} {place}"
    text += f" ({duration(values['runtime'])}, {money(values['dollars'])})"
    own = next((row for row in rows[1:] if row.job == chosen.job), None)
    if own is not None:
        text += (
            f" rather than {own.pool} × {own.width} ({duration(own.values['runtime'])}, "
            f"{money(own.values['dollars'])}) at preference {values['preference']:.2g}"
        )
    named = [f"{name} {term:+.2g}" for name, term in list(chosen.terms.items())[:NAMED]]
    return f"{text}; decided by {', '.join(named)}" if named else text


def _comment(policy: Policy, table: Candidates, chosen: int) -> str:
    """What the policy says of its choice."""
    comment = traits(policy).comment
    words = "" if comment is None else comment(table, chosen)
    return f"; {words}" if words else ""


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
    return f"needs {width} {'device' if width == 1 else 'devices'}"


def _in(seconds: float) -> str:
    if not np.isfinite(seconds):
        return " at a time not in sight"
    return f" in about {duration(max(seconds, 0.0))}"
