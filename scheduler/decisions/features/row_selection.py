"""Which rows of a long table are shown, when not all can be.

The oldest would be the wrong ones: the small job that should go first may stand behind a thousand
old large ones. So jobs are ranked by several orders, each of which is right for some queue, and a
job is as near to the front as its best rank says.
"""

from __future__ import annotations

import numpy as np

from scheduler.arrays import Floats, Ints
from scheduler.decisions.features import ranks
from scheduler.decisions.rounds.candidates import Candidates


def nearest(table: Candidates, before: Ints, ends: Floats, prices: Floats, rows: int) -> Ints:
    """Positions of the `rows` rows of the table to be shown, ascending, WAIT first.

    A row is nearer, the less (1 + best rank of its job by any order) · (1 + its own rank among
    the job's rows) is: the first jobs show all their placements, later ones their best. A
    job's rows are ranked by `Candidates.preference_cost`. A row is no farther than its best rank
    by any of the prices says. `before`: (orders, slots) of the table's jobs; `ends`: (rows of the
    queue) seconds until the end if started as soon as possible; `prices`: (prices, n - 1) of every
    row but WAIT.
    """
    if len(table) <= rows:
        return np.arange(len(table))
    slot, wanted = table.slot[1:], rows - 1
    first, counts = 1 + before.min(axis=0), np.bincount(slot)
    jobs = counts.nonzero()[0]
    bound = _bound(first.take(jobs), counts.take(jobs), wanted)
    near = np.full(len(slot), bound + 1)
    for price in prices:
        cheap = ranks.least(price, min(bound, len(price)))
        near[cheap] = np.minimum(near.take(cheap), 1 + ranks.everywhere(price.take(cheap)))
    first = first.take(slot)
    close = np.flatnonzero(np.minimum(near, first) <= bound)
    near, first = near.take(close), first.take(close)
    ahead = np.flatnonzero(first <= bound)
    own = 1 + _own_ranks(table, close.take(ahead), ends)
    near[ahead] = np.minimum(near.take(ahead), first.take(ahead) * own)
    # The position decides between equally near rows, so the result does not depend on the sort.
    near *= len(table)
    near += close
    chosen = close.take(np.argpartition(near, wanted - 1)[:wanted])
    chosen.sort()
    positions = np.zeros(rows, dtype=np.int64)
    positions[1:] = chosen + 1
    return positions


def _bound(first: Ints, counts: Ints, wanted: int) -> int:
    """At least so many rows are no farther than this: what is farther by all orders is not shown.

    (jobs,) `first`: 1 + best rank of the job; `counts`: its rows in the table.
    """
    bound = 1
    while np.minimum(counts, bound // first).sum() < wanted:
        bound *= 2
    return bound


def _own_ranks(table: Candidates, places: Ints, ends: Floats) -> Ints:
    """(places,) Ranks by preference cost among the rows of the same job.

    All of a job's rows are among `places` if any is.
    """
    queue, choice, slot = table.queue, table.rows.take(places + 1), table.slot.take(places + 1)
    p = queue.preference.take(slot)
    cost = p * ends.take(choice) / np.maximum(queue.ideal.take(slot), 1e-9)
    cost += (1 - p) * (queue.dollars.take(choice) + 1e-9) / (queue.cheapest.take(slot) + 1e-9)
    # Job by job, as they stand in the table, and within each by cost: two stable sorts are several
    # times faster than `lexsort`.
    by_cost = cost.argsort(kind="stable")
    order = by_cost.take(slot.take(by_cost).argsort(kind="stable"))
    own = np.empty_like(order)
    own[order] = np.arange(len(order)) - slot.searchsorted(slot)
    return own
