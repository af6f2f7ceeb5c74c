"""What would have changed a choice, told beside its rivals: it is true under every policy."""

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings

from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.observer import observer
from scheduler.decisions.rounds.round import Round
from scheduler.decisions.rounds.run import decide, run_round
from scheduler.decisions.state.entries import WAIT, RunningAttempt
from scheduler.domain.jobs import PREFERENCES
from scheduler.policies.lookup import named, names
from tests.support.worlds import option, pool, snapshot, snapshots, waiting, waiting_of

POLICIES = [named(name) for name in names() if ":" not in name]
POOLS = [pool("cpu", 2), pool("gpu", 2)]


def decided(snap, policy, mode=Mode.GREEDY):
    return run_round(snap, policy, mode, observer(policy, mode)).decisions


def first(policy, jobs, mode=Mode.GREEDY):
    """The first decision over `jobs` where one device of each pool is free."""
    busy = [RunningAttempt(60.0, 20, 0, ((0, 1),)), RunningAttempt(50.0, 21, 1, ((0, 1),))]
    return decided(snapshot(POOLS, jobs, busy, now=20.0), policy, mode)[0]


def test_a_rival_tells_the_priority_with_which_it_would_have_been_first():
    jobs = [waiting(1, option(30.0), 1.0), waiting(2, option(90.0), 1.0)]
    decision = first(named("wgc"), jobs)
    assert decision.job == 1
    found = re.search(r"; with priority (\d+) or more it would have", decision.rivals[0].text)
    assert found, decision.rivals[0].text
    least = int(found[1])
    for priority, job in ((least, 2), (least - 1, 1)):
        changed = [jobs[0], replace(jobs[1], priority=float(priority))]
        assert first(named("wgc"), changed).job == job


def test_another_place_tells_the_preference_that_chooses_it():
    places = [option(100.0, 1, 0, dollars=1.0), option(25.0, 1, 1, dollars=5.0)]
    decision = first(named("wgc"), [waiting(1, places, 0.0, preference=0.0)])
    assert decision.chosen.pool == "cpu"
    assert decision.rivals[0].text.endswith("; chosen with preference fast")


def test_nothing_is_told_where_priority_changes_nothing():
    jobs = [waiting(1, option(5.0), 1.0), waiting(2, option(9.0), 4.0)]
    assert "priority" not in first(named("sjf"), jobs).rivals[0].text


def test_the_choice_itself_is_the_same():
    jobs = [waiting(number, option(10.0 * number), 1.0) for number in range(1, 6)]
    snap = snapshot(POOLS, jobs, now=20.0)
    told = run_round(snap, named("wgc"), Mode.GREEDY, observer(named("wgc"), Mode.GREEDY))
    plain = run_round(snapshot(POOLS, jobs, now=20.0), named("wgc"), Mode.GREEDY)
    assert told.placements == plain.placements


@settings(max_examples=40)
@given(snapshots())
@pytest.mark.parametrize("mode", [Mode.GREEDY, Mode.EASY])
def test_what_is_told_is_what_would_have_been_decided(mode, snap):
    for policy in POLICIES:
        for decision in decided(snap, policy, mode)[:1]:
            for row in decision.rivals:
                _check(snap, policy, mode, decision, row)


def _check(snap, policy, mode, decision, row):
    jobs = {job.id: job for job in waiting_of(snap.world)}
    job = jobs[row.job]
    if found := re.search(r"; with priority (\d+)", row.text):
        least = float(found[1])
        assert _first(snap, policy, mode, replace(job, priority=least)).job == row.job
        assert _first(snap, policy, mode, replace(job, priority=least - 1.0)).job != row.job
    if found := re.search(r"; chosen with preference (\w+)", row.text):
        wished = replace(job, preference=PREFERENCES[found[1]])
        chosen = _first(snap, policy, mode, wished).chosen
        assert (chosen.job, chosen.pool, chosen.width) == (row.job, row.pool, row.width)
        assert row.job == decision.job != WAIT


def _first(snap, policy, mode, job):
    world = snap.world.copy()
    world.remove(job.id)
    world.add(job)
    return decided(replace(snap, world=world), policy, mode)[0]


def test_a_copy_of_an_open_round_may_lose_most_of_its_jobs():
    """What orders the queue in a round is not copied, and dropping empty slots must not read it."""
    policy = named("sjf")
    jobs = [waiting(number, option(10.0 + number), 1.0) for number in range(1, 201)]
    world = snapshot(POOLS, jobs, now=20.0).world
    Round(world, 20.0, Mode.GREEDY).choose(policy.scorer)
    twin = world.copy()
    for number in range(1, 151):
        twin.remove(number)
    left = snapshot(POOLS, jobs[150:], now=20.0)
    found = decide(Round(twin, 20.0, Mode.GREEDY), policy)
    assert found.placements == decide(Round(left.world, 20.0, Mode.GREEDY), policy).placements
    assert found.placements[0].job == 151
