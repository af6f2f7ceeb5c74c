"""A binary heap of the ends of attempts."""

from __future__ import annotations

from scheduler.compilation.functions import compiled
from scheduler.decisions.kernel.playouts.columns import STARTED, PlayoutColumns


@compiled
def push(f: PlayoutColumns, time: float, attempt: int) -> None:
    """Add an end. There is room for as many as the cluster has devices."""
    at = f.number[STARTED]
    f.number[STARTED] = at + 1
    while at > 0:
        above = (at - 1) // 2
        if not _sooner(f, time, attempt, above):
            break
        f.heap_time[at], f.heap_attempt[at] = f.heap_time[above], f.heap_attempt[above]
        at = above
    f.heap_time[at], f.heap_attempt[at] = time, attempt


@compiled
def pop(f: PlayoutColumns) -> int:
    """Remove the soonest end; returns its attempt."""
    first = f.heap_attempt[0]
    used = f.number[STARTED] - 1
    f.number[STARTED] = used
    time, attempt, at = f.heap_time[used], f.heap_attempt[used], 0
    while True:
        below = 2 * at + 1
        if below >= used:
            break
        if below + 1 < used and _sooner(
            f, f.heap_time[below + 1], f.heap_attempt[below + 1], below
        ):
            below += 1
        if _sooner(f, time, attempt, below):
            break
        f.heap_time[at], f.heap_attempt[at] = f.heap_time[below], f.heap_attempt[below]
        at = below
    f.heap_time[at], f.heap_attempt[at] = time, attempt
    return first


@compiled
def _sooner(f: PlayoutColumns, time: float, attempt: int, at: int) -> bool:
    if time != f.heap_time[at]:
        return bool(time < f.heap_time[at])
    return bool(attempt < f.heap_attempt[at])
