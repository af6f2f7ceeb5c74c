"""The waiting jobs as columns: one row per placement a job accepts.

Decisions look at every row at once, so the queue is a structure of arrays. What does not change
while a job waits (estimates, widths, requests) is written once, when the job enters.
Row 0 is always WAIT, the choice to start nothing; job slot 0 belongs to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import count
from operator import mul
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scheduler.domain.jobs import MIDDLE_PRIORITY

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

WAIT = 0
"""The row that starts nothing."""


class Shape(NamedTuple):
    """What a placement takes from a pool; rows of equal shape fit, or do not fit, together."""

    pool: int
    """Index of the pool; -1 for WAIT."""
    width: int
    memory: int
    """Bytes for the whole attempt."""


class EstimatedPlacement(NamedTuple):
    """One placement that a job accepts, with its estimate."""

    pool: int
    width: int
    memory: int
    runtime_s: float
    dollars: float
    joules: float


@dataclass(frozen=True, slots=True)
class Waiting:
    """A job that may start now, as decisions see it; it has no true runtime."""

    id: int
    submitted_at: float
    options: Sequence[EstimatedPlacement]
    """At least one."""
    priority: float = MIDDLE_PRIORITY
    deadline: float = np.inf
    preference: float = 0.5


@dataclass(frozen=True, slots=True)
class Queue:
    """A value: the waiting jobs at one instant. Arrays are read-only.

    Row columns have shape (rows,), job columns (slots,); `slot` leads from a row to its job.
    """

    shapes: tuple[Shape, ...]
    open: Bools
    """(rows,) Whether the row's job still waits."""
    slot: Ints
    """(rows,) The job's position in the job columns."""
    shape: Ints
    """(rows,) Index into `shapes`."""
    runtime: Floats
    """(rows,) Estimated seconds."""
    dollars: Floats
    """(rows,) Estimated dollars."""
    joules: Floats
    """(rows,) Estimated joules."""
    id: Ints
    """(slots,) Job ids; 0 for WAIT."""
    first: Ints
    """(slots,) The job's first row; its rows are adjacent."""
    count: Ints
    """(slots,) Number of the job's rows."""
    submitted: Floats
    """(slots,) Unix seconds."""
    priority: Floats
    deadline: Floats
    """(slots,) Unix seconds; inf: none."""
    preference: Floats
    """(slots,) 0 cheapest … 1 fastest."""
    ideal: Floats
    """(slots,) Least estimated runtime over the job's rows (s)."""
    cheapest: Floats
    """(slots,) Least estimated dollars over the job's rows."""
    size: Floats
    """(slots,) r: runtime (s) of the row with the least device-seconds."""
    request: Floats
    """(slots,) n: width of that row."""

    origin: float = 0.0
    """Unix seconds of the history's first job: what formulas count submission times from."""
    layout: int = 0
    """Queues with the same number here (other than 0) have the same in every row and slot that both
    have: only `open` changes, and the later one may be longer."""

    @property
    def depth(self) -> int:
        """Number of waiting jobs."""
        return int(np.count_nonzero(self.open[self.first[1:]])) if len(self.first) > 1 else 0

    def rows_of(self, slot: int) -> range:
        """The rows of the job in `slot`."""
        first = int(self.first[slot])
        return range(first, first + int(self.count[slot]))

    def slot_of(self, job: int) -> int | None:
        """The slot of a waiting job, by id."""
        for slot in np.flatnonzero(self.id == job):
            if slot and self.open[self.first[slot]]:
                return int(slot)
        return None


_LAYOUTS = count(1)


