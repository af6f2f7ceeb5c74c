"""Running attempts: they hold devices and are expected to end, sooner or later.

The releases of a pool are its attempts by estimated end, then by job id. They are put in order only
when somebody looks ahead: until then new ones stand unsorted at the end, and those that have ended
or were expected anew stay as void entries, which have an old stamp.
"""

from __future__ import annotations

from scheduler.compilation.columns import Floats, Ints2D
from scheduler.compilation.functions import compiled, entry_point
from scheduler.decisions.kernel.cluster.nodes import occupy, release, room
from scheduler.decisions.kernel.columns import (
    FIT_PARTS,
    FREE_ATTEMPT,
    FREE_PART,
    LIVE,
    NO_PROJECT,
    RUNNING,
    Columns,
)

SPARE_RELEASES = 8
"""The releases of a pool have room for twice its devices and so many more."""
_FEW = 24


@compiled
def begin(w: Columns, job: int, pool: int, width: int, memory: int, end: float) -> int:
    """Start an attempt on the nodes that were found; returns its entry."""
    attempt = w.count[FREE_ATTEMPT]
    w.count[FREE_ATTEMPT] = w.attempt_next[attempt]
    w.attempt_job[attempt], w.attempt_pool[attempt] = job, pool
    w.attempt_width[attempt], w.attempt_memory[attempt] = width, memory
    w.attempt_end[attempt], w.attempt_project[attempt] = end, NO_PROJECT
    parts = w.count[FIT_PARTS]
    w.attempt_parts[attempt] = parts
    first = -1
    for index in range(parts - 1, -1, -1):
        part = w.count[FREE_PART]
        w.count[FREE_PART] = w.part_next[part]
        w.part_node[part], w.part_devices[part] = w.fit_node[index], w.fit_devices[index]
        w.part_next[part] = first
        first = part
    w.attempt_part[attempt] = first
    w.count[RUNNING] += 1
    occupy(w, LIVE, pool, width, memory)
    _expect(w, attempt)
    return attempt


@entry_point
def begin_all(w: Columns, numbers: Ints2D, parts: Ints2D, ends: Floats) -> int:
    """Start attempts on given nodes; returns the position of one that cannot start, or -1.

    (n, 4) `numbers`: job, pool, memory, number of parts; (parts, 2) `parts`: node, devices.
    """
    part = 0
    for index in range(len(numbers)):
        job, pool, memory = numbers[index, 0], numbers[index, 1], numbers[index, 2]
        width, count = 0, numbers[index, 3]
        if not _exist(w, pool, parts, part, count):
            return index
        for at in range(count):
            w.fit_node[at], w.fit_devices[at] = parts[part + at, 0], parts[part + at, 1]
            width += parts[part + at, 1]
        part += count
        w.count[FIT_PARTS] = count
        if attempt_of(w, job) >= 0 or not room(w, LIVE, pool, memory):
            return index
        begin(w, job, pool, width, memory, ends[index])
    return -1


@compiled
def _exist(w: Columns, pool: int, parts: Ints2D, first: int, count: int) -> bool:
    """Whether `count` rows of `parts` name devices on different nodes of a pool."""
    if pool < 0 or pool >= len(w.pool_nodes) or count < 1 or count > w.pool_nodes[pool]:
        return False
    for at in range(first, first + count):
        if parts[at, 0] < 0 or parts[at, 0] >= w.pool_nodes[pool] or parts[at, 1] < 1:
            return False
        for other in range(first, at):
            if parts[other, 0] == parts[at, 0]:
                return False
    return True


@entry_point
def finish(w: Columns, attempt: int) -> None:
    """End an attempt: its devices are free."""
    release(w, LIVE, attempt)
    w.pool_version[w.attempt_pool[attempt]] += 1
    w.attempt_stamp[attempt] += 1
    part = w.attempt_part[attempt]
    while part >= 0:
        after = w.part_next[part]
        w.part_next[part] = w.count[FREE_PART]
        w.count[FREE_PART] = part
        part = after
    w.attempt_job[attempt] = 0
    w.attempt_next[attempt] = w.count[FREE_ATTEMPT]
    w.count[FREE_ATTEMPT] = attempt
    w.count[RUNNING] -= 1


