"""Who waited: figures by priority, preference and user."""

import numpy as np
import pytest

from agents.evaluation.by_class import By, classify, summarised
from agents.evaluation.metrics import MetricView
from agents.evaluation.statistics import Verdict
from tests.support.comparison_worlds import outcome


def classified(cluster=0.5, **figures):
    # Waits 0, 20, 80, 10; runtimes 100, 5, 20, 30.
    made = outcome([0, 0, 0, 0], [0, 20, 80, 10], [100, 25, 100, 40], **figures)
    return classify(MetricView(made, cluster))


def test_priorities_are_told_apart_in_three_bands():
    found = classified(priority=np.array([33.0, 34, 67, 100]))["priority"]
    assert list(found) == ["0–33", "34–66", "67–100"]
    urgent = found["67–100"]
    assert (urgent["jobs"], urgent["wait_s"], urgent["longest_wait_s"]) == (2, 45, 80)
    assert urgent["wait_p95_s"] == pytest.approx(10 + 0.95 * 70)
    assert urgent["bsld_mean"] == pytest.approx((100 / 20 + 40 / 30) / 2)
    assert found["34–66"]["wait_s"] == 20
    assert list(classified(priority=np.array([0.0, 0, 66, 66]))["priority"]) == ["0–33", "34–66"]


def test_missed_deadlines_are_counted_and_shared_where_there_are_deadlines():
    due = np.array([np.inf, 24.0, 200.0, 39.0])
    found = classified(priority=np.array([10.0, 90, 90, 50]), deadline=due)["priority"]
    assert np.isnan(found["0–33"]["missed"])
    assert (found["67–100"]["missed"], found["67–100"]["misses"]) == (1, 0.5)
    assert (found["34–66"]["missed"], found["34–66"]["misses"]) == (1, 1.0)


def test_jobs_that_name_no_preference_have_the_clusters():
    named = np.array([np.nan, 0.0, 1.0, 0.8])
    found = classified(0.9, preference=named)["preference"]
    assert {name: values["jobs"] for name, values in found.items()} == {"0–33": 1, "67–100": 3}


def test_every_user_is_a_class():
    found = classified(user=("bob", "ada", "bob", "eve"))["user"]
    assert {name: values["wait_s"] for name, values in found.items()} == {
        "ada": 20, "bob": 40, "eve": 10,
    }  # fmt: skip


def test_classes_are_compared_on_the_workloads_that_have_them():
    def run(wait, **users):
        return {"user": {name: dict.fromkeys(FIGURES, wait) | {"jobs": jobs}
                         for name, jobs in users.items()}}  # fmt: skip

    ours = [run(wait, ada=3, bob=4) for wait in (1.0, 2, 3, 1, 2, 3)] + [run(5.0, bob=1)]
    theirs = [run(wait, ada=3, bob=4) for wait in (2.0, 4, 6, 2, 4, 6)] + [run(6.0, bob=1)]
    pairs = list(zip(ours, theirs, strict=True))
    bob, ada = summarised(ours, pairs, By.USER, distinct=7)
    assert (bob.name, bob.values["jobs"].count) == ("bob", 7)
    assert (ada.name, ada.values["wait_s"].mean, ada.values["wait_s"].count) == ("ada", 2, 6)
    assert ada.differences["wait_s"].relative.mean == pytest.approx(-0.5)
    assert ada.differences["wait_s"].verdict is Verdict.BETTER
    assert "jobs" not in ada.differences
    few = summarised(ours, pairs, By.USER, distinct=5)[1]
    assert few.differences["wait_s"].verdict is Verdict.OPEN


FIGURES = ("wait_s", "wait_p95_s", "longest_wait_s", "bsld_mean", "missed", "misses")
