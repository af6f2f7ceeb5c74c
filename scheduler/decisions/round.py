"""One round: choices at one instant until nothing more can be chosen.

Time stands still inside a round. `run_round` pushes a policy through it; an environment pulls:
`table` shows the candidates, `take` applies one choice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from scheduler.decisions.candidates import Candidates
from scheduler.decisions.cluster import Cluster, Running
from scheduler.decisions.occupancy import Nodes, Occupancy
from scheduler.decisions.plan import Action, Placement, Plan, Reservation
from scheduler.decisions.policy import Policy
from scheduler.decisions.queue import WAIT, Bools, Floats, Queue, Shape
from scheduler.decisions.snapshot import Snapshot
from scheduler.domain.records import Decision

Observer = Callable[[Candidates, Floats, int, Action], Decision]
"""(table, scores, chosen position, what became of it) → the part worth keeping."""


class Mode(StrEnum):
    """What happens when the chosen job does not fit."""

    COMMIT = "commit"
    """It keeps its pool closed until it fits: no backfilling."""
    EASY = "commit+easy"
    """It gets a reservation; others may start if they do not delay it (Lifka 1995)."""
    GREEDY = "greedy"
    """It cannot be chosen: only what fits now, or WAIT."""


@dataclass(frozen=True, slots=True)
class _Blocked:
    """A pool whose next job is decided: what may still start beside it."""

    reservation: Reservation
    spare: Occupancy | None
    """What may be held beyond the reserved start; None: nothing may start."""


class Round:
    """Applies choices to `cluster` (which it changes) until the instant is used up."""

    def __init__(self, queue: Queue, cluster: Cluster, now: float, mode: Mode) -> None:
        self.now = now
        self.mode = mode
        self._queue = queue
        self._cluster = cluster
        # What no pool could ever hold must not be reserved: it would close its pool for good.
        empty = [Occupancy(pool) for pool in cluster.pools]
        holds = [
            shape.pool < 0 or empty[shape.pool].fit(shape.width, shape.memory) is not None
            for shape in queue.shapes
        ]
        self._open: Bools = queue.open & np.asarray(holds, dtype=np.bool_)[queue.shape]
        self._blocked: dict[int, _Blocked] = {}
        self._placements: list[Placement] = []
        self._over = False

    def table(self) -> Candidates | None:
        """The candidates now; None when nothing but WAIT is left."""
        if self._over:
            return None
        allowed = self._allowed()
        rows = np.flatnonzero(allowed)
        if len(rows) <= 1:
            self._over = True
            return None
        return Candidates(self._queue, self._cluster, self.now, rows)

    def outcome(self, row: int) -> Action:
        """What `take` would do with a row, without doing it. Raises `ValueError` as `take` does."""
        return self._decide(row)[0]

    def take(self, row: int) -> Action:
        """Apply the choice of a row of the *queue* (`table.rows[position]`).

        Raises `ValueError` if that row may not be chosen now.
        """
        action, nodes = self._decide(row)
        if action is Action.WAIT:
            self._over = True
            return action
        slot = int(self._queue.slot[row])
        shape = self._queue.shapes[int(self._queue.shape[row])]
        if nodes is not None:
            self._start(row, slot, shape, nodes, action)
        else:
            self._reserve(slot, shape)
        for position in self._queue.rows_of(slot):
            self._open[position] = False
        return action

    def plan(self, policy: str = "", decisions: tuple[Decision, ...] = ()) -> Plan:
        """What has been decided so far."""
        return Plan(
            now=self.now,
            policy=policy,
            placements=tuple(self._placements),
            reservations=tuple(blocked.reservation for blocked in self._blocked.values()),
            decisions=decisions,
        )

    def _decide(self, row: int) -> tuple[Action, Nodes | None]:
        if row == WAIT:
            return Action.WAIT, None
        if self._over or not self._open[row]:
            raise ValueError(f"row {row} may not be chosen now")
        shape = self._queue.shapes[int(self._queue.shape[row])]
        nodes = self._room(shape, float(self._queue.runtime[row]))
        if nodes is not None:
            return Action.BACKFILL if shape.pool in self._blocked else Action.START, nodes
        if self.mode is Mode.GREEDY or shape.pool in self._blocked:
            raise ValueError(f"row {row} does not fit and may not be reserved")
        return Action.RESERVE, None

    def _allowed(self) -> Bools:
        """Rows that may be chosen: they fit and delay no reservation, or they may be reserved."""
        shapes = self._queue.shapes
        short = np.zeros(len(shapes), dtype=np.bool_)
        long = np.zeros(len(shapes), dtype=np.bool_)
        begin, latest = np.zeros(len(shapes)), np.full(len(shapes), np.inf)
        for index, shape in enumerate(shapes):
            short[index], long[index], begin[index], latest[index] = self._verdict(shape)
        if not short[1:].any() and not long[1:].any():
            return np.zeros(1, dtype=np.bool_)
        of = self._queue.shape
        allowed = self._open & long[of]
        if not np.array_equal(short, long):
            in_time = begin[of] + self._queue.runtime <= latest[of]
            allowed |= self._open & short[of] & in_time
        return allowed

    def _verdict(self, shape: Shape) -> tuple[bool, bool, float, float]:
        """(may start if it ends in time, may be chosen whatever its end, start, latest end)."""
        if shape.pool < 0:
            return True, True, self.now, np.inf
        occupancy = self._cluster.occupancy[shape.pool]
        blocked = self._blocked.get(shape.pool)
        if blocked is None:
            possible = self.mode is not Mode.GREEDY or (
                occupancy.fit(shape.width, shape.memory) is not None
            )
            return possible, possible, self.now, np.inf
        if blocked.spare is None or occupancy.fit(shape.width, shape.memory) is None:
            return False, False, self.now, -np.inf
        beside = blocked.spare.least(occupancy).fit(shape.width, shape.memory) is not None
        return True, beside, self._begin(shape.pool), blocked.reservation.start

    def _room(self, shape: Shape, runtime: float) -> Nodes | None:
        """Where the placement fits now without delaying the pool's reservation."""
        occupancy = self._cluster.occupancy[shape.pool]
        blocked = self._blocked.get(shape.pool)
        if blocked is None or (
            blocked.spare is not None
            and self._begin(shape.pool) + runtime <= blocked.reservation.start
        ):
            return occupancy.fit(shape.width, shape.memory)
        if blocked.spare is None:
            return None
        return blocked.spare.least(occupancy).fit(shape.width, shape.memory)

    def _begin(self, pool: int) -> float:
        # Every comparison with an end adds up in this order: one ulp apart, a job would count as
        # ending in time here and as occupying the reserved devices there.
        return self.now + self._cluster.pools[pool].boot_s

    def _start(self, row: int, slot: int, shape: Shape, nodes: Nodes, action: Action) -> None:
        job = int(self._queue.id[slot])
        runtime = float(self._queue.runtime[row])
        end = self._begin(shape.pool) + runtime
        self._cluster.start(Running(end, job, shape.pool, nodes, shape.memory))
        blocked = self._blocked.get(shape.pool)
        if blocked is not None and blocked.spare is not None and end > blocked.reservation.start:
            blocked.spare.take(nodes, shape.memory)
        self._placements.append(
            Placement(
                job=job,
                pool=shape.pool,
                width=shape.width,
                nodes=nodes,
                memory=shape.memory,
                runtime_s=runtime,
                dollars=float(self._queue.dollars[row]),
                joules=float(self._queue.joules[row]),
                action=action,
            )
        )

    def _reserve(self, slot: int, shape: Shape) -> None:
        found = self._cluster.earliest(shape.pool, shape.width, shape.memory, self.now)
        assert found is not None  # only what an empty pool can hold is open
        start, free = found
        spare: Occupancy | None = None
        if self.mode is Mode.EASY:
            spare = free
            nodes = spare.fit(shape.width, shape.memory)
            assert nodes is not None  # `earliest` found room for it
            spare.take(nodes, shape.memory)
        self._blocked[shape.pool] = _Blocked(
            Reservation(
                job=int(self._queue.id[slot]),
                pool=shape.pool,
                width=shape.width,
                memory=shape.memory,
                start=start,
            ),
            spare,
        )


