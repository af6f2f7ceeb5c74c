"""How many come before: ranks of a few among many, without sorting the many.

A long queue has thousands of rows, and a decision looks at some dozens of them. Sorting all of
them by every order would take most of its time.
"""

from __future__ import annotations

import numpy as np

from scheduler.arrays import Floats, Ints

_SPARE = 8
"""`least` looks for its bound among this many times as many values as are wanted. More are slower;
with fewer it lets more values through."""
_FEW = 4
"""Up to so many new positions are inserted one by one: sorting a long queue takes longer."""


def everywhere(values: Floats) -> Ints:
    """(…, n) How many of the last axis come before each value; equal ones in order of position."""
    return values.argsort(axis=-1, kind="stable").argsort(axis=-1)


def extended(orders: Ints, scores: Floats) -> Ints:
    """(orders, n) Positions by ascending score, equal ones in order of position.

    `orders`: (orders, m) the same of the first m of them; (orders, n) `scores`.
    """
    known, count = orders.shape[1], scores.shape[1]
    if count - known <= _FEW:
        for position in range(known, count):
            orders = _inserted(orders, scores, position)
        return orders
    new = np.broadcast_to(np.arange(known, count), (len(orders), count - known))
    orders, row = np.concatenate([orders, new], axis=1), _row(orders)
    # All but the end is in order already: a stable sort is fast then.
    return orders[row, scores[row, orders].argsort(axis=1, kind="stable")]


def among(orders: Ints, members: Ints) -> Ints:
    """(orders, n) How many of the members come before each of them by every order.

    `orders`: (orders, n) positions, first to last. The result at other positions has no meaning.
    """
    member = np.zeros(orders.shape[1], dtype=np.bool_)
    member[members] = True
    counts = member.take(orders).cumsum(axis=1)
    counts -= 1
    ranks = np.empty_like(counts)
    # Order by order: NumPy writes to places in one dimension twice as fast as in two.
    for own, order, count in zip(ranks, orders, counts, strict=True):
        own[order] = count
    return ranks


def least(values: Floats, count: int) -> Ints:
    """Positions of at least the `count` least values: of all up to some bound."""
    parts = max(1, len(values) // (_SPARE * count))
    width = len(values) // parts
    # As many values are up to the bound as minima of parts, which are some of the values.
    minima = values[: parts * width].reshape(parts, width).min(axis=0)
    bound = np.partition(minima, count - 1)[count - 1] if count <= width else np.inf
    return np.flatnonzero(values <= bound)


def ranks(values: Floats, positions: Ints) -> Ints:
    """(positions,) The ranks of `everywhere`, of these positions alone; no value below 0.

    Values are counted by classes, and sorted only within the classes of these positions.
    """
    classes = _classes(values)
    counts = np.bincount(classes)
    starts = counts.cumsum() - counts
    asked = np.zeros(len(counts), dtype=np.bool_)
    asked[classes.take(positions)] = True
    rivals = np.flatnonzero(asked.take(classes))
    order = values.take(rivals).argsort(kind="stable")
    sorted_ = classes.take(rivals.take(order))
    found = np.empty_like(order)
    found[order] = starts.take(sorted_) + np.arange(len(order)) - sorted_.searchsorted(sorted_)
    return found.take(rivals.searchsorted(positions))


def _inserted(orders: Ints, scores: Floats, position: int) -> Ints:
    """`orders` with one position more, after all whose scores are not greater."""
    grown = np.empty((len(orders), position + 1), dtype=np.int64)
    places = (scores[:, :position] <= scores[:, position : position + 1]).sum(axis=1)
    for new, old, place in zip(grown, orders, places.tolist(), strict=True):
        new[:place], new[place], new[place + 1 :] = old[:place], position, old[place:]
    return grown


def _row(orders: Ints) -> Ints:
    return np.arange(len(orders))[:, np.newaxis]


def _classes(values: Floats) -> Ints:
    """(n,) Small integers that never fall as values rise: 256 classes for each doubling."""
    # Floating-point numbers above 0 sort as their bits do: exponent first, then the mantissa.
    bits = values.astype(np.float32).view(np.int32) >> 15
    bits -= bits.min()
    return bits.astype(np.int64)
