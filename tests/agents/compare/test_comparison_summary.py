"""Tables from runs made by hand."""

import numpy as np
import pytest

from agents.evaluation.compare import Comparison
from agents.evaluation.metrics import METRICS
from agents.evaluation.run import RunKey, RunResult
from agents.evaluation.statistics import Verdict
from agents.evaluation.summary import summarise
from tests.support.comparison_worlds import scenario

JCT = METRICS["jct_s"]


def made(policy, seed, jct, dollars=1.0, preference=None, error="", **figures):
    values = dict.fromkeys(METRICS, np.nan)
    values |= {"jct_s": jct, "dollars": dollars, "utilisation": 0.5, **figures}
    return RunResult(
        RunKey("tiny", policy, seed, preference),
        metrics={} if error else values,
        point=(jct / 100, dollars / 10),
        error=error,
    )


def summary(*runs, baseline="old", preferences=(None,)):
    policies = tuple(dict.fromkeys(run.key.policy for run in runs))
    seeds = tuple(sorted({run.key.seed for run in runs}))
    tiny = scenario()
    whole = Comparison({"tiny": tiny}, policies, seeds, baseline, preferences, runs=runs)
    return summarise(whole)[0]


def series(policy, jcts, **figures):
    return [made(policy, seed, jct, **figures) for seed, jct in enumerate(jcts)]


def test_means_and_differences_are_over_the_same_seeds():
    found = summary(*series("old", [10, 20, 30] * 2), *series("new", [9, 18, 27] * 2))
    old, new = found.lines
    assert old.values["jct_s"].mean == 20
    assert not old.differences
    difference = new.differences["jct_s"]
    assert difference.value.mean == pytest.approx(-2)
    assert difference.relative.mean == pytest.approx(-0.1)
    assert difference.verdict is Verdict.BETTER
    assert new.differences["dollars"].verdict is Verdict.EQUAL
    assert (difference.median, difference.won, difference.lost) == (pytest.approx(-0.1), 6, 0)
    assert found.best(JCT) == "new"
    assert new.count(Verdict.BETTER) == 1


def test_losses_are_shown_like_wins_and_more_may_be_better():
    runs = [
        *series("old", [10, 20, 30] * 2),
        *series("new", [11, 22, 33] * 2, utilisation=0.6),
        *series("odd", [11, 15, 31] * 2),
    ]
    _, new, odd = summary(*runs).lines
    assert new.differences["jct_s"].verdict is Verdict.WORSE
    assert new.differences["utilisation"].verdict is Verdict.BETTER
    assert odd.differences["jct_s"].verdict is Verdict.OPEN


def test_failed_runs_leave_pairs_but_not_the_table():
    runs = [*series("old", [10, 20, 30]), *series("new", [5, 10])]
    found = summary(*runs, made("new", 2, 0, error="broken"))
    new = found.lines[1]
    assert new.values["jct_s"].count == 2
    assert new.differences["jct_s"].value.mean == pytest.approx(-7.5)


def test_without_the_baseline_there_are_no_differences():
    found = summary(
        *(made("old", seed, 0, error="broken") for seed in (0, 1)), *series("a", [1, 2])
    )
    assert [line.policy for line in found.lines] == ["a"]
    assert not found.lines[0].differences
    assert found.areas[0].difference is None


def test_rounding_is_no_difference():
    jcts = [10.0, 20.0, 30.0] * 2
    found = summary(*series("old", jcts), *series("new", [jct * (1 + 3e-16) for jct in jcts]))
    assert found.lines[1].differences["jct_s"].verdict is Verdict.EQUAL
    assert found.lines[1].differences["jct_s"].relative.mean == 0


def test_few_seeds_prove_nothing():
    found = summary(*series("old", [10, 20, 30, 40, 50]), *series("new", [9, 18, 27, 36, 45]))
    assert found.lines[1].differences["jct_s"].verdict is Verdict.OPEN


def test_measures_that_do_not_apply_are_left_out():
    found = summary(*series("old", [1, 2]))
    assert [each.name for each in found.metrics] == ["jct_s", "dollars", "utilisation"]


def test_the_best_is_shown_to_be_better_than_every_other():
    slow, fast = series("old", [10, 20, 30] * 2), series("new", [9, 18, 27] * 2)
    assert summary(*slow, *fast, *series("twin", [9, 18, 27] * 2)).best(JCT) is None
    assert summary(*slow, *fast, *series("odd", [20, 15, 31] * 2)).best(JCT) is None
    assert summary(*slow[:5], *fast[:5]).best(JCT) is None
    assert summary(*slow).best(JCT) is None


def test_mean_median_and_workloads_won_may_disagree():
    found = summary(*series("old", [10] * 6 + [100]), *series("new", [11] * 6 + [50]))
    one = found.lines[1].differences["jct_s"]
    assert one.relative.mean < 0 < one.median
    assert (one.won, one.lost, one.count, one.verdict) == (1, 6, 7, Verdict.OPEN)


def test_what_describes_the_regime_is_not_judged():
    runs = [*series("old", [1, 2], queue_mean=3.0), *series("new", [1, 2], queue_mean=1.0)]
    found = summary(*runs)
    assert found.lines[1].values["queue_mean"].mean == 1.0
    assert "queue_mean" not in found.lines[1].differences
    assert found.best(METRICS["queue_mean"]) is None


def test_front_and_hypervolume():
    runs = [
        *series("old", [50] * 6, dollars=5.0),
        *series("fast", [20] * 6, dollars=8.0),
        *series("bad", [60] * 6, dollars=6.0),
    ]
    found = summary(*runs)
    assert [line.policy for line in found.front] == ["fast", "old"]
    assert found.areas[0].policy == "old"
    areas = {area.policy: area for area in found.areas}
    assert areas["old"].value.mean == pytest.approx(0.5 * 0.5)
    assert areas["fast"].value.mean == pytest.approx(0.8 * 0.2)
    assert areas["bad"].difference.verdict is Verdict.WORSE
    assert areas["bad"].value.mean == pytest.approx(0.4 * 0.4)


def test_a_dial_makes_a_curve_and_a_policy_without_one_stays_a_point():
    runs = [
        made(policy, seed, jct, dollars, preference)
        for seed in (0, 1)
        for policy, preference, jct, dollars in (
            ("old", 0.0, 40, 4),
            ("old", 1.0, 40, 4),
            ("dial", 0.0, 50, 2),
            ("dial", 1.0, 20, 8),
        )
    ]
    found = summary(*runs, preferences=(0.0, 1.0))
    assert [line.label for line in found.lines] == ["old @0", "old @1", "dial @0", "dial @1"]
    assert [line.label for line in found.distinct] == ["old", "dial @0", "dial @1"]
    at = found.at(0.9)
    assert [(line.label, line.preference) for line in at.lines] == [("old", 1.0), ("dial", 1.0)]
    union = 0.5 * 0.8 + 0.8 * 0.2 - 0.5 * 0.2
    assert found.areas[1].policy in ("old", "dial")
    area = next(area for area in found.areas if area.policy == "dial")
    assert area.value.mean == pytest.approx(union)
