"""Compiled scorers make the plans that their policies make with tables."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.decisions.kernel import wgc
from scheduler.decisions.kernel.queue import orders
from scheduler.decisions.kernel.queue.line import join_line
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.observer import observer
from scheduler.decisions.rounds.policy import Policy, traits
from scheduler.decisions.rounds.round import Round
from scheduler.decisions.rounds.run import decide
from scheduler.decisions.state.entries import RunningAttempt
from scheduler.decisions.state.world import World
from scheduler.policies.constants import Constants, Schedule
from scheduler.policies.guard import Guard
from scheduler.policies.heuristics import HEURISTICS
from scheduler.policies.wgc import Wgc
from tests.support.worlds import option, pool, snapshot, snapshots, table, waiting, waiting_of

FCFS = HEURISTICS["fcfs"]
PATIENT = Constants(0.5, 0.05, 0.02, 0.2, 11600.0, "exchange")
SCHEDULE = Schedule(((0.2, PATIENT), (0.8, Constants(congestion=1.0))))
WGC = (Wgc(), Wgc(PATIENT), Wgc(SCHEDULE), Wgc(Constants(congestion=0.0, patience=np.inf)))
SCORED = [*(each for each in HEURISTICS.values() if traits(each).scorer is not None), *WGC]
STARVING = [Guard(policy, FCFS, starvation_s=40.0) for policy in (HEURISTICS["sjf"], WGC[0])]


@dataclass(frozen=True)
class Tabled:
    """A policy without its compiled scorer: rounds ask it with tables."""

    policy: Policy

    @property
    def name(self):
        return self.policy.name

    @property
    def stable(self):
        return self.policy.stable

    @property
    def starvation_s(self):
        return traits(self.policy).starvation_s

    @property
    def heeds_urgency(self):
        return traits(self.policy).heeds_urgency

    def scores(self, table):
        return self.policy.scores(table)

    def costs(self, table):
        return self.policy.costs(table)


def history(snap, mode, plan_of, rounds=3):
    """The plans of rounds after each other; the first to end does so between two of them."""
    world, now, committed, plans = snap.world.copy(), snap.now, (), []
    for _ in range(rounds):
        plans.append(plan_of(Round(world, now, mode, committed)))
        committed = plans[-1].reservations
        for placed in plans[-1].placements:
            world.remove(placed.job)
        ends = sorted(world.running())
        if not ends:
            break
        now = max(now, ends[0].end)
        world.finish(ends[0].job)
    return plans


@settings(max_examples=200)
@given(snapshots(), st.sampled_from(list(Mode)), st.sampled_from([10.0, 1e3, 1e5, 1e7]))
def test_no_index_is_above_its_bound(snap, mode, spread):
    """Nor does a choice change if jobs are left out whose bound is below the best index."""
    now, world = snap.now, snap.world.copy()
    for at, job in enumerate(waiting_of(snap.world)):
        world.add(replace(job, id=500 + at, deadline=now + spread * (0.5 + at / 7)))
    for policy in WGC:
        round_ = Round(world.copy(), now, mode)
        row = round_.choose(policy.scorer)
        while row > 0:
            bounds = round_.world.job_terms[wgc.BOUND].copy()
            if (seen := round_.table()) is not None:
                assert (policy.scores(seen) <= bounds[seen.slot])[1:].all()
            round_.take(row)
            row = round_.choose(policy.scorer)
        plan = decide(Round(world.copy(), now, mode), policy)
        assert plan == decide(Round(world.copy(), now, mode), Tabled(policy))


def test_a_deadline_becomes_urgent_when_the_job_before_takes_the_device():
    """The first start moves the others' starts by hours: bounds must follow."""
    jobs = [
        waiting(1, option(30_000.0), priority=100.0),
        waiting(2, option(1000.0), priority=1.6),
        waiting(3, option(1000.0), priority=1.0, deadline=31_010.0),
    ]
    snap = snapshot(pool(devices=1), jobs)
    for policy in (Wgc(), Tabled(Wgc())):
        plan = decide(Round(snap.world.copy(), snap.now, Mode.EASY), policy)
        assert [placed.job for placed in plan.placements] == [1]
        assert [held.job for held in plan.reservations] == [3]


def test_wgc_does_not_look_at_jobs_that_have_gone():
    snap = snapshot(pool("gpu", 2), [waiting(job, option(10.0 * job)) for job in (1, 2, 3)])
    snap.world.remove(2)
    scores = Wgc().scores(table(snap))
    assert scores.argmax() == 1


@settings(max_examples=60)
@given(snapshots(), st.sampled_from(list(Mode)))
def test_a_compiled_scorer_makes_the_plan_of_the_table(snap, mode):
    for policy in (*SCORED, *STARVING):
        compiled = history(snap, mode, lambda round_, own=policy: decide(round_, own))
        assert compiled == history(
            snap, mode, lambda round_, own=Tabled(policy): decide(round_, own)
        )


