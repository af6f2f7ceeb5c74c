"""What preemption may never do, over random clusters, queues and rules."""

from dataclasses import replace

from hypothesis import given, settings

from scheduler.decisions.preemption.rules import lost_s
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.run import run_round
from scheduler.decisions.state.preemption import OFF, PreemptionMode, PreemptionReason
from scheduler.policies import lookup
from scheduler.policies.guard import Guard
from tests.support.preemption_worlds import preemptible, rules_
from tests.support.worlds import held

STARVATION_S = 4000.0
RANKED = ("srtf", "srsf", "tiresias")
SCORED = ("wgc", "fcfs")
MOVING = ("wgc+moves", "sjf+moves")
MODES = (Mode.EASY, Mode.GREEDY)


def guarded(name, starvation_s=STARVATION_S):
    policy = lookup.named(name)
    if name in MOVING:
        policy = replace(policy, lease_s=1.0)
    return Guard(policy, lookup.named("fcfs"), starvation_s)


def plans(snap, rules, names=(*RANKED, *SCORED, *MOVING)):
    """The plans of these policies; a mode does not count for those that rank all jobs."""
    for name in names:
        for mode in MODES[:1] if name in RANKED else MODES:
            yield run_round(snap, guarded(name), mode, rules=rules)


def facts(snap):
    return {each.job.id: each for each in snap.running_jobs}


@settings(max_examples=25)
@given(preemptible(), rules_())
def test_only_attempts_that_the_rules_allow_are_stopped(snap, rules):
    for plan in plans(snap, rules):
        known = facts(snap)
        victims = [each.victim for each in plan.preemptions]
        assert len(victims) == len(set(victims))
        for each in plan.preemptions:
            victim = known[each.victim]
            assert victim.progress.can_resume
            assert not victim.stopping
            assert victim.progress.preemptions < rules.max_per_job
            assert snap.now - victim.begun_at >= rules.min_runtime_s
            assert snap.now - victim.job.submitted_at <= STARVATION_S
            assert each.lost_s == lost_s(victim, snap.now)


@settings(max_examples=25)
@given(preemptible(), rules_())
def test_no_job_displaces_a_more_urgent_one_nor_loses_more_than_it_gains(snap, rules):
    for plan in plans(snap, rules):
        known, world = facts(snap), snap.world
        for each in plan.preemptions:
            if each.reason is PreemptionReason.MOVE:
                assert each.preemptor == each.victim
                continue
            slot = world.slot_of(each.preemptor)
            moves = known.get(each.preemptor)
            assert slot is not None or moves is not None
            priority = world.job_priority[slot] if moves is None else moves.job.priority
            assert known[each.victim].job.priority <= priority
            if each.reason is PreemptionReason.PRIORITY:
                assert known[each.victim].job.priority < world.job_priority[slot]
            together = [one.lost_s for one in plan.preemptions if one.preemptor == each.preemptor]
            assert each.gained_s > sum(together)


@settings(max_examples=25)
@given(preemptible(), rules_())
def test_no_two_jobs_get_the_same_devices(snap, rules):
    for plan in plans(snap, rules):
        for attempts in (
            (*snap.world.running(), *plan.placements),
            (
                *(each for each in snap.world.running() if not gone(plan, snap, each.job)),
                *plan.placements,
                *plan.deferred,
            ),
        ):
            total = held(snap.pools, attempts)
            for pool, nodes in zip(snap.pools, total, strict=True):
                for devices, memory in nodes:
                    assert devices <= pool.devices_per_node
                    assert memory <= pool.memory_per_node or not pool.memory_per_node
        jobs = [each.job for each in (*plan.placements, *plan.deferred)]
        assert len(jobs) == len(set(jobs))
        waits = set(snap.world.waiting()) | {each.victim for each in plan.preemptions}
        assert set(jobs) <= waits


def gone(plan, snap, job):
    """Whether an attempt is stopped by the plan, or was stopping already."""
    stopping = {each.job.id for each in snap.running_jobs if each.stopping}
    return job in stopping or job in {each.victim for each in plan.preemptions}


@settings(max_examples=25)
@given(preemptible())
def test_nothing_is_preempted_unless_it_is_asked_for(snap):
    for plan in plans(snap, OFF, SCORED):
        assert (plan.preemptions, plan.deferred, plan.claims) == ((), (), ())


@settings(max_examples=25)
@given(preemptible(), rules_([PreemptionMode.DEADLINE]))
def test_deadlines_are_met_by_what_preempts_for_them(snap, rules):
    for plan in plans(snap, rules, SCORED):
        for each in plan.preemptions:
            if each.reason is PreemptionReason.STARVATION:
                continue
            assert each.reason is PreemptionReason.DEADLINE
            slot = snap.world.slot_of(each.preemptor)
            start = next(one for one in plan.deferred if one.job == each.preemptor)
            assert snap.now + start.runtime_s <= snap.world.job_deadline[slot]


@settings(max_examples=25)
@given(preemptible(), rules_())
def test_each_job_that_others_are_stopped_for_starts_on_their_devices(snap, rules):
    for plan in plans(snap, rules):
        starts = {each.job for each in (*plan.placements, *plan.deferred)}
        assert {each.preemptor for each in plan.preemptions} <= starts
        claims = {each.job for each in plan.claims}
        assert not claims or claims >= {each.preemptor for each in plan.preemptions}


@settings(max_examples=25)
@given(preemptible(), rules_())
def test_a_round_does_not_change_its_snapshot(snap, rules):
    before = snap.world.waiting(), snap.world.running()
    for name in ("wgc", "wgc+moves"):
        first, second = (run_round(snap, guarded(name), rules=rules) for _ in range(2))
        assert first == second
        assert (snap.world.waiting(), snap.world.running()) == before
