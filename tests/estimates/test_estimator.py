import math
from dataclasses import replace

import numpy as np
import pytest

from scheduler.estimates import Estimator
from scheduler.estimates.calibration import PRIOR_EXPONENT
from scheduler.estimates.estimator import OVERHEAD_S
from tests.support.estimate_worlds import (
    A100,
    CPU,
    POOLS,
    T4,
    Truth,
    command,
    measured,
    median_error,
    run,
    train,
)

TRUTH = Truth({"cpu": 0.4, "t4": 1.6, "a100": 0.5})


def test_flops_before_any_measurement():
    found = Estimator().estimate(train(samples=1000, flops=3e9), T4, 1)
    assert found.source == "flops"
    assert found.runtime_s == pytest.approx(OVERHEAD_S + 1000 * 3e9 / 3e12)
    assert found.dollars == pytest.approx(found.runtime_s * 0.35 / 3600)
    assert found.joules == pytest.approx(found.runtime_s * 70)


def test_each_doubling_of_the_width_gives_85_percent_until_measured():
    estimator = Estimator()
    one, two = (estimator.estimate(train(), T4, width).runtime_s - OVERHEAD_S for width in (1, 2))
    assert one / two == pytest.approx(1.7)


def test_history_of_the_same_work_is_exact():
    spec = train(samples=1000)
    estimator = Estimator([measured(spec, CPU, 2, 104.0, overhead=4.0)], POOLS)
    assert estimator.estimate(spec, CPU, 2).runtime_s == pytest.approx(104)
    double = estimator.estimate(train(samples=2000), CPU, 2)
    assert (double.runtime_s, double.source) == (pytest.approx(204), "history")


def test_history_beats_flops_on_a_synthetic_truth():
    """Untrained: 150% median error on this truth; after one run of each work under 10%."""
    rng = np.random.default_rng(7)
    works = [train(f"model{i}", 2e4, flops) for i, flops in enumerate(np.geomspace(1e8, 5e10, 8))]
    estimator = Estimator(pools=POOLS)
    naive = [
        (Estimator().estimate(spec, pool, 1).runtime_s, TRUTH.seconds(spec, pool, 1))
        for spec in works
        for pool in POOLS
    ]
    for spec in works:
        for pool in POOLS:
            run(TRUTH, estimator, spec, pool, 1, rng)
    again = [run(TRUTH, estimator, spec, pool, 1, rng) for spec in works for pool in POOLS]
    assert median_error(again) < 0.1
    assert median_error(again) < median_error(naive) / 5


def test_calibration_improves_works_never_seen():
    rng = np.random.default_rng(8)
    seen = [train(f"seen{i}", 2e4, flops) for i, flops in enumerate(np.geomspace(5e8, 5e10, 5))]
    unseen = [train(f"new{i}", 1e4, flops) for i, flops in enumerate(np.geomspace(8e8, 3e10, 5))]
    estimator = Estimator(pools=POOLS)
    for spec in seen:
        for pool in POOLS:
            run(TRUTH, estimator, spec, pool, 1, rng)

    def error(of: Estimator) -> float:
        pairs = [
            (of.estimate(spec, pool, 1).runtime_s, TRUTH.seconds(spec, pool, 1))
            for spec in unseen
            for pool in POOLS
        ]
        return median_error(pairs)

    assert estimator.estimate(unseen[0], CPU, 1).source == "flops"
    assert error(estimator) < 0.2
    assert error(Estimator(pools=POOLS)) > 0.5


def test_a_correction_is_carried_to_a_new_model_of_the_same_kind_but_half_believed():
    spec = train(flops=5e9, samples=10_000)
    twice_as_slow = 10_000 * 5e9 / T4.flops_per_device * 2
    estimator = Estimator([measured(spec, T4, 1, twice_as_slow)], POOLS)
    other = train("another")
    nominal = Estimator(pools=POOLS).estimate(other, A100, 1).runtime_s - OVERHEAD_S
    carried = estimator.estimate(other, A100, 1).runtime_s - OVERHEAD_S
    assert 1.2 < carried / nominal < 2
    cpu = Estimator(pools=POOLS).estimate(other, CPU, 1).runtime_s
    assert estimator.estimate(other, CPU, 1).runtime_s == pytest.approx(cpu)