@given(snapshots(), st.sampled_from(list(Mode)))
def test_explaining_a_choice_changes_none(snap, mode):
    for policy in (*SCORED, *STARVING):
        compiled = history(snap, mode, lambda round_, own=policy: decide(round_, own))
        explained = history(
            snap, mode, lambda round_, own=policy: decide(round_, own, observer(own))
        )
        assert [replace(plan, decisions=()) for plan in explained] == compiled
        for plan in explained:
            fates = [what.job for what in (*plan.placements, *plan.reservations)]
            decided = [each.job for each in plan.decisions if each.action != "wait"]
            assert sorted(fates) == sorted(decided)


@given(snapshots(), st.sampled_from(list(Mode)), st.integers(0, 99))
def test_scores_that_are_asked_for_in_between_change_no_choice(snap, mode, seed):
    rng = np.random.default_rng(seed)
    for policy in (HEURISTICS["sjf"], HEURISTICS["wfp3"], *WGC):
        world = snap.world.copy()
        round_ = Round(world, snap.now, mode)
        while (seen := round_.table()) is not None:
            part = seen.only(sorted(rng.permutation(len(seen))[: 1 + len(seen) // 2]))
            other = SCORED[int(rng.integers(len(SCORED)))]
            for asked in (policy, other):
                asked.scores(part)
                asked.costs(part)
            row = round_.choose(policy.scorer)
            if row < 0 or round_.take(row) == "wait":
                break
        assert round_.plan(policy.name) == decide(Round(snap.world.copy(), snap.now, mode), policy)


@pytest.mark.parametrize("mode", Mode)
def test_scorers_may_take_turns(mode):
    """One world that many policies decide in, against a new one for each round."""
    each = pool(devices=6)
    world, now, number = World([each]), 0.0, 0
    for policy in (*SCORED, *reversed(SCORED)):
        for _ in range(3):
            number += 1
            options = [option(float(1 + number * 7 % 11), 1 + number % 3)]
            world.add(waiting(number, options, now, priority=float(number % 7 * 10)))
        fresh = snapshot(each, waiting_of(world), world.running(), now)
        plan = decide(Round(world, now, mode), policy)
        assert plan == decide(Round(fresh.world, now, mode), policy)
        for placed in plan.placements:
            world.remove(placed.job)
        now += 3.0
        for attempt in world.running():
            if attempt.end <= now:
                world.finish(attempt.job)


@pytest.mark.parametrize("policy", SCORED)
@pytest.mark.parametrize("mode", Mode)
def test_what_never_ends_is_not_waited_for(policy, mode):
    broken = RunningAttempt(np.inf, -1, 0, ((0, 1),))
    jobs = [waiting(1, option(9.0, 4)), waiting(2, option(9.0, 2), 1.0)]
    snap = snapshot(pool(), jobs, [broken], now=5.0)
    plan = decide(Round(snap.world.copy(), snap.now, mode), policy)
    for other, observe in ((Tabled(policy), None), (policy, observer(policy))):
        found = decide(Round(snap.world.copy(), snap.now, mode), other, observe)
        assert replace(found, decisions=()) == plan


def test_a_line_is_in_order_and_forgets():
    sjf = HEURISTICS["sjf"]
    world = snapshot(
        pool(devices=1),
        [waiting(job, option(float(job * 7 % 101)), float(job)) for job in range(1, 100)],
        [RunningAttempt(1e6, 900, 0, ((0, 1),))],
    ).world
    assert decide(Round(world, 0.0, Mode.EASY), sjf).placements == ()
    for job in range(1, 61):
        world.remove(job)
    world.add(waiting(101, option(0.5), 9.0))
    world.finish(900)
    order = []
    while world.depth:
        plan = decide(Round(world, 200.0, Mode.EASY), sjf)
        order += [placed.job for placed in plan.placements]
        world.remove(order[-1])
        world.finish(order[-1])
    rest = sorted(range(61, 100), key=lambda job: job * 7 % 101)
    assert order == [101, *rest]


def test_a_long_queue_is_scored_as_a_line_is_sorted():
    jobs = [waiting(job, option(float(job * 7 % 1009)), float(job)) for job in range(1, 400)]
    snap = snapshot(pool(devices=3), jobs, now=500.0)
    world = snap.world.copy()
    assert not join_line(world.handle, orders.SJF)
    plan = decide(Round(world, snap.now, Mode.EASY), HEURISTICS["sjf"])
    first = sorted(range(1, 400), key=lambda job: job * 7 % 1009)[:3]
    assert [placed.job for placed in plan.placements] == first
    assert plan == decide(Round(snap.world.copy(), 500.0, Mode.EASY), Tabled(HEURISTICS["sjf"]))


def test_a_table_of_all_rows_scores_as_the_scorer_does():
    view = table(snapshot(pool(), [waiting(1, option(5.0)), waiting(2, option(3.0), 1.0)]))
    assert HEURISTICS["sjf"].scores(view).tolist() == [-np.inf, -5.0, -3.0]
    round_ = Round(view.world, 0.0, Mode.EASY)
    assert view.world.job_id[view.world.row_slot[round_.choose(HEURISTICS["sjf"].scorer)]] == 2