def run_round(
    snapshot: Snapshot,
    policy: Policy,
    mode: Mode = Mode.EASY,
    observe: Observer | None = None,
) -> Plan:
    """Push `policy` through a round over `snapshot`."""
    return push(Round(snapshot.queue, snapshot.cluster(), snapshot.now, mode), policy, observe)


def push(round_: Round, policy: Policy, observe: Observer | None = None) -> Plan:
    """Let `policy` choose until the round is over."""
    decisions: list[Decision] = []
    known: Floats | None = None
    while (table := round_.table()) is not None:
        if known is None:
            scores = policy.scores(table)
            if policy.stable:
                known = _spread(table, scores)
        else:
            scores = known[table.rows]
        position = best(table, scores, policy)
        row = int(table.rows[position])
        if observe is not None:
            # Before `take`: columns are computed when read, and must show what the policy saw.
            decisions.append(observe(table, scores, position, round_.outcome(row)))
        if round_.take(row) is Action.WAIT:
            break
    return round_.plan(policy.name, tuple(decisions))


def best(table: Candidates, scores: Floats, policy: Policy) -> int:
    """Position of the best row: highest score, then the oldest job.

    Between equally scored rows of that job: least cost, then soonest end.
    """
    position = int(np.argmax(scores))
    if position == WAIT:
        return position
    ties = np.flatnonzero(scores == scores[position])
    if len(ties) > 1:
        position = int(ties[np.argmin(table.queue.submitted[table.slot[ties]])])
    rivals = table.rivals(position)
    if len(rivals) == 1:
        return position
    tied = [row for row in rivals if scores[row] == scores[position]]
    if len(tied) == 1:
        return position
    part = table.only(tied)
    return tied[int(np.lexsort((part.start_delay + part.runtime, policy.costs(part)))[0])]


def _spread(table: Candidates, scores: Floats) -> Floats:
    """Scores of a table's rows at the positions of the queue's rows."""
    spread = np.full(len(table.queue.slot), -np.inf)
    spread[table.rows] = scores
    return spread
