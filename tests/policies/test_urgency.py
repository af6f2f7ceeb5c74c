"""Of two jobs that differ in nothing else, the more urgent one never starts later.

Held against every policy that the service can run, and against one that scores at random: a learned
policy may have any weights.
"""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.registry.registry import offer
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.run import run_round
from scheduler.decisions.state.entries import WAIT, RunningAttempt
from scheduler.decisions.state.plan import Action
from scheduler.policies import lookup, schedules
from scheduler.policies.guard import Guard
from tests.support.worlds import option, options_, pool, pools_, running_, snapshot, waiting

FAR, NEAR = 1e7, 1e6
"""Seconds to a deadline that every placement meets."""


class Random:
    """Scores without rhyme or reason, other ones at each table."""

    name, stable = "random", False

    def __init__(self, seed):
        self._rng = np.random.default_rng(seed)

    def scores(self, table):
        return self._rng.normal(size=len(table))

    def costs(self, table):
        return self._rng.normal(size=len(table))


class Fixed(Random):
    """The same, but asked once a round."""

    stable = True


class Heeding(Random):
    """As a learned policy."""

    heeds_urgency = True


offer()
HEEDING = ("priority", "wgc", *(f"wgc:{name}" for name in schedules.names()), "learned:fulcrum")
"""Policies that say they heed priority."""
SERVED = (
    *sorted(lookup.names()),
    *(f"wgc:{name}" for name in schedules.names()),
    "learned:fulcrum",
    "sjf@wgc",
)


@st.composite
def twins(draw):
    """(snapshot, the more urgent of two jobs, the other): only one thing tells them apart."""
    now, pools = 1000.0, draw(pools_())
    jobs = [
        waiting(
            job,
            draw(options_(pools)),
            now - draw(st.sampled_from([0.0, 1.0, 50.0, 5000.0])),
            priority=draw(st.sampled_from([0.0, 20.0, 50.0, 100.0])),
            deadline=draw(st.sampled_from([np.inf, now - 1.0, now + 60.0, now + 5000.0])),
            preference=draw(st.sampled_from([0.0, 0.5, 1.0])),
        )
        for job in range(1, 2 + draw(st.integers(0, 6)))
    ]
    calm = draw(st.sampled_from(jobs))
    change = draw(st.sampled_from(["priority", "wait", "deadline", "first deadline"]))
    if change == "priority":
        calm = replace(calm, priority=draw(st.sampled_from([0.0, 1.0, 20.0, 50.0, 80.0])))
        urgent = replace(calm, priority=min(100.0, calm.priority + draw(st.floats(1.0, 60.0))))
    elif change == "wait":
        urgent = replace(calm, submitted_at=calm.submitted_at - draw(st.floats(0.5, 900.0)))
    else:
        calm = replace(calm, deadline=np.inf if change == "first deadline" else now + FAR)
        urgent = replace(calm, deadline=now + NEAR)
    others = [job for job in jobs if job.id != calm.id]
    pair = [replace(calm, id=100), replace(urgent, id=101)]
    order = draw(st.permutations([*others, *pair]))
    return snapshot(pools, order, draw(running_(pools, now)), now, now - 5000.0), 101, 100


def urgent_first(plan, mode, urgent, calm):
    """Whether the calm job got nothing that the urgent one did not get before.

    Where jobs are reserved, the urgent one may hold the better place while its twin starts in a
    worse one; under `greedy` only jobs that can start nowhere are reserved.
    """
    started = [placed.job for placed in plan.placements]
    held = [reservation.job for reservation in plan.reservations]
    if calm in held and urgent not in started + held:
        return False
    if calm not in started:
        return True
    if urgent in started:
        return started.index(urgent) < started.index(calm)
    return mode is not Mode.GREEDY and urgent in held


@pytest.mark.parametrize("name", SERVED)
@settings(max_examples=40)
@given(twins(), st.sampled_from([Mode.GREEDY, Mode.EASY, Mode.NONE]))
def test_the_urgent_twin_never_starts_later(name, drawn, mode):
    snap, urgent, calm = drawn
    policy = Guard(lookup.named(name), lookup.named("wgc"), starvation_s=4000.0)
    assert urgent_first(run_round(snap, policy, mode), mode, urgent, calm)


@settings(max_examples=200)
@given(
    twins(),
    st.sampled_from([Mode.GREEDY, Mode.EASY, Mode.NONE]),
    st.integers(0, 99),
    st.sampled_from([Random, Fixed, Heeding]),
)
def test_nor_under_any_scores_whatever(drawn, mode, seed, kind):
    snap, urgent, calm = drawn
    assert urgent_first(run_round(snap, kind(seed), mode), mode, urgent, calm)


PRIORITIES = (50, 0, 100, 20, 80, 50, 10, 90)
"""Of eight equal jobs that arrive a second apart."""


@pytest.mark.parametrize("policy", [*map(Heeding, range(5)), *map(lookup.named, HEEDING)])
def test_equal_jobs_start_by_priority_whoever_came_a_little_earlier(policy):
    jobs = [
        waiting(number, option(60.0), float(number), priority=float(priority))
        for number, priority in enumerate(PRIORITIES, start=1)
    ]
    order = []
    guard = Guard(policy, lookup.named("wgc"), starvation_s=4000.0)
    while jobs:
        plan = run_round(snapshot(pool("cpu", 1), jobs, now=20.0), guard)
        order += [placed.job for placed in plan.placements]
        jobs = [job for job in jobs if job.id not in order]
    assert order == [3, 8, 5, 1, 6, 4, 7, 2]


def test_wait_is_no_place_to_be_taken():
    snap = snapshot(pool("cpu", 1), [waiting(1, option(60.0)), waiting(2, option(60.0))])

    class Idle(Random):
        def scores(self, table):
            scores = np.full(len(table), -1.0)
            scores[WAIT] = 0.0
            return scores

    assert run_round(snap, Idle(0), Mode.GREEDY).placements == ()


def test_a_deadline_that_is_missed_anyway_makes_nobody_more_urgent():
    late = waiting(2, option(60.0), 5.0, deadline=20.0)
    snap = snapshot(pool("cpu", 1), [waiting(1, option(60.0), 0.0), late], now=10.0)
    assert [placed.job for placed in run_round(snap, lookup.named("wgc")).placements] == [1]


def test_under_greedy_a_wide_job_that_comes_first_keeps_its_place():
    busy = [RunningAttempt(end=30.0, job=9, pool=0, nodes=((0, 1),))]
    jobs = [
        waiting(1, option(60.0, width=2), 0.0, priority=100),
        waiting(2, option(60.0), 0.0, priority=10),
    ]
    snap = snapshot(pool("cpu", 2), jobs, busy, now=10.0)
    plan = run_round(snap, lookup.named("wgc"), Mode.GREEDY)
    assert plan.placements == ()
    assert [(held.job, held.start) for held in plan.reservations] == [(1, 30.0)]
    short = [jobs[0], waiting(3, option(15.0), 0.0, priority=10)]
    plan = run_round(
        snapshot(pool("cpu", 2), short, busy, now=10.0), lookup.named("wgc"), Mode.GREEDY
    )
    assert [(placed.job, placed.action) for placed in plan.placements] == [(3, Action.BACKFILL)]