def test_another_width_is_scaled_from_the_nearest_measured_one():
    spec = train(samples=1000)
    estimator = Estimator([measured(spec, A100, 2, 100.0)], POOLS)
    four = estimator.estimate(spec, A100, 4)
    assert four.source == "history"
    assert four.runtime_s == pytest.approx(100 / 2**PRIOR_EXPONENT)


@pytest.mark.parametrize("power", [0.2, 0.5, 1.0])
def test_scaling_is_learned_for_the_work_and_for_the_device(power):
    spec = train(samples=1000)
    known = [measured(spec, A100, width, 1000 / width**power) for width in (1, 2, 4)]
    estimator = Estimator(known, POOLS)
    assert estimator.estimate(spec, A100, 8).runtime_s == pytest.approx(1000 / 8**power, rel=0.15)
    other = train("other", samples=1000)
    estimator.observe(measured(other, A100, 1, 100.0))
    learned = math.log2(100 / estimator.estimate(other, A100, 2).runtime_s)
    assert min(power, PRIOR_EXPONENT) <= learned <= max(power, PRIOR_EXPONENT)


def test_history_inside_a_node_and_over_nodes_are_kept_apart():
    spec, other = train(samples=1000), train("b", samples=1000)
    small = replace(CPU, name="small", devices_per_node=4, nodes=2)
    large = replace(CPU, name="large", devices_per_node=8, nodes=1)
    estimator = Estimator(pools=[small, large])

    def runtime(of, pool, width):
        return estimator.estimate(of, pool, width).runtime_s

    estimator.observe(measured(spec, large, 8, 100.0))
    estimator.observe(measured(other, large, 8, 100.0))
    assert runtime(spec, large, 8) == pytest.approx(100)
    assert runtime(spec, small, 8) == pytest.approx(100 / 0.8), "the network costs something"
    estimator.observe(measured(spec, small, 8, 400.0))
    assert runtime(spec, large, 8) == pytest.approx(100), "what the network did says nothing here"
    assert runtime(spec, small, 8) == pytest.approx(400)
    assert runtime(other, small, 8) > 200, "other works learn from it"
    assert runtime(train("c", samples=1000), small, 8) > runtime(train("c", samples=1000), large, 8)


def test_commands_are_not_slowed_by_a_network_that_they_may_not_use():
    small = replace(CPU, name="small", devices_per_node=4, nodes=2)
    estimator = Estimator([measured(command(), small, 4, 60.0, samples=1.0)], [small])
    assert estimator.estimate(command(), small, 8).runtime_s == pytest.approx(60)


def test_another_device_is_scaled_by_the_ratio_of_rates():
    spec = train(samples=1000)
    estimator = Estimator([measured(spec, T4, 1, 200.0)], POOLS)
    found = estimator.estimate(spec, A100, 1)
    assert found.source == "history"
    assert found.runtime_s == pytest.approx(200 * 3e12 / 2e13)
    # Two works measured on both say that the A100 is only twice as fast.
    for other in (train("b", samples=1000), train("c", samples=1000)):
        estimator.observe(measured(other, T4, 1, 100.0))
        estimator.observe(measured(other, A100, 1, 50.0))
    assert estimator.estimate(spec, A100, 1).runtime_s == pytest.approx(100, rel=0.25)


def test_a_device_whose_rate_is_unknown_says_nothing_about_others():
    spec = train(samples=1000)
    estimator = Estimator([measured(spec, replace(T4, model="sold"), 1, 200.0)], POOLS)
    assert estimator.estimate(spec, A100, 1).source == "flops"


def test_the_newest_measurements_decide_and_an_outlier_does_not():
    spec = train(samples=1000)
    times = [100.0] * 10 + [50.0] * 5 + [900.0]
    estimator = Estimator([measured(spec, CPU, 1, seconds) for seconds in times], POOLS)
    assert estimator.estimate(spec, CPU, 1).runtime_s == pytest.approx(50)


