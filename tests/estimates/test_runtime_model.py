"""Runtimes and errors learned in the order of submissions and ends, and spreads around them."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.domain.jobs import Estimate, JobKind, JobSpec, Profile
from scheduler.domain.records import Measurement
from scheduler.estimates import Estimator, errors
from scheduler.estimates.learned import RuntimeInterval, RuntimeModel
from scheduler.estimates.spread import RuntimeSpread
from tests.support.estimate_worlds import CPU, train


def command(seed=0, limit=None, user="ann"):
    argv = ["python", "train.py", "--seed", str(seed)]
    profile = Profile(f"command:python:{seed}", 1.0)
    return JobSpec(JobKind.COMMAND, {"argv": argv}, profile, user=user, max_duration_s=limit)


def ended(job, spec, seconds, estimated_s=300.0, source="default", samples=1.0):
    key = spec.profile.key
    return Measurement(
        job, 1, 0.0, key, "cpu", CPU.model, 1, samples, seconds, 0.0, estimated_s, source
    )


def taught(estimator, runtimes):
    for job, seconds in enumerate(runtimes, 1):
        estimator.learned.submitted(job, command(job))
        estimator.learned.ended(ended(job, command(job), seconds), command(job))


def test_a_command_that_never_ran_is_estimated_from_alike_ones():
    estimator = Estimator()
    assert estimator.estimate(command(99), CPU, 1).source == "default"
    taught(estimator, [50.0, 60.0, 70.0] * 10)
    found = estimator.estimate(command(99), CPU, 1)
    assert found.source == "learned"
    assert found.runtime_s == pytest.approx(60, rel=0.1)
    low, high = estimator.interval(command(99), found, CPU.model, 1)
    assert 45 <= low < 60 < high <= 80
    assert estimator.estimate(command(99, limit=20.0), CPU, 1).runtime_s == 20.0


def test_the_very_same_command_knows_better():
    estimator = Estimator()
    taught(estimator, [50.0] * 20)
    estimator.observe(ended(30, command(99), 7.0))
    assert estimator.estimate(command(99), CPU, 1).source == "history"
    assert estimator.estimate(command(99), CPU, 1).runtime_s == pytest.approx(7.0)


def test_trainings_are_estimated_by_what_they_compute():
    estimator = Estimator()
    taught(estimator, [50.0] * 20)
    assert estimator.estimate(train(), CPU, 1).source == "flops"


def test_what_went_on_from_a_checkpoint_counts_whole():
    model = RuntimeModel()
    for job in range(10):
        model.ended(ended(job, command(), 25.0, samples=0.25), command())
    assert model.runtime(command())[0] == pytest.approx(100.0)


def test_intervals_of_other_sources_come_from_their_errors():
    estimator = Estimator()
    estimate = Estimate(10.0, 0.0, 0.0, "flops")
    assert estimator.interval(train(), estimate, CPU.model, 1) is None
    for job, ratio in enumerate([0.5, 1.0, 2.0] * 10):
        estimator.learned.ended(ended(job, train(), 100 * ratio, 100.0, "flops"))
    low, high = estimator.interval(train(), estimate, CPU.model, 1)
    assert (low, high) == (pytest.approx(5.0, rel=0.05), pytest.approx(20.0, rel=0.05))


def test_accuracy_tells_how_many_runtimes_were_inside():
    model, generator, measurements = RuntimeModel(), np.random.default_rng(2), []
    for job in range(400):
        model.submitted(job, command(job))
        seconds = float(np.exp(generator.normal(4, 0.5)))
        known = model.runtime(command(job))
        source, estimated_s = ("default", 300.0) if known is None else ("learned", known[0])
        measurements.append(ended(job, command(job), seconds, estimated_s, source))
        model.ended(measurements[-1], command(job))
    rows = {row.group: row for row in errors(measurements, covered=model.covered())}
    assert rows["learned"].coverage == pytest.approx(0.8, abs=0.05)
    assert rows["default"].coverage is None
    assert errors(measurements)[0].coverage is None


spreads = st.builds(
    lambda median, low, high: RuntimeSpread(median, RuntimeInterval(median / low, median * high)),
    st.floats(1, 1e5),
    st.floats(1, 100),
    st.floats(1, 100),
)


@given(spreads, st.floats(0.01, 0.99), st.floats(0, 1e7))
def test_a_spread_knows_what_has_passed(spread, chance, elapsed_s):
    assert spread.at(0.1) == pytest.approx(spread.interval.low_s)
    assert spread.at(0.5) == pytest.approx(spread.median_s)
    assert spread.at(0.9) == pytest.approx(spread.interval.high_s)
    left = spread.given(elapsed_s, chance)
    assert left >= elapsed_s
    assert left >= spread.at(chance) * (1 - 1e-9) or left >= elapsed_s * 1.25 * (1 - 1e-9)
    narrow = spread.narrowed(0.5)
    assert spread.at(0.9) * (1 + 1e-9) >= narrow.at(0.9) >= narrow.median_s == spread.median_s


def test_what_is_left_is_drawn_from_what_lasts_longer():
    spread = RuntimeSpread(100.0, RuntimeInterval(20.0, 300.0))
    draws = np.array([spread.at(float(chance)) for chance in np.linspace(0.0005, 0.9995, 2000)])
    for elapsed_s in (10.0, 90.0, 250.0):
        beyond = draws[draws > elapsed_s]
        for chance in (0.2, 0.5, 0.8):
            expected = float(np.quantile(beyond, chance))
            assert spread.given(elapsed_s, chance) == pytest.approx(expected, rel=0.03)
    assert RuntimeSpread(5.0, RuntimeInterval(5.0, 5.0)).given(7.0, 0.5) == pytest.approx(8.75)
    assert math.isfinite(spread.given(1e9, 0.5))
