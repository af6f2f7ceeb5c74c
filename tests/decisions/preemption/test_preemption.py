"""Preemption by hand: who is stopped for whom, why, and what happens until the devices are free."""

from dataclasses import replace

import pytest

from scheduler.decisions.preemption.sentences import explained
from scheduler.decisions.rounds.observer import observer
from scheduler.decisions.rounds.run import run_round
from scheduler.decisions.state.preemption import (
    OFF,
    PreemptionMode,
    PreemptionReason,
    PreemptionRules,
)
from scheduler.domain.errors import InputError
from scheduler.policies import lookup
from scheduler.policies.guard import Guard
from tests.support.preemption_worlds import running_job, with_running
from tests.support.worlds import option, pool, waiting

ONE = pool("gpu", 1)
TWO = pool("gpu", 2)
PRIORITY = PreemptionRules(PreemptionMode.PRIORITY)
DEADLINE = PreemptionRules(PreemptionMode.DEADLINE)
WGC, SRSF = lookup.named("wgc"), lookup.named("srsf")
NOW = 100.0


def stopped(plan):
    return [(each.victim, each.preemptor, each.reason.value) for each in plan.preemptions]


def urgent(runtime=50.0, **figures):
    return waiting(9, option(runtime, **figures.pop("place", {})), NOW, **figures)


def test_a_job_of_higher_priority_takes_the_devices():
    snap = with_running(ONE, [urgent(priority=90.0)], [running_job(1, option(1000.0))], NOW)
    plan = run_round(snap, WGC, rules=PRIORITY)
    assert stopped(plan) == [(1, 9, "priority")]
    # Not yet: the devices are still held.
    assert plan.placements == ()
    assert [each.job for each in plan.deferred] == [9]
    assert [each.job for each in plan.claims] == [9]
    assert run_round(snap, WGC).preemptions == ()
    assert run_round(snap, WGC, rules=DEADLINE).preemptions == ()


def test_gain_and_loss_are_weighed_seconds():
    snap = with_running(
        ONE, [urgent(priority=100.0)], [running_job(1, option(1000.0), saved=80.0)], NOW
    )
    (found,) = run_round(snap, WGC, rules=PRIORITY).preemptions
    # It ends 1000 s sooner and counts twice; 20 s since the checkpoint and 5 s of restart are lost.
    assert (found.gained_s, found.lost_s) == (2000.0, 25.0)
    assert explained(found) == (
        "job 9 takes the devices of job 1: its priority is higher; weighed by priority, it gains "
        "about 33 min 20 s and job 1 loses at most 25 s"
    )


@pytest.mark.parametrize(
    "victim",
    [
        {"can_resume": False},
        {"preemptions": 3},
        {"stopping": True},
        {"priority": 90.0},
        {"at": 50.0},
        {"at": -3000.0},
    ],
    ids=["cannot resume", "too often", "stopping", "as urgent", "too young", "loses too much"],
)
def test_attempts_that_are_left_alone(victim):
    snap = with_running(
        ONE, [urgent(priority=90.0)], [running_job(1, option(1000.0), **victim)], NOW
    )
    assert run_round(snap, WGC, rules=PRIORITY).preemptions == ()


def test_a_job_without_facts_is_left_alone():
    snap = with_running(ONE, [urgent(priority=90.0)], [running_job(1, option(1000.0))], NOW)
    assert run_round(replace(snap, running_jobs=()), WGC, rules=PRIORITY).preemptions == ()


def test_a_deadline_that_is_met_only_this_way():
    running = [running_job(1, option(1000.0))]
    for deadline, found in ((NOW + 60.0, True), (NOW + 40.0, False), (NOW + 2000.0, False)):
        snap = with_running(ONE, [urgent(deadline=deadline)], running, NOW)
        plan = run_round(snap, WGC, rules=DEADLINE)
        assert stopped(plan) == ([(1, 9, "deadline")] if found else [])


