"""Which rows of a long table are shown, when not all can be.

The oldest would be the wrong ones: behind a thousand old giants stands the small job that should
go first. So jobs are ranked by several orders, each being right for some queue, and a job is as
near to the front as its best rank says.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scheduler.decisions.candidates import Candidates
from scheduler.decisions.queue import Floats, Ints


@dataclass(frozen=True, slots=True)
class Ranks:
    """How many of a table's jobs come before each, by every order."""

    jobs: Ints
    """(orders, jobs)"""
    job: Ints
    """(n - 1,) Index into `jobs` of every row but WAIT."""

    def of(self, positions: Ints) -> Ints:
        """(orders, positions) Ranks of the jobs of these rows of the table; none is WAIT."""
        return self.jobs[:, self.job[positions - 1]]


def ranks(slot: Ints, scores: Floats) -> Ranks:
    """Ranks of the jobs of a table.

    `slot`: (n - 1,) of every row but WAIT, ascending. `scores`: (orders, slots), least first.
    """
    new = np.empty(len(slot), dtype=np.bool_)
    new[:1] = True
    np.not_equal(slot[1:], slot[:-1], out=new[1:])
    # Jobs stand in the order in which they came: a stable sort keeps it between equal ones.
    orders = scores[:, slot[new]].argsort(axis=1, kind="stable")
    return Ranks(orders.argsort(axis=1), new.cumsum() - 1)


def nearest(table: Candidates, ranked: Ranks, ends: Floats, priced: Ints, rows: int) -> Ints:
    """Positions of the `rows` rows of the table to be shown, ascending, WAIT first.

    A row is the nearer, the less (1 + best rank of its job by any order) · (1 + its own rank
    among the job's rows): the first jobs show all their placements, later ones their best. A
    job's rows are ranked by `Candidates.regret`; `ends`: (rows of the queue) seconds until the
    end if started as soon as possible. A row is no farther than its best rank in `priced`:
    (prices, n - 1) ranks of every row but WAIT, 0 least.
    """
    if len(table) <= rows:
        return np.arange(len(table))
    job, jobs = ranked.job, ranked.jobs.shape[1]
    near = ranked.jobs.min(axis=0)[job]
    if jobs < len(job):
        choice, slot, queue = table.rows[1:], table.slot[1:], table.queue
        p = queue.preference[slot]
        regret = p * ends[choice] / np.maximum(queue.ideal[slot], 1e-9)
        regret += (1 - p) * (queue.dollars[choice] + 1e-9) / (queue.cheapest[slot] + 1e-9)
        order = np.lexsort((regret, job))
        own = np.empty_like(order)
        own[order] = np.arange(len(order)) - np.searchsorted(job, np.arange(jobs))[job[order]]
        near = (1 + near) * (1 + own)
    near = np.minimum(near, 1 + priced.min(axis=0))
    # Between equally near ones the older job: the position decides, so no sort is left to chance.
    near = near * len(table) + np.arange(len(near))
    chosen = np.argpartition(near, rows - 2)[: rows - 1]
    chosen.sort()
    positions = np.zeros(rows, dtype=np.int64)
    positions[1:] = chosen + 1
    return positions
