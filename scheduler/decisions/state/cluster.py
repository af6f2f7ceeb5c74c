"""The pools and the attempts that run in them: the state that placements change."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from scheduler.decisions.state.availability import EarliestStarts, FittingShapes
from scheduler.decisions.state.node_placement import BEST_FIT, Mix, NodePlacementRule
from scheduler.decisions.state.occupancy import Nodes, Occupancy
from scheduler.decisions.state.queue import Bools, Floats, Shape
from scheduler.domain.pools import Pool


class RunningAttempt(NamedTuple):
    """An attempt that holds devices, as decisions see it. Sorts by its estimated end."""

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


class Cluster:
    """Pools, their occupancy and the releases to come. Mutable; `copy()` to try things out.

    `rule`: which nodes placements take. Copies share what it learns from `ask`.
    """

    def __init__(
        self,
        pools: Sequence[Pool],
        running: Iterable[RunningAttempt] = (),
        rule: NodePlacementRule = BEST_FIT,
    ) -> None:
        self.pools = tuple(pools)
        self._mixes: list[Mix] = []
        if rule.cost is None:
            self.occupancy = [Occupancy(pool) for pool in self.pools]
        else:
            self._mixes = [Mix(pool) for pool in self.pools]
            self.occupancy = [
                Occupancy(pool, rule.cost(pool, mix))
                for pool, mix in zip(self.pools, self._mixes, strict=True)
            ]
        self.version = [0] * len(self.pools)
        """Per pool; rises with every start and finish in it."""
        self._releases: list[list[RunningAttempt]] = [[] for _ in self.pools]
        # Beside the releases, in the same order: their ends and widths.
        self._ends: list[list[float]] = [[] for _ in self.pools]
        self._widths: list[list[int]] = [[] for _ in self.pools]
        self._running: dict[int, RunningAttempt] = {}
        self._possible: dict[tuple[int, int, int], bool] = {}
        self._empty: dict[int, Occupancy] = {}
        self._asked: tuple[tuple[Shape, ...], tuple[int, ...]] = ((), ())
        self._fitting: FittingShapes | None = None
        self._earliest_starts: EarliestStarts | None = None
        for attempt in running:
            self._occupy(attempt)
            self._releases[attempt.pool].append(attempt)
        for pool, releases in enumerate(self._releases):
            releases.sort()
            self._ends[pool] = [attempt.end for attempt in releases]
            self._widths[pool] = [attempt.width for attempt in releases]
            self.version[pool] = len(releases)

    def copy(self) -> Cluster:
        """An independent copy."""
        twin = object.__new__(Cluster)
        twin.pools = self.pools
        twin._mixes = self._mixes
        twin.occupancy = [occupancy.copy() for occupancy in self.occupancy]
        twin.version = self.version.copy()
        twin._releases = [releases.copy() for releases in self._releases]
        twin._ends = [ends.copy() for ends in self._ends]
        twin._widths = [widths.copy() for widths in self._widths]
        twin._running = self._running.copy()
        twin._possible, twin._empty = self._possible, self._empty
        twin._asked = self._asked
        twin._fitting = twin._earliest_starts = None
        return twin

    def ask(self, places: Collection[tuple[int, int]], memory: int) -> None:
        """A job asks for one of these (pool, width) and `memory` bytes: the rule learns the mix."""
        if self._mixes:
            for pool, width in places:
                self._mixes[pool].add(width, memory, 1.0 / len(places))

    def start(self, attempt: RunningAttempt) -> None:
        """Occupy its devices. Raises `ValueError` if they are not free or the job runs already."""
        self._occupy(attempt)
        self._expect(attempt)

    def finish(self, job: int) -> RunningAttempt:
        """Free the job's devices. Raises `KeyError` if it does not run."""
        attempt = self._running.pop(job)
        self.occupancy[attempt.pool].release(attempt.nodes, attempt.memory)
        self._forget(attempt)
        return attempt

    def extend(self, job: int, end: float) -> None:
        """The job is now expected to end at `end`. Raises `KeyError` if it does not run."""
        attempt = self._running[job]
        self._forget(attempt)
        self._running[job] = attempt = attempt._replace(end=end)
        self._expect(attempt)

    def mark_up(self, pool: int, node: int) -> None:
        """The node is up: a start there need not wait for a boot."""
        self.occupancy[pool].mark_up(node)
        self.version[pool] += 1

    def mark_down(self, pool: int, node: int) -> None:
        """The node is down until a start boots it."""
        self.occupancy[pool].mark_down(node)
        self.version[pool] += 1

    def running(self) -> Iterable[RunningAttempt]:
        """What runs, in the order of its start."""
        return self._running.values()

    def releases(self, pool: int) -> Sequence[RunningAttempt]:
        """What runs in a pool, soonest estimated end first."""
        return self._releases[pool]

    def released(self, pool: int, until: float) -> int:
        """Devices of a pool that attempts hold which end by then, by estimates."""
        return sum(self._widths[pool][: bisect_right(self._ends[pool], until)])

    def impossible(self, shapes: tuple[Shape, ...]) -> tuple[int, ...]:
        """Indices of the shapes that even the empty pools could not hold."""
        asked, found = self._asked
        if shapes is not asked:
            known = len(asked)
            if shapes[:known] != asked:
                known, found = 0, ()
            new = enumerate(shapes[known:], known)
            found += tuple(
                index for index, shape in new if shape.pool >= 0 and not self.possible(*shape)
            )
            self._asked = shapes, found
        return found

    def fitting(self, shapes: tuple[Shape, ...]) -> Bools:
        """(shapes,) Which of them fit now; the array is valid until the next change."""
        if self._fitting is None or not self._fitting.serves(shapes):
            self._fitting = FittingShapes(len(self.pools))
            self._fitting.serves(shapes)
        return self._fitting.now(self)

    def starts(self, shapes: tuple[Shape, ...], used: Sequence[int]) -> tuple[Floats, Floats]:
        """(shapes,) twice: Unix seconds when each could have its devices, and their boot time (s).

        -inf: it fits now (and for WAIT); inf: not even with everything else gone. `used`: indices
        of the shapes to look at; the others hold anything. The arrays are valid until the
        next call.
        """
        if self._earliest_starts is None:
            self._earliest_starts = EarliestStarts()
        return self._earliest_starts.starts(self, shapes, used)

    def possible(self, pool: int, width: int, memory: int) -> bool:
        """Whether the empty pool could hold a placement of this size."""
        size = (pool, width, memory)
        if size not in self._possible:
            if pool not in self._empty:
                self._empty[pool] = Occupancy(self.pools[pool])
            self._possible[size] = self._empty[pool].fit(width, memory) is not None
        return self._possible[size]

    def earliest(
        self, pool: int, width: int, memory: int, now: float
    ) -> tuple[float, Occupancy] | None:
        """When a placement of this size could start by estimates, and what is free then.

        Estimated ends that have passed count as now. None if it does not fit even when all that
        runs has ended.
        """
        free = self.occupancy[pool]
        if free.fit(width, memory) is not None:
            return now, free.copy()
        free = free.copy()
        if self.pools[pool].nodes == 1:
            return self._earliest_on_one(pool, free, width, memory, now)
        for attempt in self._releases[pool]:
            free.release(attempt.nodes, attempt.memory)
            if free.free >= width and free.fit(width, memory) is not None:
                return max(now, attempt.end), free
        return None

    def _earliest_on_one(
        self, pool: int, free: Occupancy, width: int, memory: int, now: float
    ) -> tuple[float, Occupancy] | None:
        """As `earliest`, in a pool of one node, where devices are interchangeable."""
        devices = claimed = 0
        missing = width - free.free
        for attempt, count in zip(self._releases[pool], self._widths[pool], strict=True):
            devices += count
            claimed += attempt.memory
            if devices < missing:
                continue
            if devices:
                free.release(((0, devices),), claimed)
                missing -= devices
                devices = claimed = 0
            if free.fit(width, memory) is not None:
                return max(now, attempt.end), free
        return None

    def _occupy(self, attempt: RunningAttempt) -> None:
        if attempt.job in self._running:
            raise ValueError(f"job {attempt.job} runs already")
        self.occupancy[attempt.pool].allocate(attempt.nodes, attempt.memory)
        self._running[attempt.job] = attempt

    def _expect(self, attempt: RunningAttempt) -> None:
        pool = attempt.pool
        place = bisect_left(self._releases[pool], attempt)
        self._releases[pool].insert(place, attempt)
        self._ends[pool].insert(place, attempt.end)
        self._widths[pool].insert(place, attempt.width)
        self.version[pool] += 1

    def _forget(self, attempt: RunningAttempt) -> None:
        pool = attempt.pool
        place = bisect_left(self._releases[pool], attempt)
        for column in (self._releases[pool], self._ends[pool], self._widths[pool]):
            del column[place]
        self.version[pool] += 1