class Backlog:
    """The queue while it changes: jobs enter and leave in constant amortised time."""

    def __init__(self, origin: float = 0.0) -> None:
        self._origin = origin
        self._shapes: dict[Shape, int] = {}
        self._known: tuple[Shape, ...] = ()
        """The keys of `_shapes`: the same object until they change."""
        self._columns: tuple[Any, ...] | None = None
        """Columns of the last view; None once a job has entered since."""
        self._slots: dict[int, int] = {}
        self._rows = _Columns(floats=3, ints=2)
        self._jobs = _Columns(floats=8, ints=3)
        self._open: Bools = np.zeros(64, dtype=np.bool_)
        self._dead = 0
        self._layout = next(_LAYOUTS)
        self._append_wait()

    def __len__(self) -> int:
        return len(self._slots)

    def __contains__(self, job: int) -> bool:
        return job in self._slots

    def add(self, job: Waiting) -> None:
        """A job enters. Raises `ValueError` if it is already here or has no option."""
        if job.id in self._slots:
            raise ValueError(f"job {job.id} already waits")
        if not job.options:
            raise ValueError(f"job {job.id} has no placement")
        pools, widths, memories, runtimes, dollars, joules = zip(*job.options, strict=True)
        areas = map(mul, runtimes, widths)
        _, request, size = min(zip(areas, widths, runtimes, strict=True))
        slot = self._jobs.append(
            (
                job.submitted_at,
                job.priority,
                job.deadline,
                job.preference,
                min(runtimes),
                min(dollars),
                size,
                request,
            ),
            (job.id, self._rows.length, len(pools)),
        )
        self._slots[job.id] = slot
        index = self._index
        shapes = [index(Shape(*size)) for size in zip(pools, widths, memories, strict=True)]
        self._append_rows((runtimes, dollars, joules), slot, shapes)

    def remove(self, job: int) -> None:
        """A job leaves. Raises `KeyError` if it is not here."""
        slot = self._slots.pop(job)
        first, count = int(self._jobs.ints[1, slot]), int(self._jobs.ints[2, slot])
        self._open[first : first + count] = False
        self._dead += count
        if self._dead > 64 and self._dead * 2 > self._rows.length:
            self._compact()

    def copy(self) -> Backlog:
        """An independent copy, to try a job that was not submitted."""
        twin = deepcopy(self)
        twin._layout, twin._columns = next(_LAYOUTS), None
        return twin

    def view(self) -> Queue:
        """The queue as it is, without copying: valid until the next change."""
        return self._queue(copy=False)

    def freeze(self) -> Queue:
        """The queue as it is, as a value that no change affects."""
        return self._queue(copy=True)

    def _append_wait(self) -> None:
        self._index(Shape(-1, 0, 0))
        self._jobs.append((np.inf, 0.0, np.inf, 0.5, 1.0, 0.0, 1.0, 0.0), (0, 0, 1))
        self._append_rows(((0.0,), (0.0,), (0.0,)), 0, [0])

    def _index(self, shape: Shape) -> int:
        index = self._shapes.get(shape)
        if index is None:
            index = self._shapes[shape] = len(self._shapes)
            self._known = tuple(self._shapes)
        return index

    def _append_rows(
        self, floats: Sequence[Sequence[float]], slot: int, shapes: Sequence[int]
    ) -> None:
        start = self._rows.extend(floats, ([slot] * len(shapes), shapes))
        while self._rows.length > len(self._open):
            self._open = np.concatenate([self._open, np.zeros_like(self._open)])
        self._open[start : self._rows.length] = True
        self._columns = None

    def _queue(self, *, copy: bool) -> Queue:
        if copy:
            columns = self._sliced(copy=True)
        else:
            if self._columns is None:
                self._columns = self._sliced(copy=False)
            columns = self._columns
        opened = self._open[: self._rows.length]
        return Queue(self._known, opened.copy() if copy else opened, *columns)

    def _sliced(self, *, copy: bool) -> tuple[Any, ...]:
        """All fields of a `Queue` from `slot` on, in its order."""
        runtime, dollars, joules, slot, shape = self._rows.columns(copy=copy)
        *figures, number, first, count = self._jobs.columns(copy=copy)
        rows = slot, shape, runtime, dollars, joules
        return (*rows, number, first, count, *figures, self._origin, self._layout)

    def _compact(self) -> None:
        self._layout = next(_LAYOUTS)
        keep = np.flatnonzero(self._open[: self._rows.length])
        jobs = np.fromiter(self._slots.values(), dtype=np.int64, count=len(self._slots))
        jobs = np.sort(np.append(jobs, 0))
        place = np.zeros(self._jobs.length, dtype=np.int64)
        place[jobs] = np.arange(len(jobs))
        self._rows.keep(keep)
        self._jobs.keep(jobs)
        rows, table = self._rows.ints, self._jobs.ints
        rows[0, : len(keep)] = place[rows[0, : len(keep)]]
        # A shape that no job asks for any longer would cost time in every later round.
        used, rows[1, : len(keep)] = np.unique(rows[1, : len(keep)], return_inverse=True)
        shapes = list(self._shapes)
        self._shapes = {shapes[old]: new for new, old in enumerate(used)}
        self._known = tuple(self._shapes)
        self._columns = None
        counts = table[2, : len(jobs)]
        table[1, : len(jobs)] = np.cumsum(counts) - counts
        self._open[: len(keep)] = True
        self._open[len(keep) :] = False
        self._slots = {job: int(place[slot]) for job, slot in self._slots.items()}
        self._dead = 0


class _Columns:
    """Growing float and integer columns of equal length."""

    def __init__(self, floats: int, ints: int) -> None:
        self.floats: Floats = np.zeros((floats, 64))
        self.ints: Ints = np.zeros((ints, 64), dtype=np.int64)
        self.length = 0

    def append(self, floats: Sequence[float], ints: Sequence[int]) -> int:
        """Append one entry; return its position."""
        at = self._grow(1)
        self.floats[:, at] = floats
        self.ints[:, at] = ints
        return at

    def extend(self, floats: Sequence[Sequence[float]], ints: Sequence[Sequence[int]]) -> int:
        """Append entries, given by column; return the position of the first."""
        at = self._grow(len(ints[0]))
        self.floats[:, at : self.length] = floats
        self.ints[:, at : self.length] = ints
        return at

    def keep(self, indices: Ints) -> None:
        self.floats[:, : len(indices)] = self.floats[:, indices]
        self.ints[:, : len(indices)] = self.ints[:, indices]
        self.length = len(indices)

    def columns(self, *, copy: bool) -> tuple[NDArray[Any], ...]:
        floats, ints = self.floats[:, : self.length], self.ints[:, : self.length]
        if copy:
            floats, ints = floats.copy(), ints.copy()
        return (*floats, *ints)

    def _grow(self, entries: int) -> int:
        at = self.length
        self.length += entries
        while self.length > self.floats.shape[1]:
            self.floats = np.concatenate([self.floats, np.zeros_like(self.floats)], axis=1)
            self.ints = np.concatenate([self.ints, np.zeros_like(self.ints)], axis=1)
        return at
