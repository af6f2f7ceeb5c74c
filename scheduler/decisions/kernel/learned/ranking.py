"""Ranks of a few among many values, without sorting the many.

A long table has thousands of rows, and a decision looks at some dozens of them. So values are
divided into classes once, of which each is above the one before. A rank is then the count of the
classes below, and of the entries of the same class that come before.
"""

from __future__ import annotations

import numpy as np

from scheduler.compilation.columns import Bytes, Floats, Ints
from scheduler.compilation.functions import compiled
from scheduler.decisions.kernel.columns import Columns

_CLASSES = 16_384
"""Most classes of values."""
_SPARSE = 4
"""Entries of a class, if all classes had equally many."""
_FINEST = 2.0**-16
"""Added to values above the least, as a share of their span, so that octaves end somewhere."""
_BASE, _SHIFT, _TOP = range(3)
"""Positions in `class_scale`."""


@compiled
def divide(w: Columns, kind: int, values: Floats, members: Ints, count: int, links: Ints) -> None:
    """Divide the values of the first `count` members into classes, in place of those before.

    `kind`: which classes of the world. Members are ascending, and so are those of a class.
    """
    least, most = np.inf, -np.inf
    for at in range(count):
        own = float(values[members[at]])
        least, most = min(least, own), max(most, own)
    _set_scale(w, kind, least, most, count)
    # Read once: the compiler cannot know that what the loop writes is elsewhere.
    below, base, shift, top = _scale(w, kind)
    counts, firsts = w.class_count[kind], w.class_first[kind]
    for each in range(top + 1):
        counts[each] = firsts[each] = 0
    for at in range(count - 1, -1, -1):
        entry = members[at]
        each = _class(values[entry], below, base, shift, top)
        links[entry], firsts[each] = firsts[each], entry
        counts[each] += 1


@compiled
def _set_scale(w: Columns, kind: int, least: float, most: float, count: int) -> None:
    """Classes as fine as their number allows: equally many in each octave above the least value."""
    added = (most - least) * _FINEST
    low, high, shift = _digits(added), _digits(most - least + added), 0
    top = max(min(_CLASSES, w.class_count.shape[1], count // _SPARSE), 1) - 1
    while (high >> shift) - (low >> shift) > top:
        shift += 1
    w.class_below[kind] = least - added
    w.class_scale[kind, _BASE], w.class_scale[kind, _SHIFT] = low >> shift, shift
    w.class_scale[kind, _TOP] = top


@compiled
def class_of(w: Columns, kind: int, value: float) -> int:
    """The class of a value, which never falls as a value rises."""
    below, base, shift, top = _scale(w, kind)
    return _class(value, below, base, shift, top)


@compiled
def _scale(w: Columns, kind: int) -> tuple[float, int, int, int]:
    base, shift = w.class_scale[kind, _BASE], w.class_scale[kind, _SHIFT]
    return w.class_below[kind], base, shift, w.class_scale[kind, _TOP]


@compiled
def _class(value: float, below: float, base: int, shift: int, top: int) -> int:
    return min(max((_digits(max(value - below, 0.0)) >> shift) - base, 0), top)


@compiled
def _digits(value: float) -> int:
    """Exponent and mantissa of a number that is not negative, as an integer."""
    return int(np.float64(value).view(np.int64))


@compiled
def find_least(
    w: Columns, kind: int, values: Floats, links: Ints, present: Bytes, wanted: int
) -> int:
    """Into `nearest`: the entries with the `wanted` least values, in order; returns their number.

    Equal ones stand in the order of their numbers. Entries that are not present are left out.
    """
    found, size, each = w.nearest, 0, 0
    while size < wanted and each <= w.class_scale[kind, _TOP]:
        entry = w.class_first[kind, each]
        while entry:
            if present[entry] and (size < wanted or values[entry] < values[found[size - 1]]):
                size = min(size + 1, wanted)
                to = size - 1
                while to > 0 and values[entry] < values[found[to - 1]]:
                    found[to] = found[to - 1]
                    to -= 1
                found[to] = entry
            entry = links[entry]
        each += 1
    return size


@compiled
def sort_asked(values: Floats, asked: Ints, count: int, order: Ints) -> None:
    """Into `order`: the places from 1 to `count` - 1 of `asked` by their values, then by entries.

    Entries asked for are ascending; place 0 is WAIT.
    """
    for place in range(1, count):
        own, to = values[asked[place]], place
        while to > 1 and own < values[asked[order[to - 1]]]:
            order[to] = order[to - 1]
            to -= 1
        order[to] = place


@compiled
def rank(
    w: Columns,
    kind: int,
    values: Floats,
    links: Ints,
    present: Bytes,
    asked: Ints,
    count: int,
    ranks: Ints,
) -> None:
    """Into `ranks`: how many entries come before those asked for, of which each is another.

    `asked` as in `sort_asked`, and sorted in `shown_order`.
    """
    order, before, below, at = w.shown_order, 0, 0, 1
    while at < count:
        each, end = class_of(w, kind, values[asked[order[at]]]), at + 1
        while end < count and class_of(w, kind, values[asked[order[end]]]) == each:
            end += 1
        while below < each:
            before += w.class_count[kind, below]
            below += 1
        for place in range(at, end):
            w.shown_after[place] = 0
        entry = w.class_first[kind, each]
        while entry:
            if present[entry]:
                _count_before(w, values, entry, asked, at, end)
            entry = links[entry]
        inside = before
        for place in range(at, end):
            inside += w.shown_after[place]
            ranks[order[place]] = inside
        at = end


@compiled
def _count_before(
    w: Columns, values: Floats, entry: int, asked: Ints, first: int, last: int
) -> None:
    """Count an entry for the first of those asked for that it comes before."""
    own, end = values[entry], last
    while first < last:
        middle = (first + last) // 2
        rival = asked[w.shown_order[middle]]
        its = values[rival]
        if own < its or (own == its and entry < rival):
            last = middle
        else:
            first = middle + 1
    if first < end:
        w.shown_after[first] += 1
