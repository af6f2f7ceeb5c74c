"""The pools, what runs in them and the jobs that wait: the state that decisions change."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, cast

import numpy as np

from scheduler.compilation.columns import Floats, Floats2D, Ints
from scheduler.compilation.handles import Handle, handle_of
from scheduler.decisions.kernel.cluster import attempts, nodes
from scheduler.decisions.kernel.columns import (
    FIT_PARTS,
    GONE,
    JOBS,
    LINE_FIRST,
    LINED,
    LINED_SLOTS,
    LIVE,
    MIX,
    MIX_USED,
    ORIGIN,
    PROJECTS,
    PROJECTS_USED,
    ROWS,
    ROWS_USED,
    RULE,
    RUNNING,
    SCORER,
    SHAPES,
    SHAPES_USED,
    SHOWN_ROWS,
    SLOTS_USED,
    STARVATION_S,
    STATIC,
    TOTALLED,
    WAITING,
    Columns,
)
from scheduler.decisions.kernel.queue import jobs as queue
from scheduler.decisions.kernel.queue.jobs import FULL
from scheduler.decisions.state.allocation import GROUP_OF, NAMES, allocate, grow
from scheduler.decisions.state.blocks import Blocks
from scheduler.decisions.state.entries import UNLIMITED, Nodes, RunningAttempt, Shape, Waiting
from scheduler.decisions.state.node_parts import MixPart, asked
from scheduler.decisions.state.node_placement import BEST_FIT, NodePlacementRule
from scheduler.domain.pools import Pool

_SPARE_SHAPES = 64


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
        projects: Iterable[str] = (),
    ) -> None:
        self.pools = tuple(pools)
        self.projects: dict[str, int] = {}
        """Name → index of each project whose jobs were here."""
        self._handle: Columns | None = None
        self._blocks: Blocks | None = None
        self._shapes: dict[Shape, int] = {}
        self._parts: dict[MixPart, int] = {}
        allocate(self, self.pools)
        self.figure[ORIGIN], self.figure[STARVATION_S] = origin, np.inf
        self.state[RULE] = rule.code
        self._borrows = self._lends = False
        self._add_wait()
        self.start_all(tuple(running))
        for name in projects:
            self.project(name)

    @property
    def handle(self) -> Columns:
        """What compiled functions take; valid until a group of columns grows."""
        if self._handle is None or self._handle is self:  # what was plain may be compiled by now
            self._handle = handle_of(self, Columns)
        return self._handle

    @property
    def blocks(self) -> Blocks:
        """The memory of what copies do not share; valid until a group of columns grows."""
        if self._blocks is None:
            self._blocks, self._handle = Blocks.of(self), None
        return self._blocks

    def copy(self) -> World:
        """An independent copy. It shares what never changes until a job enters one of the two."""
        twin = object.__new__(World)
        twin.pools, twin._handle = self.pools, None
        self._lends, twin._borrows, twin._lends = True, True, False
        twin._shapes, twin._parts = self._shapes.copy(), self._parts.copy()
        twin.projects = self.projects.copy()
        used = self._handle is not None  # else the compiler need not be loaded yet
        blocks = self.blocks
        for name in NAMES[STATIC]:
            setattr(twin, name, getattr(self, name))
        twin._blocks = blocks.copied(twin)
        # What the scratch holds of scores and lines is not there.
        twin.state[SCORER] = twin.state[TOTALLED] = twin.state[LINED_SLOTS] = 0
        twin.count[LINED] = twin.count[LINE_FIRST] = 0
        if used and isinstance(self.handle, Handle):
            twin._handle = cast(Columns, twin._blocks.handle(self.handle, twin))
        return twin

    def __getstate__(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """What `pickle` and `copy` take: all but the handle, which is an address."""
        own, columns = cast(tuple[dict[str, Any], dict[str, Any]], object.__getstate__(self))
        return {**own, "_handle": None, "_blocks": None}, columns

    def keep_apart(self) -> None:
        """Stop sharing columns with copies, as compiled functions may move what is shared."""
        if self._borrows or self._lends:
            self._own()

    def _own(self) -> None:
        """Stop sharing columns with other worlds."""
        for name in NAMES[STATIC]:
            setattr(self, name, getattr(self, name).copy())
        self._handle, self._borrows, self._lends = None, False, False

    def add(self, job: Waiting) -> None:
        """A job enters. Raises `ValueError` if it is already here or has no legal placement."""
        if job.id in self:
            raise ValueError(f"job {job.id} already waits")
        if not job.options:
            raise ValueError(f"job {job.id} has no placement")
        if job.id == 0 or not all(0 <= each.pool < len(self.pools) for each in job.options):
            raise ValueError(f"job {job.id}: legal are ids but 0, pools 0 to {len(self.pools) - 1}")
        shapes = np.array([self.shape(Shape(*option[:3])) for option in job.options])
        figures = np.array([option[3:] for option in job.options], dtype=np.float64).T.copy()
        numbers = job.id, job.submitted_at, job.priority, job.deadline, job.preference
        self.enter(np.array(numbers, dtype=np.float64), shapes, figures, job.project)

    def enter(self, numbers: Floats, shapes: Ints, figures: Floats2D, project: str = "") -> None:
        """Add a job that is not here, given as arrays: see `kernel.queue.jobs.enter`."""
        if self._borrows:
            self._own()
        index = self.project(project)
        while (slot := queue.enter(self.handle, numbers, shapes, figures)) == FULL:
            self.grow_queue()
        self.job_project[slot] = index

    def project(self, name: str) -> int:
        """The index of a project, which is added if it is new."""
        index = self.projects.get(name)
        if index is None:
            index = self.projects[name] = len(self.projects)
            if index == len(self.project_share):
                self._grow(PROJECTS)
            self.project_share[index], self.project_started[index] = 1.0, -np.inf
            self.project_most[index], self.project_dollars[index] = UNLIMITED, np.inf
            self.count[PROJECTS_USED] = index + 1
        return index

    def remove(self, job: int) -> None:
        """A job leaves. Raises `KeyError` if it does not wait."""
        slot = queue.slot_of(self.handle, job)
        if not slot:
            raise KeyError(job)
        queue.leave(self.handle, slot)
        if queue.is_sparse(self.handle):
            self.keep_apart()
            queue.compact(self.handle)

    def change(
        self, job: int, *, priority: float | None = None, preference: float | None = None
    ) -> None:
        """Give a waiting job another priority or preference. Raises `KeyError`."""
        slot = self.slot_of(job)
        if slot is None:
            raise KeyError(job)
        rows = self.rows_of(slot)
        at = slice(rows.start, rows.stop)
        numbers = (
            job,
            self.job_submitted[slot],
            self.job_priority[slot] if priority is None else priority,
            self.job_deadline[slot],
            self.job_preference[slot] if preference is None else preference,
        )
        figures = np.stack([self.row_runtime[at], self.row_dollars[at], self.row_joules[at]])
        shapes, index = self.row_shape[at].copy(), int(self.job_project[slot])
        project = next((name for name, each in self.projects.items() if each == index), "")
        self.remove(job)
        self.enter(np.array(numbers, dtype=np.float64), shapes, figures, project)

    def __contains__(self, job: int) -> bool:
        return bool(queue.slot_of(self.handle, job))

    def forget_shapes(self) -> None:
        """Drop shapes that no waiting job has, if they are many; others get new numbers."""
        used = np.append(0, np.flatnonzero(self.shape_users[: self.count[SHAPES_USED]]))
        if self.count[SHAPES_USED] <= 2 * len(used) + _SPARE_SHAPES:
            return
        self._own()
        numbers = np.zeros(len(self.shape_pool), dtype=np.int64)
        numbers[used] = np.arange(len(used))
        for name, group in GROUP_OF.items():
            if group == SHAPES:
                column = getattr(self, name)
                column[..., : len(used)] = column[..., used]
        self.row_shape[:] = numbers[self.row_shape]
        self._shapes = {self._shape(index): index for index in range(len(used))}
        self.count[SHAPES_USED] = len(used)
        self._unsee()
        queue.compact(self.handle)

    def reserve_shown(self, rows: int) -> None:
        """Make room for encodings that show so many rows."""
        while rows > len(self.shown):
            self._grow(SHOWN_ROWS)

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
        return self._shape(int(self.row_shape[row]))

    def _shape(self, index: int) -> Shape:
        pool, width, memory = self.shape_pool, self.shape_width, self.shape_memory
        return Shape(int(pool[index]), int(width[index]), int(memory[index]))

    def waiting(self) -> list[int]:
        """Ids of the waiting jobs, in the order of entering."""
        used = self.count[SLOTS_USED]
        ids: list[int] = self.job_id[1:used][self.job_state[1:used] != GONE].tolist()
        return ids

    def ask(self, places: Collection[tuple[int, int]], memory: int) -> None:
        """A job asks for one of these (pool, width) and `memory` bytes: the rule learns the mix."""
        if self.state[RULE]:
            for part, weight in asked(self.pools, places, memory):
                index = self.part(part)  # before its column is read: it may grow
                self.mix_weight[index] += weight
                self.mix_total[part.pool] += weight

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
            if self._borrows:
                self._own()
            index = self._shapes[shape] = len(self._shapes)
            if index == len(self.shape_pool):
                self._grow(SHAPES)
            self.shape_pool[index], self.shape_width[index] = shape.pool, shape.width
            self.shape_memory[index], self.shape_users[index] = shape.memory, 0
            self.shape_possible[index] = shape.pool < 0 or self._possible(*shape)
            self.count[SHAPES_USED] = index + 1
            self.pool_rules_seen[:] = -1
        return index

    def renumber_shapes(self, shapes: Iterable[Shape]) -> None:
        """Have these shapes, numbered in this order; those of waiting jobs keep their numbers.

        Raises `ValueError` if one of those would get another.
        """
        shapes, users = tuple(shapes), self.shape_users[: self.count[SHAPES_USED]].copy()
        for index in np.flatnonzero(users).tolist():
            if index >= len(shapes) or self._shape(index) != shapes[index]:
                raise ValueError(f"{self._shape(index)} would get another number")
        self._own()
        self._shapes = {}
        for shape in shapes:
            self.shape(shape)
        kept = min(len(users), len(shapes))
        self.shape_users[:kept] = users[:kept]
        self._unsee()

    def _unsee(self) -> None:
        """Forget what the columns of shapes hold of pools."""
        self.pool_fits_seen[:] = self.pool_starts_seen[:] = self.pool_rules_seen[:] = -1

    def part(self, part: MixPart) -> int:
        """The index of a part in the mix, which is added with weight 0 if it is new."""
        index = self._parts.get(part)
        if index is None:
            index = self._parts[part] = int(self.count[MIX_USED])
            if index == len(self.mix_pool):
                self._grow(MIX)
            self.mix_pool[index], self.mix_devices[index], self.mix_memory[index] = part
            self.count[MIX_USED] = index + 1
        return index

    def grow_queue(self) -> None:
        """Make room for twice as many waiting jobs."""
        self._grow(JOBS)
        self._grow(ROWS)

    def _possible(self, pool: int, width: int, memory: int) -> bool:
        """Whether the empty pool could hold it."""
        its = self.pools[pool]
        return 0 < width <= its.count and its.memory_fits(width, memory)

    def _attempt(self, job: int) -> int:
        entry = attempts.attempt_of(self.handle, job)
        if entry < 0:
            raise KeyError(job)
        return entry

    def _add_wait(self) -> None:
        self.shape(Shape(-1, 0, 0))
        self.job_count[0], self.job_submitted[0], self.job_deadline[0] = 1, np.inf, np.inf
        self.job_preference[0] = 0.5
        self.job_ideal[0] = self.job_size[0] = 1.0
        self.count[SLOTS_USED] = self.count[ROWS_USED] = 1

    def _grow(self, group: str) -> None:
        grow(self, group)
        self._handle = self._blocks = None
