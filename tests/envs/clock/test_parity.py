"""The compiled clock plays exactly what SimPy plays."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.placement_logs import stress
from envs.clock import CompiledSimulation, reason_against
from envs.scenarios.scenario import Estimates, Failures
from envs.simulator.cluster_spec import ClusterSpec
from envs.simulator.meter import Meter
from envs.simulator.simulation import Simulation
from envs.workloads.base import Arrival, Workload, WorkloadRun
from scheduler.decisions.rounds.modes import Mode
from scheduler.domain.errors import InputError
from scheduler.domain.pools import Pool
from scheduler.domain.resources import DeviceKind
from scheduler.policies.lookup import named

POLICIES = ("fcfs", "sjf", "edf", "wfp3", "cheapest", "wgc")
ESTIMATES = ("exact", "noisy", "requested", "tsafrir", "history", "learned")


def assert_equal(workload, spec, policy, estimates=None, seed=0):
    """Both clocks give the same attempts, records and meter readings, to the last bit."""
    estimates = estimates or Estimates()
    meter = Meter()
    slow = Simulation(workload, spec, estimates.make(seed), meter, seed=seed, record=True)
    fast = CompiledSimulation(
        workload, spec, estimates.make(seed), seed=seed, record=True, meters=True
    )
    one, other = slow.run(named(policy)), fast.run(named(policy))
    assert list(fast.held) == list(slow.held)
    assert fast.holding() == sorted(slow.holding(), key=lambda each: each.job)
    for mine, its in ((one, other), (one.load, other.load)):
        for field in fields(mine):
            if field.name != "load":
                pair = getattr(its, field.name), getattr(mine, field.name)
                np.testing.assert_array_equal(*pair, err_msg=field.name)
    assert fast.now == slow.now
    assert fast.reading() == meter.read(slow.now)


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("policy", POLICIES)
def test_clusters_where_everything_happens_are_played_alike(policy, mode):
    for seed in range(3):
        scenario, workload = stress.drawn(seed, 25)
        assert_equal(workload, ClusterSpec.of(replace(scenario, mode=mode)), policy, seed=seed)


@pytest.mark.parametrize("policy", ["saf@wgc", "lxf@wgc:congestion=2"])
def test_orders_that_place_by_price_are_played_alike(policy):
    for seed, mode in enumerate(Mode):
        scenario, workload = stress.drawn(seed, 25)
        assert_equal(workload, ClusterSpec.of(replace(scenario, mode=mode)), policy, seed=seed)


@pytest.mark.parametrize("name", ESTIMATES)
def test_estimates_are_the_same(name):
    for seed in range(4):
        scenario, workload = stress.drawn(seed, 25)
        assert_equal(workload, ClusterSpec.of(scenario), "sjf", Estimates(name), seed)


@st.composite
def simultaneous(draw):
    """A small cluster, and jobs with whole seconds: much happens at the same instant."""
    count = draw(st.integers(1, 3))
    pools = tuple(
        Pool(
            f"pool-{index}",
            DeviceKind.CUDA,
            "GPU",
            draw(st.sampled_from([1, 2, 4])),
            nodes=draw(st.integers(1, 3)),
            dollars_per_device_hour=draw(st.sampled_from([0.0, 1.0, 2.5])),
            boot_s=draw(st.sampled_from([0.0, 0.0, 5.0])),
        )
        for index in range(count)
    )
    least = min(pool.count for pool in pools)
    time, jobs = 0.0, []
    for number in range(1, draw(st.integers(1, 20)) + 1):
        time += draw(st.sampled_from([0.0, 0.0, 1.0, 5.0]))
        width = draw(st.integers(1, least))
        runs = (WorkloadRun("any", width, float(draw(st.integers(1, 12)))),)
        wanted = draw(st.sampled_from([None, 1.0, 5.0, 20.0]))
        priority = draw(st.sampled_from([0.0, 50.0, 100.0]))
        jobs.append(Arrival(number, time, runs, wanted, priority=priority))
    failures = Failures(
        per_attempt=draw(st.sampled_from([0.0, 0.3])),
        checkpoint_s=draw(st.sampled_from([0.0, 2.0])),
        restart_s=1.0,
        retries=1,
    )
    spec = ClusterSpec(
        pools,
        draw(st.sampled_from(Mode)),
        every_event=draw(st.booleans()),
        failures=failures,
    )
    return Workload("whole seconds", tuple(jobs)), spec


@settings(max_examples=60, deadline=None)
@given(simultaneous(), st.sampled_from(POLICIES), st.sampled_from(["exact", "requested"]))
def test_what_happens_at_the_same_instant_happens_in_the_same_order(case, policy, name):
    workload, spec = case
    assert_equal(workload, spec, policy, Estimates(name))


def test_a_caller_may_decide_in_rounds_of_the_compiled_clock():
    scenario, workload = stress.drawn(1, 25)
    spec = ClusterSpec.of(scenario)
    whole = CompiledSimulation(workload, spec, record=True)
    whole.run(named("fcfs"))
    played = CompiledSimulation(workload, spec, record=True)
    while (round_ := played.next()) is not None:
        assert round_.play(named("fcfs").scorer)
        played.commit(round_.plan())
    assert played.held == whole.held


def test_a_policy_in_python_decides_alike_on_both_clocks():
    class Shortest:
        name, stable = "shortest", True

        def scores(self, table):
            scores = -table.runtime.copy()
            scores[0] = -np.inf
            return scores

        def costs(self, table):
            return table.dollars

    scenario, workload = stress.drawn(2, 25)
    spec = ClusterSpec.of(scenario)
    slow = Simulation(workload, spec, record=True)
    fast = CompiledSimulation(workload, spec, record=True)
    slow.run(Shortest())
    fast.run(Shortest())
    assert list(fast.held) == list(slow.held)


def test_what_the_compiled_clock_cannot_play_is_refused_with_the_reason():
    scenario, workload = stress.drawn(0, 5)
    spec = ClusterSpec.of(scenario)
    estimator = Estimates().make()
    assert not reason_against(workload, spec, estimator, named("fcfs"))
    assert "preempts" in reason_against(workload, spec, estimator, named("srtf"))
    with pytest.raises(InputError, match="preempts"):
        CompiledSimulation(workload, spec).run(named("srtf"))
    backwards = replace(workload, jobs=workload.jobs[::-1])
    with pytest.raises(InputError, match="ids of the jobs do not ascend"):
        CompiledSimulation(backwards, spec)


def test_learned_estimates_are_those_of_alike_jobs_on_both_clocks():
    runs = {user: 50.0 * 4**user for user in range(4)}
    jobs = [
        Arrival(
            at,
            30.0 * at,
            (WorkloadRun("any", 1, runs[at % 4] * (1 + at % 3 / 10)),),
            requested_s=5000.0 if at % 2 else None,
            kind=f"kind {at % 4}",
            user=f"user {at % 4}",
        )
        for at in range(1, 201)
    ]
    spec = ClusterSpec((Pool("cpu", DeviceKind.CPU, "CPU", 40),))
    workload = Workload("alike", tuple(jobs))
    assert_equal(workload, spec, "sjf", Estimates("learned"))
    fast = CompiledSimulation(workload, spec, Estimates("learned").make())
    fast.run(named("sjf"))
    last = fast.episode.row_estimate[-40:]
    truth = np.array([job.runs[0].runtime_s for job in jobs[-40:]])
    assert np.abs(last / truth - 1).max() < 0.25
    assert (last != truth).any()
