"""How many others come before a few of many, without sorting the many.

A long table has thousands of rows, and a decision looks at some dozens of them.
"""

from __future__ import annotations

import numpy as np

from scheduler.compilation.columns import Floats, Ints
from scheduler.compilation.functions import compiled
from scheduler.decisions.kernel.columns import Columns

_CLASSES = 4096
"""Most classes of values."""


@compiled
def find_least(values: Floats, first: int, last: int, wanted: int, found: Ints) -> int:
    """Into `found`: indices of the `wanted` least values from `first` to `last` - 1, in order.

    Equal ones stand in the order of their indices. Returns how many there are.
    """
    size, bound = 0, np.inf
    for index in range(first, last):
        own = values[index]
        if not own < bound and size == wanted:
            continue
        if size < wanted:
            size += 1
        to = size - 1
        while to > 0 and own < values[found[to - 1]]:
            found[to] = found[to - 1]
            to -= 1
        found[to] = index
        bound = values[found[size - 1]]
    return size


@compiled
def rank(
    w: Columns, values: Floats, first: int, last: int, asked: Ints, count: int, ranks: Ints
) -> None:
    """Into `ranks`: of the values from `first` to `last` - 1, how many come before those asked for.

    `asked`: indices; entry 0, which is WAIT, and those from `count` on are left out. Equal values
    stand in the order of their indices. Values are counted by classes, which differ in their
    leading digits, and compared only within the classes of those asked for. Class 0 is below all
    of these, the last one above.
    """
    least = most = values[asked[1]]
    for place in range(2, count):
        least, most = min(least, values[asked[place]]), max(most, values[asked[place]])
    top, shift = min(_CLASSES, len(w.class_count)) - 1, 0
    base, span = _digits(least), _digits(most) - _digits(least)
    while (span >> shift) + 1 >= top:
        shift += 1
    for each in range(top + 1):
        w.class_count[each] = w.class_first[each] = 0
    for index in range(first, last):
        w.class_count[_class_of(values[index], base, shift, top)] += 1
    for place in range(1, count):
        each = _class_of(values[asked[place]], base, shift, top)
        w.shown_next[place], w.class_first[each] = w.class_first[each], place
    before = 0
    for each in range(top):
        place = w.class_first[each]
        while place:
            ranks[place] = before
            place = w.shown_next[place]
        before += w.class_count[each]
    for index in range(first, last):
        place = w.class_first[_class_of(values[index], base, shift, top)]
        if place:
            _count_within(w, values, index, place, asked, ranks)


@compiled
def _class_of(value: float, base: int, shift: int, top: int) -> int:
    return min(max(((_digits(value) - base) >> shift) + 1, 0), top)


@compiled
def _count_within(
    w: Columns, values: Floats, index: int, place: int, asked: Ints, ranks: Ints
) -> None:
    """Count a value for those asked for in its class that it comes before."""
    own = values[index]
    while place:
        its = values[asked[place]]
        ranks[place] += own < its or (own == its and index < asked[place])
        place = w.shown_next[place]


@compiled
def _digits(value: float) -> int:
    """An integer that never falls as a value rises: its sign, exponent and mantissa."""
    bits = int(np.float64(value + 0.0).view(np.int64))
    # Half of it, so that differences do not overflow.
    return int(bits if bits >= 0 else bits ^ 0x7FFFFFFFFFFFFFFF) >> 1
