"""A round for a policy whose order of jobs does not change with time.

Shortest job first gives the same order now and in an hour, so the queue can be kept sorted: a
round then walks it from the front instead of scoring a table. For jobs with a single placement
this makes the same plan as `Round`, many times faster; a property test compares them.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from scheduler.decisions.rounds.round import Mode
from scheduler.decisions.state.cluster import Cluster, RunningAttempt
from scheduler.decisions.state.occupancy import Nodes, Occupancy
from scheduler.decisions.state.plan import Action, Placement, Plan, Reservation
from scheduler.decisions.state.queue import EstimatedPlacement, Waiting


class QueueFacts(NamedTuple):
    """The columns of a candidate table that a static order may read: they do not change."""

    born: float
    """Seconds from the start of the history to the submission."""
    size: float
    """r (s)."""
    request: float
    """n."""
    priority: float
    deadline: float
    """Unix seconds; inf: none."""


Order = Callable[[QueueFacts], float]
"""Score of a job; higher first, equal ones as `precedence.most_urgent` says."""


class _QueueEntry(NamedTuple):
    rank: float
    submitted: float
    calm: float
    """Minus the priority."""
    deadline: float
    number: int
    """Position in the order of entering: the last tie-break."""
    job: Waiting
    option: EstimatedPlacement


class SortedQueue:
    """The waiting jobs in the order of one policy. Every job has exactly one placement."""

    def __init__(self, order: Order, origin: float = 0.0) -> None:
        self._order = order
        self._origin = origin
        self._entries: list[_QueueEntry] = []
        self._arrivals: dict[int, _QueueEntry] = {}
        self._count = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[_QueueEntry]:
        return iter(self._entries)

    def add(self, job: Waiting) -> None:
        """A job enters. Raises `ValueError` if it has more than one placement, or is here."""
        if len(job.options) != 1 or job.id in self._arrivals:
            raise ValueError(f"job {job.id} already waits or has several placements")
        option = job.options[0]
        facts = QueueFacts(
            job.submitted_at - self._origin,
            option.runtime_s,
            float(option.width),
            job.priority,
            job.deadline,
        )
        entry = _QueueEntry(
            -self._order(facts),
            job.submitted_at,
            -job.priority,
            job.deadline,
            self._count,
            job,
            option,
        )
        self._count += 1
        insort(self._entries, entry)
        self._arrivals[job.id] = entry

    def remove(self, job: int) -> None:
        """A job leaves. Raises `KeyError` if it is not here."""
        del self._entries[bisect_left(self._entries, self._arrivals.pop(job))]

    def entry(self, job: int) -> _QueueEntry | None:
        """Where a job stands; None if it is not here."""
        return self._arrivals.get(job)

    def first(self) -> int:
        """The job at the front; 0 if there is none."""
        return self._entries[0].job.id if self._entries else 0

    def oldest(self) -> Iterable[_QueueEntry]:
        """Oldest submission first."""
        return sorted(self._arrivals.values(), key=lambda entry: (entry.submitted, entry.number))


def walk(
    queue: SortedQueue,
    cluster: Cluster,
    now: float,
    mode: Mode,
    committed: Sequence[Reservation] = (),
    policy: str = "",
) -> Plan:
    """The plan of one round; starts are applied to `cluster`, the queue does not change."""
    return _Walk(queue, cluster, now, mode, committed).plan(policy)


class _Walk:
    def __init__(
        self,
        queue: SortedQueue,
        cluster: Cluster,
        now: float,
        mode: Mode,
        committed: Sequence[Reservation],
    ) -> None:
        self._queue = queue
        self._cluster = cluster
        self._now = now
        self._mode = mode
        self._promised = {held.job: held for held in committed} if mode.sticky else {}
        self._blocked: dict[int, Reservation] = {}
        self._spare: dict[int, Occupancy] = {}
        self._placements: list[Placement] = []

    def plan(self, policy: str) -> Plan:
        for job in self._promised:
            entry = self._queue.entry(job)
            if entry is not None:
                self._try(entry)
        if self._mode is Mode.COMMIT_FCFS:
            self._choose_until_blocked()
            if self._blocked:
                self._walk(self._queue.oldest())
        else:
            self._walk(self._queue)
        return Plan(self._now, policy, tuple(self._placements), tuple(self._blocked.values()))

    def _choose_until_blocked(self) -> None:
        started = {placed.job for placed in self._placements}
        for entry in self._queue:
            if self._blocked:
                return
            if entry.job.id not in started:
                self._try(entry)

    def _walk(self, entries: Iterable[_QueueEntry]) -> None:
        """Try each job once: what does not start now does not start later in the round."""
        occupancy, blocked = self._cluster.occupancy, self._blocked
        pools, closed = len(occupancy), self._mode.closed
        if closed and len(blocked) == pools:
            return
        decided: set[int] = set()
        if self._placements or blocked:
            decided.update(placed.job for placed in self._placements)
            decided.update(held.job for held in blocked.values())
        for entry in entries:
            if closed and len(blocked) == pools:
                return
            option = entry.option
            full = option.width > occupancy[option.pool].free
            if (full and option.pool in blocked) or entry.job.id in decided:
                continue
            self._try(entry)

    def _try(self, entry: _QueueEntry) -> None:
        option, cluster = entry.option, self._cluster
        pool = option.pool
        if pool in self._blocked:
            nodes = None if self._mode.closed else self._beside(option)
            if nodes is not None:
                self._start(entry, nodes, Action.BACKFILL)
            return
        nodes = cluster.occupancy[pool].fit(option.width, option.memory)
        if nodes is not None:
            self._start(entry, nodes, Action.START)
        elif (self._mode is not Mode.GREEDY or option.width > 1) and cluster.possible(
            pool, option.width, option.memory
        ):
            self._reserve(entry)

    def _beside(self, option: EstimatedPlacement) -> Nodes | None:
        occupancy = self._cluster.occupancy[option.pool]
        nodes = occupancy.fit(option.width, option.memory)
        if nodes is None:
            return None
        end, start = self._end(option, nodes), self._blocked[option.pool].start
        if end < start or (end == start and self._mode.easy):
            return nodes
        spare = self._spare.get(option.pool)
        if spare is None or option.width > spare.free:
            return None
        return spare.least(occupancy).fit(option.width, option.memory)

    def _end(self, option: EstimatedPlacement, nodes: Nodes) -> float:
        boot_s = self._cluster.occupancy[option.pool].boot_s(nodes)
        return self._now + boot_s + option.runtime_s

    def _start(self, entry: _QueueEntry, nodes: Nodes, action: Action) -> None:
        option, job = entry.option, entry.job.id
        end = self._end(option, nodes)
        self._cluster.start(RunningAttempt(end, job, option.pool, nodes, option.memory))
        if action is Action.BACKFILL and end > self._blocked[option.pool].start:
            spare = self._spare.get(option.pool)
            if spare is not None:
                spare.allocate(nodes, option.memory)
        self._placements.append(
            Placement(
                job,
                option.pool,
                option.width,
                nodes,
                option.memory,
                option.runtime_s,
                option.dollars,
                option.joules,
                action,
            )
        )

    def _reserve(self, entry: _QueueEntry) -> None:
        option, job = entry.option, entry.job.id
        promised = self._promised.get(job)
        if promised is not None and not self._mode.easy:
            # A new promise would start nothing beside it, so the old one is kept.
            self._blocked[option.pool] = promised
            return
        found = self._cluster.earliest(option.pool, option.width, option.memory, self._now)
        assert found is not None  # `possible` said that the empty pool holds it
        start, free = found
        if self._mode.easy:
            nodes = free.fit(option.width, option.memory)
            assert nodes is not None
            free.allocate(nodes, option.memory)
            self._spare[option.pool] = free
        self._blocked[option.pool] = Reservation(
            job, option.pool, option.width, option.memory, start
        )
