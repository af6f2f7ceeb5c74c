"""The table that a policy sees: one row per placement that may be chosen now or reserved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np

from scheduler.compilation.columns import Bools, Floats, Ints
from scheduler.decisions.kernel.cluster import starts
from scheduler.decisions.kernel.columns import GONE, HELD, LIVE, NOW, ORIGIN, SLOTS_USED
from scheduler.decisions.kernel.queue import orders
from scheduler.decisions.state.world import World

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
    "size",
    "request",
)
"""Columns an explanation shows; units in the properties' docstrings."""


class Candidates:
    """A table of n rows; every column has shape (n,), float64 unless said otherwise.

    Row 0 is WAIT, the choice to start nothing. Columns are computed when first read and must
    not be changed; what depends on the cluster must be read before the round goes on. Runtimes are
    estimates: the table has nothing that the scheduler cannot know.
    """

    def __init__(self, world: World, rows: Ints) -> None:
        self.now = float(world.figure[NOW])
        """Unix seconds."""
        self.world = world
        """The cluster and its queue; not to be changed."""
        self.backfilling = bool(world.count[HELD])
        """Whether a pool is reserved already: what is chosen now starts beside that job."""
        self.rows = rows
        """(n,) Rows of the world, ascending; the first is WAIT."""

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[str]:
        return iter(COLUMNS)

    @cached_property
    def slot(self) -> Ints:
        """(n,) int64: the job's position in the world's job columns."""
        return self.world.row_slot.take(self.rows)

    @cached_property
    def job(self) -> Ints:
        """(n,) int64: job id; 0 for WAIT."""
        return self.world.job_id.take(self.slot)

    @cached_property
    def shape(self) -> Ints:
        """(n,) int64: position in the world's shape columns."""
        return self.world.row_shape.take(self.rows)

    @cached_property
    def pool(self) -> Ints:
        """(n,) int64: index of the pool; -1 for WAIT."""
        return self.world.shape_pool.take(self.shape)

    @cached_property
    def wait(self) -> Floats:
        """Seconds since the job was submitted; -inf for WAIT."""
        waits: Floats = self.now - self.world.job_submitted.take(self.slot)
        return waits

    @cached_property
    def born(self) -> Floats:
        """Seconds from the start of the history to the submission; inf for WAIT."""
        seconds: Floats = self.world.job_submitted.take(self.slot) - self.world.figure[ORIGIN]
        return seconds

    @cached_property
    def runtime(self) -> Floats:
        """Estimated seconds on this placement."""
        return self.world.row_runtime.take(self.rows)

    @cached_property
    def start_delay(self) -> Floats:
        """Seconds until this placement could start, by the estimates of what runs.

        With the pool's boot time; inf if it would not fit even with everything else gone.
        """
        world = self.world
        for pool in np.unique(self.pool[self.pool >= 0]).tolist():
            starts.look_ahead(world.handle, pool)
        starting = world.shape_start.take(self.shape)
        delays: Floats = np.maximum(starting, self.now) - self.now
        delays += world.shape_boot.take(self.shape)
        delays[self.pool < 0] = 0.0
        return delays

    @cached_property
    def dollars(self) -> Floats:
        """Estimated dollars of the attempt."""
        return self.world.row_dollars.take(self.rows)

    @cached_property
    def joules(self) -> Floats:
        """Estimated joules of the attempt."""
        return self.world.row_joules.take(self.rows)

    @cached_property
    def width(self) -> Floats:
        """Devices it takes; 0 for WAIT."""
        return self.world.shape_width.take(self.shape).astype(np.float64)

    @cached_property
    def share(self) -> Floats:
        """Devices it takes ÷ devices of the pool, in (0, 1]; 0 for WAIT."""
        return self.width / self.world.pool_count.take(self.pool, mode="clip")

    @cached_property
    def deadline(self) -> Floats:
        """Unix seconds; inf: none."""
        return self.world.job_deadline.take(self.slot)

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
        return self.world.job_priority.take(self.slot)

    @cached_property
    def preference(self) -> Floats:
        """0 cheapest … 1 fastest."""
        return self.world.job_preference.take(self.slot)

    @cached_property
    def ideal(self) -> Floats:
        """Least estimated runtime of the job on any placement it accepts (s)."""
        return self.world.job_ideal.take(self.slot)

    @cached_property
    def cheapest(self) -> Floats:
        """Least estimated dollars of the job on any placement it accepts."""
        return self.world.job_cheapest.take(self.slot)

    @cached_property
    def size(self) -> Floats:
        """r: estimated runtime (s) of the job where it takes the fewest device-seconds."""
        return self.world.job_size.take(self.slot)

    @cached_property
    def request(self) -> Floats:
        """n: devices of the job where it takes the fewest device-seconds."""
        return self.world.job_request.take(self.slot)

    @cached_property
    def fits(self) -> Bools:
        """(n,) bool: whether it could start now; True for WAIT."""
        for pool in np.unique(self.pool[self.pool >= 0]).tolist():
            starts.look_now(self.world.handle, pool)
        found: Bools = self.world.shape_fits.take(self.shape) > 0
        found[self.pool < 0] = True
        return found

    @cached_property
    def free(self) -> Floats:
        """Free devices of the row's pool ÷ its devices; 0 for WAIT."""
        world = self.world
        shares = world.plane_free[LIVE] / world.pool_count
        return np.where(self.pool < 0, 0.0, shares.take(self.pool, mode="clip"))

    @cached_property
    def preference_cost(self) -> Floats:
        """What the placement costs the job by its own preference p, at best 1 (no unit); 0: WAIT.

        p · (start delay + runtime) / ideal runtime + (1 - p) · dollars / cheapest dollars.
        """
        return self.costs(orders.PREFERENCE)

    def costs(self, placement: int) -> Floats:
        """(n,) What each row costs by a placement of `kernel.queue.orders`; 0 for WAIT."""
        costs = np.zeros(len(self))
        of_jobs = self.rows > 0
        found = np.empty(int(of_jobs.sum()))
        orders.costs_of(self.world.handle, placement, self.rows[of_jobs], found)
        costs[of_jobs] = found
        return costs

    def only(self, positions: Sequence[int]) -> Candidates:
        """A table of just these rows (without WAIT, unless named)."""
        return Candidates(self.world, self.rows[list(positions)])

    def apart(self) -> Candidates:
        """The same table of a copy of the world, which nobody else uses."""
        return Candidates(self.world.copy(), self.rows)

    def rivals(self, row: int) -> range:
        """Positions of the rows of the same job as `row`, itself included."""
        slot = self.slot[row]
        start = int(np.searchsorted(self.slot, slot, side="left"))
        stop = int(np.searchsorted(self.slot, slot, side="right"))
        return range(start, stop)


def open_rows(world: World) -> Ints:
    """(n,) Every row of every waiting job, WAIT first."""
    used = world.count[SLOTS_USED]
    slots = np.flatnonzero(world.job_state[:used] != GONE)
    counts = world.job_count[slots]
    ends = np.cumsum(counts)
    firsts = np.repeat(world.job_first[slots] - (ends - counts), counts)
    return np.concatenate(([0], np.arange(len(firsts)) + firsts))
