"""Of two jobs that differ in nothing else, the more urgent one goes first.

Jobs are *alike* if they accept the same placements at the same estimates and share their
preference. When a policy chooses one of them, a job like it may take the place:

- under every policy, one that is at least as urgent in every respect (priority, wait, deadline) and
  more urgent in one;
- under a policy that heeds urgency (`Traits`), the one whose `urgency` is greatest. Jobs
  that arrive one after another differ in their waits, so the first rule alone would leave their
  priorities to the policy.

A nearer deadline counts only where the job would meet it; one that is missed anyway makes no job
more urgent. Estimates must be equal. A job whose estimates are merely no worse may rightly wait: it
may wait for a faster run elsewhere.
"""

from __future__ import annotations

import numpy as np

from scheduler.decisions.rounds.candidates import Candidates
from scheduler.decisions.state.queue import WAIT, Bools, Floats, Ints, Queue
from scheduler.domain.jobs import MIDDLE_PRIORITY

AGEING = 0.25
"""Weight of the wait."""
SOON_S = 600.0
"""Added to the runtimes that waits and slacks are measured against."""


def urgency(table: Candidates, rows: Ints) -> Floats:
    """(rows,) How urgent a job is where it would start; no unit.

    ln(priority / 50) + ¼ · ln(1 + wait / (least runtime + 600 s)) + exp(-slack / (runtime + 600 s))

    The last term counts only with a deadline that this placement meets.
    """
    columns = (table.priority, table.wait, table.slack, table.ideal, table.runtime)
    return _urgency(*(column[rows] for column in columns))


def _urgency(
    priority: Floats, wait: Floats, slack: Floats, ideal: Floats, runtime: Floats
) -> Floats:
    value: Floats = np.log(np.maximum(priority, 1.0) / MIDDLE_PRIORITY)
    value += AGEING * np.log1p(np.maximum(wait, 0.0) / (ideal + SOON_S))
    near = np.exp(-np.maximum(slack, 0.0) / (runtime + SOON_S))
    value += np.where(slack >= 0, near, 0.0)
    return value


def most_urgent(queue: Queue, slots: Ints) -> int:
    """Which of these jobs goes first among equals: the oldest, then priority, then deadline."""
    # NumPy sorts by the last key first.
    return int(np.lexsort([column[slots] for column in reversed(_ties(queue))])[0])


def earlier(queue: Queue, slots: Ints, slot: int) -> Bools:
    """Which of these jobs go before the one in `slot` among equals."""
    before, equal = np.zeros(len(slots), np.bool_), np.ones(len(slots), np.bool_)
    for column in (*_ties(queue), np.arange(len(queue.id))):
        before |= equal & (column[slots] < column[slot])
        equal &= column[slots] == column[slot]
    return before


def _ties(queue: Queue) -> tuple[Floats, Floats, Floats]:
    """Columns that break ties, the first one first; less goes first."""
    return queue.submitted, -queue.priority, queue.deadline


def preceding(table: Candidates, position: int, *, heed: bool = False) -> int:
    """The same placement of the job that goes first: `position`, unless another job precedes it.

    `heed`: whether urgency decides among jobs that are alike.
    """
    if position == WAIT:
        return position
    queue, slot = table.queue, int(table.slot[position])
    same = np.flatnonzero(
        (table.shape == table.shape[position])
        & (table.runtime == table.runtime[position])
        & (table.dollars == table.dollars[position])
    )
    if len(same) == 1:
        return position
    place = table.rows[position] - queue.first[slot]
    same = same[table.rows[same] - queue.first[table.slot[same]] == place]
    same = same[alike(queue, table.slot[same], slot)]
    if len(same) == 1:
        return position
    slots = table.slot[same]
    # They would all start where the chosen one does, and end as soon.
    chosen = table.only([position])
    over = table.now + chosen.start_delay[0] + chosen.runtime[0]
    slack = queue.deadline[slots] - over
    if heed:
        value = _urgency(
            queue.priority[slots],
            table.now - queue.submitted[slots],
            slack,
            chosen.ideal,
            chosen.runtime,
        )
        first = np.flatnonzero(value == value.max())
    else:
        first = np.flatnonzero(_more_urgent(queue, slots, slot, met=slack >= 0))
    if not len(first):
        return position
    return int(same[first[most_urgent(queue, slots[first])]])


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


def alike(queue: Queue, slots: Ints, slot: int) -> Bools:
    """Which jobs accept the same placements at the same estimates, and share the preference."""
    own = queue.rows_of(slot)
    able = (queue.count[slots] == len(own)) & (queue.preference[slots] == queue.preference[slot])
    found = np.zeros(len(slots), dtype=np.bool_)
    rows = queue.first[slots[able]][:, np.newaxis] + np.arange(len(own))
    equal = np.ones(rows.shape, dtype=np.bool_)
    for column in (queue.shape, queue.runtime, queue.dollars, queue.joules):
        equal &= column[rows] == column[list(own)]
    found[able] = equal.all(axis=1)
    return found