def test_commands_by_history_then_request_then_default():
    estimator = Estimator(default_s=77)
    blind = estimator.estimate(command(), CPU, 1)
    assert (blind.runtime_s, blind.source) == (77, "default")
    asked = estimator.estimate(command(limit=600), CPU, 1)
    assert (asked.runtime_s, asked.source) == (600, "requested")
    for seconds in (10.0, 12.0, 11.0):
        estimator.observe(measured(command(), CPU, 1, seconds))
    known = estimator.estimate(command(limit=600), CPU, 1)
    assert (known.runtime_s, known.source) == (pytest.approx(11), "history")
    # More devices, or other ones, need not make a person's script faster.
    assert estimator.estimate(command(), CPU, 4).runtime_s == pytest.approx(11)
    assert estimator.estimate(command(), A100, 1).runtime_s == pytest.approx(11)


def test_commands_do_not_calibrate_devices():
    estimator = Estimator(pools=POOLS)
    before = estimator.estimate(train(), CPU, 1)
    estimator.observe(measured(command(), CPU, 1, 1e6))
    assert estimator.estimate(train(), CPU, 1) == before


def test_the_time_limit_caps_every_estimate():
    found = Estimator().estimate(train(samples=1e12, limit=60), CPU, 2)
    assert (found.runtime_s, found.source) == (60, "flops")
    assert found.joules == pytest.approx(60 * 2 * 3)


def test_overhead_is_learned():
    spec = train(samples=10.0)
    estimator = Estimator([measured(spec, CPU, 1, 30.0, overhead=20.0)], POOLS)
    assert estimator.estimate(train(samples=1e-6), CPU, 1).runtime_s == pytest.approx(20)
    new = estimator.estimate(train("unseen", samples=1e-6), CPU, 1)
    assert new.runtime_s == pytest.approx(20, abs=0.1)


@pytest.mark.parametrize(
    "change",
    [
        {"samples": 0.0},
        {"samples": math.nan},
        {"seconds": 0.0},
        {"seconds": math.inf},
        {"width": 0},
        {"overhead_s": math.nan},
    ],
)
def test_measurements_that_say_nothing_teach_nothing(change):
    estimator = Estimator(pools=POOLS)
    before = estimator.estimate(train(), CPU, 1), estimator.version
    estimator.observe(replace(measured(train(), CPU, 1, 10.0), **change))
    assert (estimator.estimate(train(), CPU, 1), estimator.version) == before


def test_measurements_from_before_the_size_was_known_calibrate_once_it_is():
    spec = train(samples=10_000, flops=5e9)
    slow = 3 * 10_000 * 5e9 / CPU.flops_per_device
    estimator = Estimator([measured(spec, CPU, 1, slow, flops_per_sample=0.0)], POOLS)
    uncalibrated = estimator.estimate(train("new"), CPU, 1).runtime_s
    estimator.estimate(spec, CPU, 1)  # its profile tells the size
    assert estimator.estimate(train("new"), CPU, 1).runtime_s > 1.5 * uncalibrated


def test_pools_of_one_model_with_other_prices_do_not_disturb_each_other():
    spot = replace(T4, name="t4-spot", dollars_per_device_hour=0.1)
    estimator = Estimator(pools=(T4, spot))
    version = estimator.version
    dear, cheap = estimator.estimate(train(), T4, 1), estimator.estimate(train(), spot, 1)
    assert dear.runtime_s == cheap.runtime_s
    assert dear.dollars > cheap.dollars
    assert estimator.version == version


def test_a_pool_with_changed_figures_is_noticed():
    estimator = Estimator(pools=(T4,))
    slow = estimator.estimate(train(), T4, 1).runtime_s
    faster = replace(T4, flops_per_device=2 * T4.flops_per_device)
    assert estimator.estimate(train(), faster, 1).runtime_s < slow