def test_a_starving_job_is_rescued_and_then_left_alone():
    guard = Guard(WGC, lookup.named("fcfs"), starvation_s=500.0)
    starving = waiting(9, option(50.0), NOW - 600.0)
    young = running_job(1, option(1000.0), submitted=0.0)
    plan = run_round(with_running(ONE, [starving], [young], NOW), guard, rules=DEADLINE)
    assert stopped(plan) == [(1, 9, "starvation")]
    old = running_job(1, option(1000.0), submitted=NOW - 600.0)
    plan = run_round(with_running(ONE, [starving], [old], NOW), guard, rules=DEADLINE)
    assert plan.preemptions == ()


def test_only_as_many_are_stopped_as_needed_and_the_least_urgent_first():
    running = [
        running_job(1, option(1000.0), priority=60.0),
        running_job(2, option(1000.0), priority=40.0),
    ]
    snap = with_running(TWO, [urgent(priority=90.0)], running, NOW)
    assert stopped(run_round(snap, WGC, rules=PRIORITY)) == [(2, 9, "priority")]
    wide = urgent(priority=90.0, place={"width": 2})
    snap = with_running(TWO, [wide], running, NOW)
    assert [each[0] for each in stopped(run_round(snap, WGC, rules=PRIORITY))] == [2, 1]


def test_freed_devices_are_kept_for_the_job_they_are_freed_for():
    wide = urgent(priority=90.0, place={"width": 2})
    running = [running_job(1, option(1000.0)), running_job(2, option(1000.0))]
    plan = run_round(with_running(TWO, [wide], running, NOW), WGC, rules=PRIORITY)
    # One of two has stopped: what comes meanwhile is not let in, however urgent.
    other = waiting(10, option(20.0), NOW + 5, priority=100.0)
    stopping = replace(running[0], stopping=True, preemptor=9)
    snap = with_running(TWO, [wide, other], [stopping], NOW + 10, claims=plan.claims)
    later = run_round(snap, WGC, rules=PRIORITY)
    assert (later.placements, later.preemptions) == ((), ())
    assert later.claims == plan.claims
    # Both have stopped.
    snap = with_running(TWO, [wide, other], [], NOW + 20, claims=later.claims)
    last = run_round(snap, WGC, rules=PRIORITY)
    assert [each.job for each in last.placements] == [9]
    assert last.claims == ()


def test_a_claim_ends_with_its_job():
    plan = run_round(
        with_running(ONE, [urgent(priority=90.0)], [running_job(1, option(1000.0))], NOW),
        WGC,
        rules=PRIORITY,
    )
    snap = with_running(ONE, [waiting(10, option(5.0))], [], NOW + 10, claims=plan.claims)
    later = run_round(snap, WGC, rules=PRIORITY)
    assert [each.job for each in later.placements] == [10]
    assert later.claims == ()


def test_a_policy_that_preempts_needs_no_mode():
    running = [running_job(1, option(1000.0))]
    snap = with_running(ONE, [urgent()], running, NOW)
    plan = run_round(snap, SRSF, rules=OFF)
    assert stopped(plan) == [(1, 9, PreemptionReason.POLICY.value)]
    # While job 1 stops, nothing else is stopped for job 9, and nothing starts in its place.
    stopping = replace(running[0], stopping=True, preemptor=9)
    later = waiting(10, option(80.0), NOW)
    plan = run_round(with_running(ONE, [urgent(), later], [stopping], NOW + 5), SRSF)
    assert (plan.placements, plan.preemptions) == ((), ())
    assert [each.job for each in plan.deferred] == [9]
    plan = run_round(with_running(ONE, [urgent(), later], [], NOW + 9), SRSF)
    assert [each.job for each in plan.placements] == [9]


def test_tiresias_asks_to_decide_again_when_a_job_sinks():
    running = [running_job(1, option(9000.0), service_s=200.0)]
    plan = run_round(with_running(ONE, [], running, NOW), lookup.named("tiresias"))
    assert plan.again_at == NOW + 3000.0


def test_a_start_is_explained():
    snap = with_running(TWO, [urgent()], [running_job(1, option(1000.0))], NOW)
    (decision,) = run_round(snap, SRSF, observe=observer(SRSF)).decisions
    assert (decision.job, decision.policy, decision.action) == (9, "srsf", "start")


def test_rules_are_checked():
    for name in ("min_runtime_s", "max_per_job"):
        with pytest.raises(InputError, match=name):
            PreemptionRules(**{name: -1})
