"""Rewards add up to what they are said to add up to."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.gym.cluster_env import ClusterEnv
from envs.gym.episodes import scales_of
from envs.gym.rewards import REWARDS, Commitment, Scales, Step, latency_cost, named, objective
from envs.scenarios import Latency, Objective
from envs.simulator.meter import Meter, PowerRates, Reading
from envs.simulator.results import BOUND_S
from scheduler.decisions.rounds.modes import Mode
from scheduler.domain.errors import InputError
from tests.support.played import episode, episodes, play

EXACT = {"rel": 1e-9, "abs": 1e-9}


def total(drawn, reward, w=0.5, miss=0.0):
    """(sum of rewards, outcome)."""
    made = ClusterEnv(
        lambda _: drawn, rows=8, preference=w, reward=reward, miss_penalty=miss, illegal="raise"
    )
    steps = play(made, seed=0)
    return sum(reward for _, reward, _ in steps), made.simulation.outcome()


def measures(outcome):
    late = outcome.ended > outcome.deadline
    return {
        "latency": outcome.jct.sum(),
        "weighed": (outcome.jct * outcome.priority / 50).sum(),
        "slowdown": (outcome.jct / np.maximum(outcome.ideal, BOUND_S)).sum(),
        "cost": outcome.dollars.sum() + outcome.idle_dollars,
        "energy": outcome.joules.sum() + outcome.idle_joules,
        "misses": late.sum(),
        "bounded-slowdown": outcome.bounded_slowdown.mean(),
        "completion": outcome.jct.mean(),
    }


@settings(max_examples=20)
@given(episodes(), st.sampled_from(["latency", "slowdown", "cost", "energy", "misses"]))
def test_intervals_sum_to_the_episode(drawn, name):
    paid, outcome = total(drawn, name)
    assert -paid == pytest.approx(measures(outcome)[name], **EXACT)


@settings(max_examples=8)
@given(episodes(), st.sampled_from(["bounded-slowdown", "completion"]))
def test_terminal_rewards_are_paid_at_the_end(drawn, name):
    paid, outcome = total(drawn, name)
    assert -paid == pytest.approx(measures(outcome)[name], **EXACT)


@settings(max_examples=12)
@given(episodes(), st.floats(0, 1))
def test_the_combinations_weigh_their_parts(drawn, w):
    paid, outcome = total(drawn, "latency-cost", w, miss=0.5)
    parts, scales = measures(outcome), drawn.scales
    cost = parts["cost"] / scales.dollars
    weighed = w * parts["slowdown"] / scales.slowdown + (1 - w) * cost
    assert -paid == pytest.approx(weighed + 0.5 * parts["misses"], **EXACT)
    paid, outcome = total(drawn, "objective", w, miss=0.5)
    parts = measures(outcome)
    weighed = w * parts["weighed"] / scales.latency_s + (1 - w) * parts["cost"] / scales.dollars
    assert -paid == pytest.approx(weighed + 0.5 * parts["misses"], **EXACT)
    assert w * scales.latency(outcome) + (1 - w) * scales.cost(outcome) == pytest.approx(
        weighed, **EXACT
    )


def test_the_latency_of_an_objective_may_be_the_slowdown():
    scaled = Objective(50.0, 2.0, 1.0, 1.0, Latency.SLOWDOWN)
    step = Step(Reading(slowdown=100.0, dollars=4.0), preference=0.75, scales=scales_of(scaled))
    assert objective(step) == pytest.approx(-(0.75 * 2.0 + 0.25 * 2.0))


@settings(max_examples=10)
@given(st.integers(0, 500), st.sampled_from(list(Mode)), st.floats(0, 1))
def test_what_is_paid_at_commitment_is_the_truth_where_estimates_are(seed, mode, w):
    """Exact estimates, nothing fails, idling is free: only the time of payment differs."""
    for early, late in (("slowdown-commit", "slowdown"), ("latency-cost-commit", "latency-cost")):
        committed, _ = total(episode(seed, mode), early, w)
        accrued, _ = total(episode(seed, mode), late, w)
        assert committed == pytest.approx(accrued, **EXACT)


def test_by_hand():
    interval = Reading(10.0, 20.0, 2.0, dollars=0.5, joules=9.0, misses=1, weighed_seconds=30.0)
    commitment = Commitment(wait_s=5.0, delay_s=1.0, runtime_s=14.0, ideal_s=10.0, dollars=3.0)
    step = Step(interval, (commitment,), None, 0.25, Scales(10.0, 4.0, 0.1, 7.0))
    assert latency_cost(step) == pytest.approx(-(0.25 * 0.5 + 0.75 * 5.0) - 7.0)
    assert objective(step) == pytest.approx(-(0.25 * 3.0 + 0.75 * 5.0) - 7.0)
    assert named("slowdown-commit").of(step) == -2.0
    assert named("latency-cost-commit").of(step) == pytest.approx(-(0.125 + 0.75 * 30) - 7.0)
    assert named("bounded-slowdown").of(step) == 0.0
    with pytest.raises(InputError) as raised:
        named("fun")
    assert all(name in raised.value.fields["reward"] for name in REWARDS)


def test_a_meter_integrates_rates():
    meter = Meter()
    meter.arrive(0.0, ideal_s=20.0)
    meter.arrive(5.0, ideal_s=1.0, priority=100.0)
    meter.draw(5.0, PowerRates(3600.0, 100.0))
    half = meter.read(10.0)
    assert half == Reading(10.0, 15.0, 10 / 20 + 5 / 10, 5.0, 500.0, weighed_seconds=20.0)
    meter.end(15.0, 1.0, deadline=14.0, priority=100.0)
    meter.stop(15.0, PowerRates(3600.0, 100.0))
    assert meter.read(20.0) - half == Reading(
        10.0, 15.0, pytest.approx(10 / 20 + 5 / 10), 5.0, 500.0, 1, 1, 20.0
    )
