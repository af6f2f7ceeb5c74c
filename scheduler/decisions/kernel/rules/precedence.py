"""Of two jobs that differ in nothing else, the more urgent one goes first.

Jobs are *alike* if they accept the same placements at the same estimates and share their
preference. When a policy chooses one of them, a job like it may take the place:

- under every policy, one that is at least as urgent in every respect (priority, wait, deadline) and
  more urgent in one;
- under a policy that heeds urgency, the one whose urgency is greatest. Jobs that arrive one after
  another differ in their waits, so the first rule alone would leave their priorities to the policy.

A nearer deadline counts only where the job would meet it; one that is missed anyway makes no job
more urgent. Estimates must be equal. A job whose estimates are merely no worse may rightly wait: it
may wait for a faster run elsewhere.
"""

from __future__ import annotations

import numpy as np

from scheduler.compilation.columns import Ints
from scheduler.compilation.functions import compiled, entry_point
from scheduler.decisions.kernel.arithmetic import exp, ln1p
from scheduler.decisions.kernel.cluster.starts import delay_of, look_ahead
from scheduler.decisions.kernel.columns import (
    MODE,
    NOW,
    WAITS,
    Columns,
)
from scheduler.decisions.kernel.rules.allowed import GREEDY, reservable, startable
from scheduler.decisions.kernel.rules.chains import chain_of

AGEING = 0.25
"""Weight of the wait."""
SOON_S = 600.0
"""Added to the runtimes that waits and slacks are measured against."""


@compiled
def ageing_of(w: Columns, slot: int) -> float:
    """¼ · ln(1 + wait / (least runtime + 600 s))."""
    wait = max(w.figure[NOW] - w.job_submitted[slot], 0.0)
    return AGEING * ln1p(wait / (w.job_ideal[slot] + SOON_S))


@compiled
def nearness_of(w: Columns, slot: int, row: int) -> float:
    """exp(-slack / (runtime + 600 s)); 0 without a deadline that the row meets. Its pool is seen.

    The slack is what is left until the deadline if the row starts as soon as it can.
    """
    deadline = w.job_deadline[slot]
    if deadline == np.inf:
        return 0.0
    slack = deadline - w.figure[NOW] - (delay_of(w, w.row_shape[row]) + w.row_runtime[row])
    if not slack >= 0.0:
        return 0.0
    return exp(-slack / (w.row_runtime[row] + SOON_S))


@entry_point
def urgency_of(w: Columns, slot: int, row: int) -> float:
    """How urgent a job is where it would start: ln(priority / 50) and the two terms above."""
    return w.job_weight[slot] + ageing_of(w, slot) + nearness_of(w, slot, row)


@entry_point
def earlier(w: Columns, slot: int, other: int) -> bool:
    """Whether a job goes before another among equals: the oldest, then priority, then deadline."""
    if w.job_submitted[slot] != w.job_submitted[other]:
        return bool(w.job_submitted[slot] < w.job_submitted[other])
    if w.job_priority[slot] != w.job_priority[other]:
        return bool(w.job_priority[slot] > w.job_priority[other])
    if w.job_deadline[slot] != w.job_deadline[other]:
        return bool(w.job_deadline[slot] < w.job_deadline[other])
    return slot < other


@entry_point
def first_of(w: Columns, slots: Ints) -> int:
    """(n,) slots: the position of the one that goes before all others among equals."""
    first = 0
    for at in range(1, len(slots)):
        if earlier(w, slots[at], slots[first]):
            first = at
    return first


@entry_point
def preceding(w: Columns, row: int, heed: bool) -> int:
    """The same placement of the job that goes first: `row`, unless another job precedes it.

    `heed`: whether urgency decides among jobs that are alike. Valid after `refresh_rules`.
    """
    if row == 0:
        return row
    slot = w.row_slot[row]
    place = row - w.job_first[slot]
    first, greatest, seen = 0, 0.0, False
    after = chain_of(w, slot)
    while after:
        other, after = after, w.job_link[after]
        if not heed and _less_urgent(w, other, slot):
            continue
        if not _rivals(w, slot, other, place):
            continue
        if not seen:
            seen = True
            look_ahead(w, w.shape_pool[w.row_shape[row]])
            if heed:
                first, greatest = slot, urgency_of(w, slot, row)
        if heed:
            value = urgency_of(w, other, row)
            if value > greatest or (value == greatest and earlier(w, other, first)):
                first, greatest = other, value
        elif _more_urgent(w, other, slot, row) and (first == 0 or earlier(w, other, first)):
            first = other
    return row if first == 0 else w.job_first[first] + place


@compiled
def _rivals(w: Columns, slot: int, other: int, place: int) -> bool:
    """Whether another job that is alike could take the same placement now."""
    if other == slot or w.job_state[other] != WAITS:
        return False
    if w.job_signature[other] != w.job_signature[slot] or not alike(w, slot, other):
        return False
    return _choosable(w, other, w.job_first[other] + place)


@compiled
def _choosable(w: Columns, slot: int, row: int) -> bool:
    """Whether a row may be chosen now."""
    if startable(w, row):
        return True
    if w.state[MODE] != GREEDY or not reservable(w, row):
        return False
    for own in range(w.job_first[slot], w.job_first[slot] + w.job_count[slot]):
        if startable(w, own):
            return False
    return True


@compiled
def _less_urgent(w: Columns, slot: int, than: int) -> bool:
    """Whether a job is less urgent than another one in some respect."""
    return bool(
        w.job_submitted[slot] > w.job_submitted[than]
        or w.job_priority[slot] < w.job_priority[than]
        or w.job_deadline[slot] > w.job_deadline[than]
    )


@compiled
def _more_urgent(w: Columns, slot: int, than: int, row: int) -> bool:
    """Whether a job that is less urgent than another one in nothing is more urgent.

    A nearer deadline counts if the row would meet it; if not, the job does not go first.
    """
    deadline = w.job_deadline[slot]
    over = w.figure[NOW] + delay_of(w, w.row_shape[row]) + w.row_runtime[row]
    nearer = deadline < w.job_deadline[than] and deadline - over >= 0.0
    if not nearer and deadline != w.job_deadline[than]:
        return False
    return bool(
        nearer
        or w.job_priority[slot] > w.job_priority[than]
        or w.job_submitted[slot] < w.job_submitted[than]
    )


@entry_point
def alike(w: Columns, slot: int, other: int) -> bool:
    """Whether two jobs accept the same placements at the same estimates, and share a preference."""
    if w.job_count[slot] != w.job_count[other] or w.job_preference[slot] != w.job_preference[other]:
        return False
    one, two = w.job_first[slot], w.job_first[other]
    for index in range(w.job_count[slot]):
        if (
            w.row_shape[one + index] != w.row_shape[two + index]
            or w.row_runtime[one + index] != w.row_runtime[two + index]
            or w.row_dollars[one + index] != w.row_dollars[two + index]
            or w.row_joules[one + index] != w.row_joules[two + index]
        ):
            return False
    return True
