"""The events to come, in a binary heap.

Simultaneous events happen in the order in which they were pushed, urgent ones first: as in SimPy.
"""

from __future__ import annotations

from envs.clock.kernel.columns import EVENTS, NEVER, SEQUENCE, TIME, EpisodeColumns
from scheduler.compilation.functions import compiled, entry_point

(ARRIVE, FINISH, FAIL, OVERRUN, DRAW, LIVE, BOOTED, LOST, REPAIRED, RELEASED, IDLE, WAKE) = range(
    12
)
"""Kinds of events. LIVE: a node was switched on; LOST: its life ends; RELEASED: it lost its last
attempt; IDLE: it may have been idle long enough."""
_NORMAL = 1 << 60


@compiled
def push(e: EpisodeColumns, delay_s: float, kind: int, subject: int, stamp: int) -> None:
    """Add an event `delay_s` seconds from now. The heap has room."""
    _insert(e, e.figure[TIME] + delay_s, _NORMAL + e.count[SEQUENCE], kind, subject, stamp)


@entry_point
def push_urgent(e: EpisodeColumns, kind: int, subject: int, stamp: int) -> None:
    """Add an event that happens now, before all others."""
    _insert(e, e.figure[TIME], e.count[SEQUENCE], kind, subject, stamp)


@entry_point
def replace_arrival(e: EpisodeColumns, delay_s: float, subject: int) -> None:
    """Let the job `subject` arrive next, `delay_s` seconds from now; NEVER: none arrives."""
    count, sequence = e.count[EVENTS], e.count[SEQUENCE]
    e.count[EVENTS] = 0
    for at in range(count):
        time, order, kind = e.event_time[at], e.event_order[at], e.event_kind[at]
        if kind != ARRIVE:
            _insert(e, time, order, kind, e.event_subject[at], e.event_stamp[at])
    e.count[SEQUENCE] = sequence
    if subject != NEVER:
        push(e, delay_s, ARRIVE, subject, 1)


@compiled
def pop(e: EpisodeColumns) -> None:
    """Remove the first event."""
    last = e.count[EVENTS] - 1
    e.count[EVENTS] = last
    if last == 0:
        return
    time, order = e.event_time[last], e.event_order[last]
    at, child = 0, 1
    while child < last:
        other = child + 1
        if other < last and _sooner(e, e.event_time[other], e.event_order[other], child):
            child = other
        if _sooner(e, time, order, child):
            break
        _move(e, child, at)
        at, child = child, 2 * child + 1
    _move(e, last, at)


@compiled
def _insert(
    e: EpisodeColumns, time: float, order: int, kind: int, subject: int, stamp: int
) -> None:
    at = e.count[EVENTS]
    e.count[EVENTS] = at + 1
    e.count[SEQUENCE] += 1
    while at > 0 and _sooner(e, time, order, (at - 1) // 2):
        _move(e, (at - 1) // 2, at)
        at = (at - 1) // 2
    e.event_time[at], e.event_order[at] = time, order
    e.event_kind[at], e.event_subject[at], e.event_stamp[at] = kind, subject, stamp


@compiled
def _sooner(e: EpisodeColumns, time: float, order: int, than: int) -> bool:
    if time != e.event_time[than]:
        return bool(time < e.event_time[than])
    return bool(order < e.event_order[than])


@compiled
def _move(e: EpisodeColumns, source: int, target: int) -> None:
    e.event_time[target], e.event_order[target] = e.event_time[source], e.event_order[source]
    e.event_kind[target] = e.event_kind[source]
    e.event_subject[target], e.event_stamp[target] = e.event_subject[source], e.event_stamp[source]
