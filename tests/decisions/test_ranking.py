"""Ranks of a few are what sorting all of them says."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from scheduler.decisions.features import ranks

PRICES = st.one_of(st.integers(0, 5).map(float), st.floats(0.0, 1e12), st.floats(1.0, 1.0 + 1e-6))
"""With equal ones, and with such as differ by less than a class."""
VALUES = st.lists(PRICES, min_size=1, max_size=300).map(np.array)


def sorted_(values):
    return sorted(range(len(values)), key=lambda place: (values[place], place))


@given(VALUES)
def test_everywhere_is_the_place_in_a_stable_sort(values):
    order = sorted_(values)
    assert ranks.everywhere(values).tolist() == [order.index(k) for k in range(len(values))]


@given(VALUES, st.data())
def test_ranks_of_some_are_those_of_all(values, data):
    places = st.integers(0, len(values) - 1)
    some = np.array(sorted(data.draw(st.sets(places, min_size=1))))
    assert ranks.ranks(values, some).tolist() == ranks.everywhere(values)[some].tolist()


@given(VALUES, st.data())
def test_the_least_are_all_that_are_up_to_a_bound(values, data):
    count = data.draw(st.integers(1, len(values)))
    found = ranks.least(values, count)
    assert set(sorted_(values)[:count]) <= set(found.tolist())
    assert set(found.tolist()) == set(np.flatnonzero(values <= values[found].max()).tolist())


@given(VALUES, st.data())
def test_orders_grow_as_if_sorted_at_once(values, data):
    cut = data.draw(st.integers(0, len(values)))
    scores = np.array([values, -values])
    none = np.empty((2, 0), dtype=np.int64)
    grown = ranks.extended(ranks.extended(none, scores[:, :cut]), scores)
    assert grown.tolist() == [sorted_(values), sorted_(-values)]


@given(VALUES, st.data())
def test_members_are_ranked_among_themselves(values, data):
    places = st.integers(0, len(values) - 1)
    some = sorted(data.draw(st.sets(places, min_size=1)))
    orders = np.array([sorted_(values), sorted_(-values)])
    # A job may have several rows; it counts once.
    found = ranks.among(orders, np.array(some + some[:1]))
    for row, figures in zip(found, (values, -values), strict=True):
        assert row[some].tolist() == ranks.everywhere(figures[some]).tolist()
