"""Of two jobs that differ in nothing else, the more urgent one goes first.

A job precedes another one if both accept the same placements at the same estimates and share their
preference, and it is at least as urgent in every respect (priority, deadline, wait) and more urgent
in one. A nearer deadline counts only where the job would meet it; one that is missed anyway makes
nobody more urgent.

Estimates must be equal. A job whose estimates are merely no worse may rightly wait: a faster run
elsewhere may be what it holds out for.
"""

from __future__ import annotations

import numpy as np

from scheduler.decisions.candidates import Candidates
from scheduler.decisions.queue import WAIT, Bools, Ints, Queue


def most_urgent(queue: Queue, slots: Ints) -> int:
    """Which of these jobs goes first among equals: the oldest, then priority, then deadline."""
    return int(
        np.lexsort((queue.deadline[slots], -queue.priority[slots], queue.submitted[slots]))[0]
    )


def preceding(table: Candidates, position: int) -> int:
    """The same placement of the job that goes first: `position`, unless another job precedes it."""
    if position == WAIT:
        return position
    queue = table.queue
    row, slot = int(table.rows[position]), int(table.slot[position])
    same = np.flatnonzero(
        (table.shape == table.shape[position])
        & (table.runtime == table.runtime[position])
        & (table.dollars == table.dollars[position])
    )
    if len(same) == 1:
        return position
    slots = table.slot[same]
    more = _more_urgent(queue, slots, slot, met=table.only(same.tolist()).slack >= 0)
    more &= queue.first[slots] + row - queue.first[slot] == table.rows[same]
    same, slots = same[more], slots[more]
    alike = _alike(queue, slots, slot)
    same, slots = same[alike], slots[alike]
    return int(same[most_urgent(queue, slots)]) if len(same) else position


def _more_urgent(queue: Queue, slots: Ints, slot: int, met: Bools) -> Bools:
    """Which jobs are more urgent than the one in `slot` and less urgent in nothing.

    `met`: whether a job's deadline would be met by the placement in question.
    """
    priority, submitted, deadline = queue.priority, queue.submitted, queue.deadline
    nearer = (deadline[slots] < deadline[slot]) & met
    least = (
        (priority[slots] >= priority[slot])
        & (submitted[slots] <= submitted[slot])
        & (nearer | (deadline[slots] == deadline[slot]))
    )
    more = (priority[slots] > priority[slot]) | (submitted[slots] < submitted[slot]) | nearer
    found: Bools = least & more
    return found


def _alike(queue: Queue, slots: Ints, slot: int) -> Bools:
    """Which jobs accept the same placements at the same estimates, and share the preference."""
    own = queue.rows_of(slot)
    alike = (queue.count[slots] == len(own)) & (queue.preference[slots] == queue.preference[slot])
    found = np.zeros(len(slots), dtype=np.bool_)
    rows = queue.first[slots[alike]][:, np.newaxis] + np.arange(len(own))
    equal = np.ones(rows.shape, dtype=np.bool_)
    for column in (queue.shape, queue.runtime, queue.dollars, queue.joules):
        equal &= column[rows] == column[list(own)]
    found[alike] = equal.all(axis=1)
    return found