@entry_point
def extend(w: Columns, attempt: int, end: float) -> None:
    """An attempt is now expected to end at `end`."""
    w.attempt_end[attempt] = end
    w.attempt_stamp[attempt] += 1
    _expect(w, attempt)


@entry_point
def attempt_of(w: Columns, job: int) -> int:
    """The entry of a job's attempt; -1: it does not run."""
    for attempt in range(len(w.attempt_job)):
        if w.attempt_job[attempt] == job:
            return attempt
    return -1


@compiled
def released(w: Columns, pool: int, until: float) -> int:
    """Devices of a pool that attempts hold which end by then, by estimates."""
    settle(w, pool)
    first, devices = w.pool_first_release[pool], 0
    for at in range(first, first + w.pool_releases[pool]):
        attempt = w.release_attempt[0, at]
        if w.attempt_end[attempt] > until:
            break
        devices += w.attempt_width[attempt]
    return devices


@entry_point
def settle(w: Columns, pool: int) -> None:
    """Put the releases of a pool in order, and drop void ones."""
    first, total = w.pool_first_release[pool], w.pool_releases[pool]
    kept = _drop_void(w, first, 0, w.pool_sorted[pool], 0)
    count = _drop_void(w, first, w.pool_sorted[pool], total, kept)
    _sort(w, first + kept, count - kept)
    _merge(w, first, kept, count)
    w.pool_releases[pool] = w.pool_sorted[pool] = count


@compiled
def _expect(w: Columns, attempt: int) -> None:
    pool = w.attempt_pool[attempt]
    w.pool_version[pool] += 1
    if w.pool_releases[pool] == 2 * w.pool_count[pool] + SPARE_RELEASES:
        settle(w, pool)
    at = w.pool_first_release[pool] + w.pool_releases[pool]
    w.release_attempt[0, at], w.release_stamp[0, at] = attempt, w.attempt_stamp[attempt]
    w.pool_releases[pool] += 1


@compiled
def _drop_void(w: Columns, first: int, begin: int, end: int, kept: int) -> int:
    """Move valid entries of a range to position `kept` and on; returns the position after them."""
    for at in range(first + begin, first + end):
        attempt, stamp = w.release_attempt[0, at], w.release_stamp[0, at]
        if w.attempt_stamp[attempt] == stamp:
            w.release_attempt[0, first + kept], w.release_stamp[0, first + kept] = attempt, stamp
            kept += 1
    return kept


@compiled
def _sooner(w: Columns, one: int, other: int) -> bool:
    if w.attempt_end[one] != w.attempt_end[other]:
        return bool(w.attempt_end[one] < w.attempt_end[other])
    return bool(w.attempt_job[one] < w.attempt_job[other])


@compiled
def _sort(w: Columns, first: int, count: int) -> None:
    """Sort a range: runs by insertion, then runs merged two by two."""
    for begin in range(0, count, _FEW):
        for at in range(first + begin + 1, first + min(begin + _FEW, count)):
            attempt, to = w.release_attempt[0, at], at
            while to > first + begin and _sooner(w, attempt, w.release_attempt[0, to - 1]):
                w.release_attempt[0, to] = w.release_attempt[0, to - 1]
                to -= 1
            w.release_attempt[0, to] = attempt
    size = _FEW
    while size < count:
        for begin in range(0, count - size, 2 * size):
            _merge(w, first + begin, size, min(2 * size, count - begin))
        size *= 2
    for at in range(first, first + count):
        w.release_stamp[0, at] = w.attempt_stamp[w.release_attempt[0, at]]


@compiled
def _merge(w: Columns, first: int, middle: int, count: int) -> None:
    """Merge two sorted ranges, of `middle` and of `count - middle` entries."""
    if middle == 0 or middle == count:
        return
    for at in range(first + middle, first + count):
        w.release_attempt[1, at] = w.release_attempt[0, at]
    left, right, to = first + middle - 1, first + count - 1, first + count - 1
    while right >= first + middle:
        last = w.release_attempt[1, right]
        if left >= first and _sooner(w, last, w.release_attempt[0, left]):
            last = w.release_attempt[0, left]
            left -= 1
        else:
            right -= 1
        w.release_attempt[0, to] = last
        w.release_stamp[0, to] = w.attempt_stamp[last]
        to -= 1
