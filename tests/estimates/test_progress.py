import math

import pytest

from scheduler.estimates import Estimator


def reported(points, expected=100.0, elapsed=None, limit=None):
    estimator = Estimator()
    for fraction, seconds in points:
        estimator.progress("1.1", fraction, seconds)
    at = points[-1][1] if elapsed is None else elapsed
    return estimator.remaining("1.1", expected, at, limit)


def test_without_reports_the_estimate_counts():
    assert Estimator().remaining("1.1", 100, 30) == 70


def test_a_first_unsteady_report_does_not_overturn_the_estimate():
    # By progress alone: 1000 s in all.
    assert 70 < reported([(0.01, 10.0)]) < 200


def test_half_way_measured_progress_decides():
    assert reported([(0.0, 0.0), (0.5, 200.0)]) == pytest.approx(200, rel=0.5)
    steady = [(step / 10, 40.0 * step) for step in range(10)]
    assert reported(steady) == pytest.approx(40, abs=60)


def test_error_shrinks_as_progress_grows():
    total, expected = 300.0, 100.0
    points = [(step / 20, total * step / 20) for step in range(20)]
    wrong = [
        abs(points[upto][1] + reported(points[: upto + 1], expected) - total)
        for upto in (1, 5, 10, 19)
    ]
    assert wrong == sorted(wrong, reverse=True)


def test_start_up_time_and_resumed_work_do_not_spoil_the_rate():
    # Resumed at 60% after 20 s of start-up; 10% take 10 s: 40% take 40 s.
    assert reported([(0.6, 20.0), (0.7, 30.0)], expected=60.0) == pytest.approx(30, rel=0.1)


def test_past_its_estimate_an_attempt_goes_on_for_a_share_of_its_age():
    assert Estimator().remaining("1.1", 100, 200) == 50
    assert reported([(1.0, 200.0)], elapsed=200) == 0


def test_the_limit_ends_it():
    assert Estimator().remaining("1.1", 1000, 30, 50) == 20
    assert Estimator().remaining("1.1", 1000, 60, 50) == 0


def test_going_back_starts_anew():
    points = [(0.0, 0.0), (0.9, 10.0), (0.1, 20.0), (0.2, 30.0)]
    assert reported(points, expected=110) == pytest.approx(80, rel=0.05)


def test_nonsense_is_ignored_and_the_ended_are_forgotten():
    estimator = Estimator()
    estimator.progress("1.1", math.nan, 5)
    estimator.progress("1.1", 0.5, math.inf)
    assert estimator.remaining("1.1", 100, 10) == 90
    estimator.progress("1.1", 0.5, 10)
    assert estimator.remaining("1.1", 100, 10) < 90
    estimator.forget("1.1")
    estimator.forget("1.1")
    assert estimator.remaining("1.1", 100, 10) == 90


@pytest.mark.parametrize("expected", [4.0, 20.0, 90.0, 110.0, 500.0, 5000.0])
@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
def test_steady_progress_overrules_an_estimate_that_it_contradicts(expected, share):
    points = [(step / 100, float(step)) for step in range(int(100 * share) + 1)]
    assert reported(points, expected) == pytest.approx(100 - 100 * share, abs=7)


def test_the_first_report_of_a_resumed_attempt_counts_from_where_it_resumed():
    estimator = Estimator()
    # 20 s for 10 % of the job: 140 s for the rest, not 20 s × 0.7 ÷ 0.3 = 47 s.
    estimator.progress("1.1", 0.3, 20.0, resumed=0.2)
    assert estimator.remaining("1.1", 160.0, 20.0) == pytest.approx(140)
    assert estimator.remaining("1.1", 60.0, 20.0) > 47
