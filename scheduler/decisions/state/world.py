"""The pools, what runs in them and the jobs that wait: the state that decisions change."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import numpy as np

from scheduler.compilation.handles import handle_of
from scheduler.decisions.kernel import attempts, nodes, queue
from scheduler.decisions.kernel.columns import (
    CHANGING,
    FIT_PARTS,
    GONE,
    JOBS,
    LIVE,
    MIX,
    MIX_USED,
    ORIGIN,
    ROWS,
    ROWS_USED,
    RULE,
    RUNNING,
    SCORER,
    SCRATCH,
    SHAPES,
    SHAPES_USED,
    SLOTS_USED,
    STARVATION_S,
    STATIC,
    WAITING,
    Columns,
)
from scheduler.decisions.kernel.queue import FULL
from scheduler.decisions.state.allocation import GROUP_OF, NAMES, allocate, grow
from scheduler.decisions.state.node_placement import BEST_FIT, NodePlacementRule
from scheduler.domain.jobs import MIDDLE_PRIORITY
from scheduler.domain.pools import Pool

WAIT = 0
"""The row that starts nothing."""
Nodes = tuple[tuple[int, int], ...]
"""Devices taken: (node, how many) pairs."""


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


class RunningAttempt(NamedTuple):
    """An attempt that holds devices, as decisions see it."""

    end: float
    """Estimated end, Unix seconds."""
    job: int
    pool: int
    nodes: Nodes
    memory: int = 0

    @property
    def width(self) -> int:
        """Devices it holds."""
        return sum(count for _, count in self.nodes)


class World(Columns):
    """A cluster and its queue. Mutable; `copy()` to try things out.

    `rule`: which nodes placements take; `origin`: Unix seconds of the history's first job, from
    which formulas count submissions. Compiled functions take `handle` in place of a world.
    """

    def __init__(
        self,
        pools: Sequence[Pool],
        running: Iterable[RunningAttempt] = (),
        *,
        origin: float = 0.0,
        rule: NodePlacementRule = BEST_FIT,
    ) -> None:
        self.pools = tuple(pools)
        self._handle: Columns | None = None
        self._shapes: dict[Shape, int] = {}
        self._parts: dict[tuple[int, int, int], int] = {}
        allocate(self, self.pools)
        self.figure[ORIGIN], self.figure[STARVATION_S] = origin, np.inf
        self.state[RULE] = rule.code
        self._borrows = False
        self._add_wait()
        self.start_all(tuple(running))

    @property
    def handle(self) -> Columns:
        """What compiled functions take; valid until a group of columns grows."""
        if self._handle is None:
            self._handle = handle_of(self, Columns)
        return self._handle

    def copy(self) -> World:
        """An independent copy. It shares what never changes until a job enters one of the two."""
        twin = object.__new__(World)
        twin.pools, twin._handle, twin._borrows = self.pools, None, True
        twin._shapes, twin._parts = self._shapes.copy(), self._parts.copy()
        for name in NAMES[STATIC]:
            setattr(twin, name, getattr(self, name))
        for name in NAMES[CHANGING]:
            setattr(twin, name, getattr(self, name).copy())
        for name in NAMES[SCRATCH]:
            setattr(twin, name, np.zeros_like(getattr(self, name)))
        twin.state[SCORER] = 0
        return twin

    def __getstate__(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """What `pickle` and `copy` take: all but the handle, which is an address."""
        own, columns = cast(tuple[dict[str, Any], dict[str, Any]], object.__getstate__(self))
        return {**own, "_handle": None}, columns

    def _own(self) -> None:
        """Stop sharing columns with other worlds."""
        for name in NAMES[STATIC]:
            setattr(self, name, getattr(self, name).copy())
        self._handle, self._borrows = None, False

    def add(self, job: Waiting) -> None:
        """A job enters. Raises `ValueError` if it is already here or has no legal placement."""
        if job.id in self:
            raise ValueError(f"job {job.id} already waits")
        if not job.options:
            raise ValueError(f"job {job.id} has no placement")
        if job.id == 0 or not all(0 <= each.pool < len(self.pools) for each in job.options):
            raise ValueError(
                f"job {job.id}: its id must not be 0, and its pools must be indices of "
                f"{len(self.pools)} pools"
            )
        if self._borrows:
            self._own()
        places = [self.shape(Shape(*option[:3])) for option in job.options]
        shapes = np.array(places, dtype=np.int64)
        figures = np.array([option[3:] for option in job.options]).T.copy()
        numbers = np.array(
            (float(job.id), job.submitted_at, job.priority, job.deadline, job.preference)
        )
        while queue.enter(self.handle, numbers, shapes, figures) == FULL:
            self._grow(JOBS)
            self._grow(ROWS)

    def remove(self, job: int) -> None:
        """A job leaves. Raises `KeyError` if it does not wait."""
        slot = queue.slot_of(self.handle, job)
        if not slot:
            raise KeyError(job)
        queue.leave(self.handle, slot)
        if queue.is_sparse(self.handle):
            # Compaction moves entries of columns that copies may share.
            self._own()
            self._drop_shapes()
            queue.compact(self.handle)

    def __contains__(self, job: int) -> bool:
        return bool(queue.slot_of(self.handle, job))

    @property
    def depth(self) -> int:
        """Number of waiting jobs."""
        return int(self.count[WAITING])

    @property
    def idle(self) -> bool:
        """Whether nothing runs."""
        return not self.count[RUNNING]

    def slot_of(self, job: int) -> int | None:
        """The slot of a waiting job, by id."""
        return queue.slot_of(self.handle, job) or None

    def rows_of(self, slot: int) -> range:
        """The rows of the job in `slot`."""
        first = int(self.job_first[slot])
        return range(first, first + int(self.job_count[slot]))

    def shape_of(self, row: int) -> Shape:
        """What a row takes."""
        shape = self.row_shape[row]
        return Shape(
            int(self.shape_pool[shape]), int(self.shape_width[shape]), int(self.shape_memory[shape])
        )

    def waiting(self) -> list[int]:
        """Ids of the waiting jobs, in the order of entering."""
        used = self.count[SLOTS_USED]
        ids: list[int] = self.job_id[1:used][self.job_state[1:used] != GONE].tolist()
        return ids

    def ask(self, places: Collection[tuple[int, int]], memory: int) -> None:
        """A job asks for one of these (pool, width) and `memory` bytes: the rule learns the mix."""
        if not self.state[RULE]:
            return
        for pool, width in places:
            per_node = self.pools[pool].devices_per_node
            whole, rest = divmod(width, per_node)
            for devices, times in ((per_node, whole), (rest, 1 if rest else 0)):
                if times:
                    self._ask_part(pool, devices, width, memory, times * (1.0 / len(places)))

    def start(self, attempt: RunningAttempt) -> None:
        """Occupy its devices. Raises `ValueError` if they are not free or the job runs already."""
        self.start_all([attempt])

    def start_all(self, running: Sequence[RunningAttempt]) -> None:
        """As `start`, for many attempts."""
        if not running:
            return
        parts = [part for attempt in running for part in attempt.nodes]
        counts = [len(attempt.nodes) for attempt in running]
        numbers = [(each.job, each.pool, each.memory) for each in running]
        failed = attempts.begin_all(
            self.handle,
            np.column_stack((np.array(numbers, dtype=np.int64), counts)),
            np.array(parts, dtype=np.int64).reshape(-1, 2),
            np.array([attempt.end for attempt in running], dtype=np.float64),
        )
        if failed >= 0:
            attempt = running[failed]
            raise ValueError(
                f"job {attempt.job} runs already, or pool {attempt.pool} does not have that much "
                f"free: {attempt.nodes} (node, devices)"
            )

    def finish(self, job: int) -> None:
        """Free the job's devices. Raises `KeyError` if it does not run."""
        attempts.finish(self.handle, self._attempt(job))

    def extend(self, job: int, end: float) -> None:
        """The job is now expected to end at `end`. Raises `KeyError` if it does not run."""
        attempts.extend(self.handle, self._attempt(job), end)

    def mark_up(self, pool: int, node: int) -> None:
        """The node is up: a start there need not wait for a boot."""
        nodes.mark_cold(self.handle, pool, node, 0)

    def mark_down(self, pool: int, node: int) -> None:
        """The node is down until a start boots it."""
        nodes.mark_cold(self.handle, pool, node, 1)

    def running(self) -> list[RunningAttempt]:
        """What runs, in no particular order."""
        entries = np.flatnonzero(self.attempt_job)
        return [self.attempt(int(entry)) for entry in entries]

    def attempt(self, entry: int) -> RunningAttempt:
        """The attempt of an entry of the attempts' columns."""
        parts, part = [], int(self.attempt_part[entry])
        while part >= 0:
            parts.append((int(self.part_node[part]), int(self.part_devices[part])))
            part = int(self.part_next[part])
        return RunningAttempt(
            float(self.attempt_end[entry]),
            int(self.attempt_job[entry]),
            int(self.attempt_pool[entry]),
            tuple(parts),
            int(self.attempt_memory[entry]),
        )

    def releases(self, pool: int) -> list[RunningAttempt]:
        """What runs in a pool, soonest estimated end first."""
        attempts.settle(self.handle, pool)
        first = int(self.pool_first_release[pool])
        last = first + int(self.pool_releases[pool])
        return [self.attempt(entry) for entry in self.release_attempt[0, first:last].tolist()]

    def fit(self, pool: int, width: int, memory: int = 0) -> Nodes | None:
        """The nodes that `width` devices with `memory` bytes take by the rule; None if none do."""
        return self.found() if nodes.fit(self.handle, LIVE, pool, width, memory) else None

    def boot_s(self, pool: int, places: Nodes) -> float:
        """Seconds until an attempt that starts on these nodes runs."""
        first = int(self.pool_first_node[pool])
        cold = any(self.node_cold[LIVE, first + node] for node, _ in places)
        return float(self.pool_boot[pool]) if cold else 0.0

    def free(self, pool: int) -> int:
        """Free devices of a pool."""
        return int(self.plane_free[LIVE, pool])

    def found(self) -> Nodes:
        """The nodes that the last search has found."""
        used = self.count[FIT_PARTS]
        parts = zip(self.fit_node[:used].tolist(), self.fit_devices[:used].tolist(), strict=True)
        return tuple(parts)

    def shape(self, shape: Shape) -> int:
        """The index of a shape, which is added if it is new."""
        index = self._shapes.get(shape)
        if index is None:
            index = self._shapes[shape] = len(self._shapes)
            if index == len(self.shape_pool):
                self._grow(SHAPES)
            self.shape_pool[index], self.shape_width[index] = shape.pool, shape.width
            self.shape_memory[index], self.shape_users[index] = shape.memory, 0
            self.shape_possible[index] = shape.pool < 0 or self._possible(*shape)
            self.count[SHAPES_USED] = index + 1
        return index

    def _possible(self, pool: int, width: int, memory: int) -> bool:
        """Whether the empty pool could hold it."""
        its = self.pools[pool]
        return 0 < width <= its.count and its.memory_fits(width, memory)

    def _drop_shapes(self) -> None:
        """Forget shapes that no waiting job has: they get other numbers. `compact` must follow."""
        used = np.flatnonzero(self.shape_users[: self.count[SHAPES_USED]])
        used = np.concatenate(([0], used[used > 0]))
        numbers = np.zeros(len(self.shape_pool), dtype=np.int64)
        numbers[used] = np.arange(len(used))
        for name, group in GROUP_OF.items():
            if group == SHAPES:
                column = getattr(self, name)
                column[..., : len(used)] = column[..., used]
        self.row_shape[:] = numbers[self.row_shape]
        kept = set(used.tolist())
        self._shapes = {
            shape: int(numbers[index]) for shape, index in self._shapes.items() if index in kept
        }
        self.count[SHAPES_USED] = len(used)
        self.pool_fits_seen[:] = self.pool_starts_seen[:] = -1

    def _attempt(self, job: int) -> int:
        entry = attempts.attempt_of(self.handle, job)
        if entry < 0:
            raise KeyError(job)
        return entry

    def _grow(self, group: str) -> None:
        grow(self, group)
        self._handle = None

    def _add_wait(self) -> None:
        self.shape(Shape(-1, 0, 0))
        self.job_count[0], self.job_submitted[0], self.job_deadline[0] = 1, np.inf, np.inf
        self.job_preference[0] = 0.5
        self.job_ideal[0] = self.job_size[0] = 1.0
        self.count[SLOTS_USED] = self.count[ROWS_USED] = 1

    def _ask_part(self, pool: int, devices: int, width: int, memory: int, weight: float) -> None:
        limited = self.pools[pool].memory_per_node > 0
        part = pool, devices, -(-memory * devices // width) if limited else 0
        index = self._parts.get(part)
        if index is None:
            index = self._parts[part] = int(self.count[MIX_USED])
            if index == len(self.mix_pool):
                self._grow(MIX)
            self.mix_pool[index], self.mix_devices[index], self.mix_memory[index] = part
            self.count[MIX_USED] = index + 1
        self.mix_weight[index] += weight
        self.mix_total[pool] += weight
