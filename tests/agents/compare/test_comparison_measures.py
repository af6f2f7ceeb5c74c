"""Each metric of an outcome that can be worked out by hand."""

import numpy as np
import pytest

from agents.evaluation.metrics import METRICS, MetricView, metrics_of
from envs.scenarios import Objective
from tests.support.comparison_worlds import outcome


def measured(preference=0.5, objective=None, starved_s=1000.0, **figures):
    # Waits 0, 20, 80; runtimes 100, 5, 20; bounded slowdowns 1, 25/10, 100/20.
    made = outcome([0, 0, 0], [0, 20, 80], [100, 25, 100], user=("ada", "ada", "bob"), **figures)
    return metrics_of(MetricView(made, preference, objective, starved_s))


def test_times_and_slowdowns():
    values = measured()
    assert values["jct_s"] == pytest.approx(75)
    assert values["wait_s"] == pytest.approx(100 / 3)
    assert values["bsld_mean"] == pytest.approx(8.5 / 3)
    assert values["bsld_median"] == 2.5
    assert values["bsld_p95"] == pytest.approx(2.5 + 0.9 * 2.5)
    assert values["longest_wait_s"] == 80
    assert values["makespan_s"] == 100


def test_starved_jobs_are_those_over_the_limit():
    assert measured(starved_s=19.0)["starved"] == 2
    assert measured(starved_s=20.0)["starved"] == 1


def test_misses_count_only_jobs_with_a_deadline():
    assert measured(deadline=np.array([np.inf, 25.0, 99.0]))["misses"] == 0.5
    assert measured(deadline=np.array([np.inf, 24.0, 99.0]))["missed"] == 2
    assert np.isnan(measured()["misses"])
    assert np.isnan(measured()["missed"])


def test_the_regime_tells_how_long_the_queue_was():
    values = measured()
    assert values["wait_p95_s"] == pytest.approx(20 + 0.9 * 60)
    assert values["queue_mean"] == pytest.approx((20 + 80) / 100)
    assert values["queue_max"] == 2  # the job that starts at once never waits
    assert values["waiting"] == pytest.approx(100 / 225)
    relay = outcome([0, 10, 20], [10, 20, 30], [11, 21, 31])
    assert relay.load.queue_max == 1


def test_money_holds_what_idle_nodes_cost():
    assert measured(idle_dollars=6.0)["dollars"] == 9.0
    assert measured()["joules"] == 30.0


def test_utilisation_is_useful_device_time():
    assert measured()["utilisation"] == pytest.approx(125 / 400)
    lost = measured(failed=np.array([True, False, False]))
    assert lost["utilisation"] == pytest.approx(25 / 400)
    assert lost["failed"] == 1


def test_fairness_is_jains_index_of_the_users_mean_slowdowns():
    ada, bob = (1 + 2.5) / 2, 5.0
    assert measured()["fairness"] == pytest.approx((ada + bob) ** 2 / (2 * (ada**2 + bob**2)))


def test_objective_weighs_latency_and_cost_per_job():
    scales = Objective(50.0, 2.0, 1e3, 1e3)
    values = measured(0.25, scales, idle_dollars=6.0)
    assert values["objective"] == pytest.approx(0.25 * 75 / 50 + 0.75 * 3 / 2)
    assert np.isnan(measured()["objective"])


def test_no_jobs_are_no_error():
    made = outcome([], [], [], user=())
    values = metrics_of(MetricView(made, 0.5))
    assert values.keys() == METRICS.keys()
    assert np.isnan(values["jct_s"])
