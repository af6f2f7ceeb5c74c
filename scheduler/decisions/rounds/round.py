"""One round: choices at one instant until nothing more can be chosen.

Time stands still inside a round. `table` shows the candidates, and `take` applies one choice:
environments call them. `run.decide` lets a policy choose until the round is over.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

import numpy as np

from scheduler.decisions.rounds.candidates import Candidates
from scheduler.decisions.state.cluster import Cluster, RunningAttempt
from scheduler.decisions.state.occupancy import Nodes, Occupancy
from scheduler.decisions.state.plan import Action, Placement, Plan, Reservation
from scheduler.decisions.state.queue import WAIT, Bools, Floats, Ints, Queue, Shape
from scheduler.domain.records import Decision


class Mode(StrEnum):
    """What happens when the chosen job does not fit."""

    sticky: bool
    """Whether a reservation outlives its round."""
    easy: bool
    """Whether EASY's two rules say what may start beside a reservation."""
    closed: bool
    """Whether nothing at all may start beside a reservation."""

    def __new__(
        cls, value: str, sticky: bool = False, easy: bool = False, closed: bool = False
    ) -> Self:
        """A member with its rules as plain attributes: rounds read them all the time."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.sticky, member.easy, member.closed = sticky, easy, closed
        return member

    NONE = "none", False, False, True
    """It closes its pool for this round; the next round chooses again. No backfilling."""
    EASY = "easy", False, True, False
    """It gets a reservation for this round; others may start if they do not delay it
    (Lifka 1995)."""
    COMMIT = "commit", True, False, True
    """It keeps its pool closed until it has started, whatever arrives meanwhile."""
    COMMIT_EASY = "commit+easy", True, True, False
    """It keeps its place until it has started; others may start if they do not delay it."""
    COMMIT_FCFS = "commit+fcfs", True, False, False
    """It keeps its place; the oldest others may start that end before the start it was first
    promised. The rule of Zhang et al., "RLScheduler", SC 2020: for comparison only."""
    GREEDY = "greedy", False, True, False
    """It cannot be chosen: only what fits now, or WAIT. But a job that can start nowhere now may be
    reserved as under EASY if it is wide, or starves (`Round.rescue`): narrow jobs would take each
    device that it needs as soon as it is free."""


@dataclass(slots=True)
class _Blocked:
    """A pool whose next job is decided: what may still start beside it."""

    reservation: Reservation
    spare: Occupancy | None
    """What may be held beyond the reserved start; None: nothing."""
    beside: Occupancy | None = None
    """What is free now and may be held beyond the reserved start; None: to be computed."""


class Round:
    """Applies choices to `cluster` (which it changes) until the instant is used up.

    `committed`: in a sticky mode the reservations of the round before; `pending` names their rows
    one after another, and they must be taken first.
    """

    def __init__(
        self,
        queue: Queue,
        cluster: Cluster,
        now: float,
        mode: Mode,
        committed: Sequence[Reservation] = (),
    ) -> None:
        self.now = now
        self.mode = mode
        self._queue = queue
        self._cluster = cluster
        # What no pool could ever hold must not be reserved: it would close its pool forever.
        self._open: Bools = queue.open.copy()
        for index in cluster.impossible(queue.shapes):
            self._open &= queue.shape != index
        self._asked: list[int] | None = None
        self._blocked: dict[int, _Blocked] = {}
        self._placements: list[Placement] = []
        self._promised = {held.job: held for held in committed if mode.sticky}
        self._pending = deque(self._rows_of(held) for held in self._promised.values())
        self._held: Bools | None = self._wide() if mode is Mode.GREEDY else None
        self._over = False

    def rescue(self, after_s: float) -> None:
        """Let all jobs that have waited longer be reserved even in `Mode.GREEDY`.

        Before the first `table` only.
        """
        if self.mode is not Mode.GREEDY or not np.isfinite(after_s):
            return
        starving = self.now - self._queue.submitted > after_s
        if starving[1:].any():
            rows = starving[self._queue.slot]
            self._held = rows if self._held is None else self._held | rows

    def pending(self) -> int | None:
        """The row of a job that was committed to in an earlier round; None if all are taken."""
        while self._pending:
            row = self._pending[0]
            if row is not None and self._open[row]:
                return row
            self._pending.popleft()
        return None

    def table(self) -> Candidates | None:
        """The candidates now; None when nothing but WAIT is left.

        While a row is `pending`, it is the only one beside WAIT, and so is the oldest job's under
        `Mode.COMMIT_FCFS` while a pool is blocked: then the policy has no choice.
        """
        if self._over:
            return None
        if not self.free:
            only = self._only()
            if only is not None:
                return self._table(np.array([WAIT, only]))
            self._over = True
            return None
        rows = self._allowed().nonzero()[0]
        if len(rows) <= 1:
            self._over = True
            return None
        return self._table(rows)

    @property
    def queue(self) -> Queue:
        """The jobs that waited when the round began."""
        return self._queue

    @property
    def free(self) -> bool:
        """Whether the policy has a choice now."""
        return self.pending() is None and not (self.mode is Mode.COMMIT_FCFS and self._blocked)

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

    def _only(self) -> int | None:
        """The one row that may be taken when the policy has no choice."""
        pending = self.pending()
        if pending is not None:
            return pending
        rows = np.flatnonzero(self._allowed())[1:]
        if not len(rows):
            return None
        return int(rows[np.argmin(self._queue.submitted[self._queue.slot[rows]])])

    def _decide(self, row: int) -> tuple[Action, Nodes | None]:
        if row == WAIT:
            return Action.WAIT, None
        if self._over or not self._open[row] or not (self.free or row == self._only()):
            raise ValueError(f"row {row} may not be chosen now")
        shape = self._queue.shapes[int(self._queue.shape[row])]
        nodes = self._room(shape, float(self._queue.runtime[row]))
        if nodes is not None:
            return Action.BACKFILL if shape.pool in self._blocked else Action.START, nodes
        if shape.pool in self._blocked or not self._reservable(row):
            raise ValueError(f"row {row} does not fit and may not be reserved")
        return Action.RESERVE, None

    def _table(self, rows: Ints) -> Candidates:
        return Candidates(
            self._queue, self._cluster, self.now, rows, backfilling=bool(self._blocked)
        )

    def _rows_of(self, held: Reservation) -> int | None:
        """The queue's row of a reservation; None if its job has left or changed."""
        slot = self._queue.slot_of(held.job)
        for row in () if slot is None else self._queue.rows_of(slot):
            shape = self._queue.shapes[int(self._queue.shape[row])]
            if (shape.pool, shape.width) == (held.pool, held.width):
                return row
        return None

    def _reservable(self, row: int) -> bool:
        """Whether the row may be chosen although it does not fit yet."""
        if self.mode is not Mode.GREEDY:
            return True
        return self._held is not None and bool(self._held[row])

    def _allowed(self) -> Bools:
        """Rows that may be chosen: they fit and delay no reservation, or they may be reserved."""
        greedy = self.mode is Mode.GREEDY
        if not (self._blocked or greedy):
            return self._open
        of = self._queue.shape
        fits = self._cluster.fitting(self._queue.shapes)
        if not self._blocked:
            allowed = self._open & fits.take(of)
        else:
            anyway, begin, latest = self._beside_reservations(fits)
            allowed = self._open & anyway.take(of)
            if latest is not None:
                ends = begin[of] + self._queue.runtime
                # RLScheduler's rule is strict; EASY's lets a job end just when the reserved starts.
                strict = self.mode is Mode.COMMIT_FCFS
                in_time = ends < latest[of] if strict else ends <= latest[of]
                allowed |= self._open & in_time
        if self._held is not None:
            allowed |= self._reserved(self._held, allowed)
        return allowed

    def _wide(self) -> Bools | None:
        """(rows,) Placements on more than one device; None if there are none."""
        wide = np.array([shape.width > 1 for shape in self._queue.shapes], dtype=np.bool_)
        return wide[self._queue.shape] if wide.any() else None

    def _beside_reservations(self, fits: Bools) -> tuple[Bools, Floats, Floats | None]:
        """What may start beside reservations, by shape; (shapes,) each.

        Which may be chosen whatever their end; when the others would begin, and by when they have
        to end: -inf is never, None is never for all.
        """
        shapes = self._queue.shapes
        if self._asked is None:
            wanted = np.zeros(len(shapes), dtype=np.bool_)
            wanted[self._queue.shape[self._open]] = True
            self._asked = np.flatnonzero(wanted).tolist()
        greedy, closed = self.mode is Mode.GREEDY, self.mode.closed
        anyway: Bools = fits.copy() if greedy else np.ones(len(shapes), dtype=np.bool_)
        begin, latest = np.zeros(len(shapes)), np.full(len(shapes), -np.inf)
        some = False
        for index in self._asked:
            pool, width, memory = shapes[index]
            blocked = self._blocked.get(pool)
            if blocked is None:
                continue
            anyway[index] = False
            if closed or not fits[index]:
                continue
            occupancy = self._cluster.occupancy[pool]
            beside = self._beside(blocked, occupancy)
            if beside is not None and beside.fit(width, memory) is not None:
                anyway[index] = True
                continue
            nodes = occupancy.fit(width, memory)
            assert nodes is not None
            begin[index], latest[index] = self._begin(pool, nodes), blocked.reservation.start
            some = True
        return anyway, begin, latest if some else None

    def _reserved(self, held: Bools, allowed: Bools) -> Bools:
        """Which of these rows may be reserved: those of jobs that can start nowhere now."""
        pools = [shape.pool for shape in self._queue.shapes]
        free = np.array([pool >= 0 and pool not in self._blocked for pool in pools], dtype=np.bool_)
        able = np.zeros(len(self._queue.id), dtype=np.bool_)
        able[self._queue.slot[allowed]] = True
        found: Bools = self._open & held & free[self._queue.shape] & ~able[self._queue.slot]
        return found

    def _room(self, shape: Shape, runtime: float) -> Nodes | None:
        """Where the placement fits now without delaying the pool's reservation."""
        occupancy = self._cluster.occupancy[shape.pool]
        blocked = self._blocked.get(shape.pool)
        if blocked is None:
            return occupancy.fit(shape.width, shape.memory)
        if self.mode.closed:
            return None
        nodes = occupancy.fit(shape.width, shape.memory)
        if nodes is None:
            return None
        end, start = self._begin(shape.pool, nodes) + runtime, blocked.reservation.start
        if end < start or (self.mode.easy and end == start):
            return nodes
        beside = self._beside(blocked, occupancy)
        return None if beside is None else beside.fit(shape.width, shape.memory)

    def _beside(self, blocked: _Blocked, occupancy: Occupancy) -> Occupancy | None:
        if blocked.beside is None and blocked.spare is not None:
            blocked.beside = blocked.spare.least(occupancy)
        return blocked.beside

    def _begin(self, pool: int, nodes: Nodes) -> float:
        # Every comparison with an end adds up in this order: one ulp apart, a job would count as
        # ending in time here and as occupying the reserved devices there.
        return self.now + self._cluster.occupancy[pool].boot_s(nodes)

    def _start(self, row: int, slot: int, shape: Shape, nodes: Nodes, action: Action) -> None:
        job = int(self._queue.id[slot])
        runtime = float(self._queue.runtime[row])
        end = self._begin(shape.pool, nodes) + runtime
        self._cluster.start(RunningAttempt(end, job, shape.pool, nodes, shape.memory))
        blocked = self._blocked.get(shape.pool)
        if blocked is not None and blocked.spare is not None:
            blocked.beside = None
            if end > blocked.reservation.start:
                blocked.spare.allocate(nodes, shape.memory)
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
        if self.mode.easy:
            spare = free
            nodes = spare.fit(shape.width, shape.memory)
            assert nodes is not None  # `earliest` found that it fits
            spare.allocate(nodes, shape.memory)
        job = int(self._queue.id[slot])
        if not self.mode.easy and job in self._promised:
            start = self._promised[job].start
        self._blocked[shape.pool] = _Blocked(
            Reservation(
                job=job, pool=shape.pool, width=shape.width, memory=shape.memory, start=start
            ),
            spare,
        )
