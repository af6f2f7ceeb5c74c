"""Intervals against SciPy, fairness and hypervolume by hand and by Monte Carlo."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import bootstrap

from agents.evaluation.statistics import RESAMPLES, front, hypervolume, interval, paired, relative
from envs.simulator.results import jain

POINTS = st.lists(
    st.tuples(*[st.floats(0, 1.2) | st.sampled_from([0.25, 0.5])] * 2), min_size=0, max_size=12
)


def test_interval_is_the_percentile_bootstrap_of_scipy():
    sample = np.random.default_rng(3).lognormal(size=20)
    ours = interval(sample)
    theirs = bootstrap(
        (sample,), np.mean, n_resamples=50_000, method="percentile", rng=np.random.default_rng(4)
    ).confidence_interval
    assert RESAMPLES >= 2000
    assert ours.mean == pytest.approx(sample.mean())
    assert ours.low == pytest.approx(theirs.low, rel=0.02)
    assert ours.high == pytest.approx(theirs.high, rel=0.02)


def test_interval_covers_about_as_often_as_it_says():
    rng = np.random.default_rng(8)
    found = [interval(rng.normal(size=24)) for _ in range(300)]
    covered = np.mean([one.low <= 0 <= one.high for one in found])
    # The percentile bootstrap is known to be a little narrow for small samples.
    assert 0.89 <= covered <= 0.98


def test_interval_is_the_same_every_time():
    assert interval([3.0, 1.0, 2.0]) == interval([3.0, 1.0, 2.0])


def test_one_value_has_no_interval_and_nan_does_not_count():
    one = interval([2.0, np.nan])
    assert (one.mean, one.count) == (2.0, 1)
    assert np.isnan(one.low)
    assert not one.significant
    assert np.isnan(interval([]).mean)


def test_pairing_finds_what_the_means_alone_would_hide():
    hard = np.array([1.0, 10.0, 100.0, 1000.0, 50.0, 5.0])
    better = hard - [0.5, 0.4, 0.6, 0.5, 0.4, 0.6]
    assert paired(better, hard).significant
    assert interval(better).low < hard.mean() < interval(better).high


def test_no_difference_is_not_significant():
    assert not paired([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]).significant


def test_relative_difference_resamples_both_sides():
    baseline = np.array([1.0, 10.0, 100.0, 1000.0, 50.0, 5.0])
    found = relative(0.5 * baseline, baseline)
    assert [found.mean, found.low, found.high] == pytest.approx([-0.5] * 3)
    assert relative([1.0, np.nan], [2.0, 3.0]).mean == -0.5
    assert np.isnan(relative([1.0, 2.0], [0.0, 0.0]).mean)


@pytest.mark.parametrize(
    ("shares", "index"),
    [
        ([5.0, 5.0, 5.0], 1.0),
        ([1.0, 0.0, 0.0, 0.0], 0.25),
        ([1.0, 2.0, 3.0], 36 / (3 * 14)),
        ([0.0, 0.0], 1.0),
        ([1e300, 1e300], 1.0),
    ],
)
def test_jain_by_hand(shares, index):
    assert jain(shares) == pytest.approx(index)


def test_hypervolume_by_hand():
    # Steps at x = 1, 2, 3 below the corner (4, 5): 1·(5-4) + 1·(5-2) + 1·(5-1).
    assert hypervolume([(1, 4), (2, 2), (3, 1)], (4, 5)) == 8
    assert hypervolume([(1, 4), (2, 2), (2.5, 3), (3, 1), (5, 0), (0, 6)], (4, 5)) == 8
    assert hypervolume([], (4, 5)) == 0
    assert hypervolume([(4, 1)], (4, 5)) == 0
    assert hypervolume([(np.nan, 1), (1, 1)], (4, 5)) == 12


@given(POINTS)
def test_hypervolume_is_the_share_of_dominated_points(points):
    sample = np.random.default_rng(0).random((4000, 2))
    dominated = np.zeros(len(sample), dtype=bool)
    for x, y in points:
        dominated |= (sample[:, 0] >= x) & (sample[:, 1] >= y)
    assert hypervolume(points, (1.0, 1.0)) == pytest.approx(dominated.mean(), abs=0.035)


@given(POINTS)
def test_front_is_what_no_other_point_beats(points):
    chosen = [points[row] for row in front(points)]
    assert chosen == sorted(set(chosen))
    for x, y in points:
        assert any(a <= x and b <= y for a, b in chosen)
    for x, y in chosen:
        assert not any((a <= x and b < y) or (a < x and b <= y) for a, b in points)
