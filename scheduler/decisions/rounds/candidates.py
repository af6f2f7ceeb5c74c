"""The table that a policy sees: one row per placement that may be chosen now or reserved."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property

import numpy as np

from scheduler.decisions.state.cluster import Cluster
from scheduler.decisions.state.queue import Bools, Floats, Ints, Queue, Shape

COLUMNS = (
    "wait",
    "runtime",
    "start_delay",
    "dollars",
    "joules",
    "slack",
    "priority",
    "preference",
    "width",
    "share",
)
"""Columns an explanation shows; units in the properties' docstrings."""


class Candidates:
    """A table of n rows; every column has shape (n,), float64 unless said otherwise.

    Row 0 is WAIT, the choice to start nothing. Columns are computed when first read and must
    not be changed. Runtimes are estimates: the table has nothing that the scheduler cannot know.
    """

    def __init__(
        self,
        queue: Queue,
        cluster: Cluster,
        now: float,
        rows: Ints,
        *,
        backfilling: bool = False,
    ) -> None:
        self.now = now
        """Unix seconds."""
        self.backfilling = backfilling
        """Whether a pool is reserved already: what is chosen now starts beside that job."""
        self.queue = queue
        self.cluster = cluster
        self.rows = rows
        """(n,) Rows of the queue, ascending; the first is WAIT."""

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[str]:
        return iter(COLUMNS)

    @cached_property
    def slot(self) -> Ints:
        """(n,) int64: the job's position in the queue's job columns."""
        return self.queue.slot.take(self.rows)

    @cached_property
    def job(self) -> Ints:
        """(n,) int64: job id; 0 for WAIT."""
        return self.queue.id[self.slot]

    @cached_property
    def shape(self) -> Ints:
        """(n,) int64: index into `queue.shapes`."""
        return self.queue.shape.take(self.rows)

    @cached_property
    def pool(self) -> Ints:
        """(n,) int64: index of the pool; -1 for WAIT."""
        return np.asarray([shape.pool for shape in self.queue.shapes], dtype=np.int64)[self.shape]

    @cached_property
    def wait(self) -> Floats:
        """Seconds since the job was submitted; -inf for WAIT."""
        return self.now - self.queue.submitted[self.slot]

    @cached_property
    def born(self) -> Floats:
        """Seconds from the start of the history to the submission; inf for WAIT."""
        return self.queue.submitted[self.slot] - self.queue.origin

    @cached_property
    def runtime(self) -> Floats:
        """Estimated seconds on this placement."""
        return self.queue.runtime[self.rows]

    @cached_property
    def start_delay(self) -> Floats:
        """Seconds until this placement could start, by the estimates of what runs.

        With the pool's boot time; inf if it would not fit even with everything else gone.
        """
        starts, boots = self.cluster.starts(self.queue.shapes, self._used.tolist())
        delays: Floats = np.maximum(starts, self.now) - self.now + boots
        return delays.take(self.shape)

    @cached_property
    def dollars(self) -> Floats:
        """Estimated dollars of the attempt."""
        return self.queue.dollars[self.rows]

    @cached_property
    def joules(self) -> Floats:
        """Estimated joules of the attempt."""
        return self.queue.joules[self.rows]

    @cached_property
    def width(self) -> Floats:
        """Devices it takes."""
        return self._of_shape(lambda shape: shape.width, 0.0)

    @cached_property
    def share(self) -> Floats:
        """Devices it takes ÷ devices of the pool, in (0, 1]; 0 for WAIT."""
        pools = self.cluster.pools
        return self._of_shape(lambda shape: shape.width / pools[shape.pool].count, 0.0)

    @cached_property
    def deadline(self) -> Floats:
        """Unix seconds; inf: none."""
        return self.queue.deadline[self.slot]

    @cached_property
    def slack(self) -> Floats:
        """Seconds to spare to the deadline if this placement starts as soon as it can.

        inf without a deadline, -inf with one if it never fits.
        """
        left = self.deadline - self.now
        # inf - inf is not a number: without a deadline nothing is late.
        spent = np.where(np.isinf(left), 0.0, self.start_delay + self.runtime)
        return left - spent

    @cached_property
    def priority(self) -> Floats:
        """0 … 100."""
        return self.queue.priority[self.slot]

    @cached_property
    def preference(self) -> Floats:
        """0 cheapest … 1 fastest."""
        return self.queue.preference[self.slot]

    @cached_property
    def ideal(self) -> Floats:
        """Least estimated runtime of the job on any placement it accepts (s)."""
        return self.queue.ideal[self.slot]

    @cached_property
    def cheapest(self) -> Floats:
        """Least estimated dollars of the job on any placement it accepts."""
        return self.queue.cheapest[self.slot]

    @cached_property
    def size(self) -> Floats:
        """r: estimated runtime (s) of the job where it takes the fewest device-seconds."""
        return self.queue.size[self.slot]

    @cached_property
    def request(self) -> Floats:
        """n: devices of the job where it takes the fewest device-seconds."""
        return self.queue.request[self.slot]

    @cached_property
    def fits(self) -> Bools:
        """(n,) bool: whether it could start now; True for WAIT."""
        return self.cluster.fitting(self.queue.shapes).take(self.shape)

    @cached_property
    def free(self) -> Floats:
        """Free devices of the row's pool ÷ its devices; 0 for WAIT."""
        occupancy, pools = self.cluster.occupancy, self.cluster.pools
        return self._of_shape(
            lambda shape: occupancy[shape.pool].free / pools[shape.pool].count, 0.0
        )

    @cached_property
    def preference_cost(self) -> Floats:
        """What the placement costs the job by its own preference p, at best 1 (no unit).

        p · (start delay + runtime) / ideal runtime + (1 - p) · dollars / cheapest dollars.
        """
        p = self.preference
        least = np.where(self.cheapest > 0, self.cheapest, 1.0)
        money = np.where(self.cheapest > 0, self.dollars / least, 1.0 + self.dollars)
        slow = (self.start_delay + self.runtime) / np.maximum(self.ideal, 1e-9)
        # A placement that never fits is ruled out whatever p says; 0 · inf is not a number.
        never = np.isinf(slow)
        return np.where(never, np.inf, p * np.where(never, 0.0, slow) + (1 - p) * money)

    def only(self, positions: Sequence[int]) -> Candidates:
        """A table of just these rows (without WAIT, unless named)."""
        rows = self.rows[list(positions)]
        return Candidates(self.queue, self.cluster, self.now, rows, backfilling=self.backfilling)

    def all_open(self) -> Candidates:
        """A table of every row of every waiting job, also those that may not be chosen now."""
        rows = np.flatnonzero(self.queue.open)[1:]
        return Candidates(self.queue, self.cluster, self.now, rows, backfilling=self.backfilling)

    def rivals(self, row: int) -> range:
        """Positions of the rows of the same job as `row`, itself included."""
        slot = self.slot[row]
        start = int(np.searchsorted(self.slot, slot, side="left"))
        stop = int(np.searchsorted(self.slot, slot, side="right"))
        return range(start, stop)

    @cached_property
    def _used(self) -> Ints:
        """Indices of the shapes that the rows have."""
        used = np.zeros(len(self.queue.shapes), dtype=np.bool_)
        used[self.shape] = True
        return np.flatnonzero(used)

    def _of_shape(self, figure: Callable[[Shape], float], wait: float) -> Floats:
        """(n,) A figure that depends on the shape alone, looked up once per shape in use."""
        shapes = self.queue.shapes
        values = np.zeros(len(shapes))
        for index in self._used:
            shape = shapes[index]
            values[index] = wait if shape.pool < 0 else figure(shape)
        return values[self.shape]
