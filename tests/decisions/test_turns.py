"""Projects take turns under every policy: by usage ÷ share, within their quotas."""

from dataclasses import replace

import pytest

from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.round import Round
from scheduler.decisions.rounds.run import decide, run_round
from scheduler.decisions.state.entries import EstimatedPlacement, RunningAttempt, Waiting
from scheduler.decisions.state.preemption import (
    JobProgress,
    PreemptionMode,
    PreemptionRules,
    RunningJob,
)
from scheduler.decisions.state.snapshot import Snapshot
from scheduler.decisions.state.usage import Allowance, ProjectUsage, SharingRules
from scheduler.decisions.state.world import World
from scheduler.domain.pools import Pool
from scheduler.domain.resources import DeviceKind
from scheduler.policies import lookup
from scheduler.policies.guard import Guard

POOL = Pool("gpu", DeviceKind.CUDA, "GPU", 4, dollars_per_device_hour=2.0)
POLICIES = ("fcfs", "sjf", "edf", "wfp3", "priority", "tetris", "wgc")
NOW = 1000.0


def placement(runtime=100.0, width=1, dollars=1.0):
    return EstimatedPlacement(0, width, 0, runtime, dollars, 1.0)


def world(*jobs, pools=(POOL,)):
    """Jobs as (project, changes), with ids from 1."""
    found = World(pools)
    for number, (project, changes) in enumerate(jobs, 1):
        values = {"submitted_at": 0.0, "options": [placement()], **changes}
        found.add(Waiting(number, project=project, **values))
    return found


def plan(found, usage, policy, mode=Mode.EASY, now=NOW):
    usage.tell(found, now)
    return decide(Round(found, now, mode), policy)


def started(found, usage, policy="fcfs", **options):
    chosen = lookup.named(policy) if isinstance(policy, str) else policy
    return [placed.job for placed in plan(found, usage, chosen, **options).placements]


def shares(**projects):
    return ProjectUsage(SharingRules({name: Allowance(each) for name, each in projects.items()}))


@pytest.mark.parametrize("policy", POLICIES)
def test_one_round_shares_its_devices_by_the_shares(policy):
    found = world(*[("vision", {})] * 6, *[("speech", {})] * 6)
    assert started(found, shares(vision=3.0), policy) == [1, 7, 2, 3]


@pytest.mark.parametrize("policy", POLICIES)
def test_who_has_used_more_than_its_share_waits(policy):
    usage = shares(vision=1.0, speech=1.0)
    usage.add("vision", 5000.0, NOW, NOW)
    found = world(*[("vision", {"priority": 100.0})] * 4, *[("speech", {"priority": 1.0})] * 4)
    assert started(found, usage, policy) == [5, 6, 7, 8]


@pytest.mark.parametrize("policy", POLICIES)
def test_one_project_is_decided_as_none(policy):
    jobs = [{"options": [placement(50.0 + 7 * at)], "priority": 50.0 + at} for at in range(8)]
    alone = world(*[("vision", each) for each in jobs])
    none = world(*[("", each) for each in jobs])
    assert started(alone, shares(vision=3.0), policy) == started(none, ProjectUsage(), policy)


def test_priority_counts_inside_a_project():
    usage = shares()
    found = world(("a", {"priority": 10.0}), ("a", {"priority": 90.0}), ("b", {"priority": 20.0}))
    pool = Pool("gpu", DeviceKind.CUDA, "GPU", 2)
    found = World((pool,))
    for number, (project, priority) in enumerate((("a", 10.0), ("a", 90.0), ("b", 20.0)), 1):
        found.add(Waiting(number, 0.0, [placement()], priority, project=project))
    assert started(found, usage, "priority") == [2, 3]


class Waits:
    """Waits for the jobs of one project."""

    name, stable = "waits", False

    def __init__(self, project):
        self.project = project

    def scores(self, table):
        scores = -table.born.copy()
        mine = table.world.job_project[table.slot] == table.world.projects[self.project]
        scores[mine] = -1e6
        scores[0] = -1e5
        return scores

    def costs(self, table):
        return table.runtime


def test_a_policy_that_waits_for_one_project_does_not_hold_up_another():
    found = world(("a", {}), ("b", {}), ("b", {}))
    assert started(found, shares(), Waits("a"), mode=Mode.GREEDY) == [2, 3]


@pytest.mark.parametrize("policy", POLICIES)
def test_a_project_holds_no_more_devices_than_it_may(policy):
    usage = ProjectUsage(SharingRules({"vision": Allowance(devices=2)}))
    found = world(*[("vision", {})] * 4)
    result = plan(found, usage, lookup.named(policy))
    assert len(result.placements) == 2
    assert result.reservations == ()  # nothing is kept free for a job that may not start


def test_a_job_takes_a_narrower_placement_within_its_quota():
    usage = ProjectUsage(SharingRules({"vision": Allowance(devices=2)}))
    wide = [placement(100.0, 1), placement(40.0, 3)]
    found = world(("vision", {"options": wide, "preference": 1.0}))
    (placed,) = plan(found, usage, lookup.named("fastest")).placements
    assert placed.width == 1


def test_dollars_that_are_left_are_spent_once():
    usage = ProjectUsage()
    found = world(*[("vision", {})] * 4)
    usage.tell(found, NOW, {"vision": 2.5})
    result = decide(Round(found, NOW, Mode.EASY), lookup.named("fcfs"))
    assert [placed.job for placed in result.placements] == [1, 2]


def test_a_project_that_starts_nothing_for_long_has_the_turn():
    usage = shares(large=1000.0, tiny=0.001)
    usage.add("tiny", 5000.0, 0.0, NOW)
    found = world(*[("large", {})] * 8, ("tiny", {}))
    policy = Guard(lookup.named("sjf"), lookup.named("priority"), starvation_s=600.0)
    assert started(found, usage, "sjf") == [1, 2, 3, 4]
    found = world(*[("large", {"submitted_at": 900.0})] * 8, ("tiny", {}))
    assert started(found, usage, policy)[0] == 9


def test_usage_decays_and_counts_running_attempts():
    usage = ProjectUsage(SharingRules(half_life_s=100.0))
    usage.add("a", 80.0, 0.0, 0.0)
    assert usage.used("a", 100.0) == pytest.approx(40.0)
    usage.begin(1, "b", 2.0, 0.0)
    within = usage.used("b", 100.0)
    usage.end(1, 100.0)
    # The integral of 2 · 2^(-t / 100) over 100 s.
    assert within == pytest.approx(2.0 * 100.0 / 0.693147 * 0.5, rel=1e-5)
    assert usage.used("b", 200.0) == pytest.approx(within / 2)
    one, two = usage.standings(["a", "b"], 200.0)
    assert one.ratio + two.ratio == pytest.approx(2.0)
    assert two.factor < one.factor


@pytest.mark.parametrize("policy", ["srtf", "srsf", "tiresias"])
def test_policies_that_preempt_keep_quotas_and_take_turns(policy):
    usage = ProjectUsage(SharingRules({"vision": Allowance(3.0, devices=2)}))
    found = world(*[("vision", {})] * 4, *[("speech", {"options": [placement(200.0)]})] * 4)
    usage.tell(found, NOW)
    result = run_round(Snapshot(NOW, found), lookup.named(policy))
    placed = [each.job for each in result.placements]
    assert sum(job <= 4 for job in placed) == 2
    assert len(placed) == 4


def test_an_urgent_job_stops_no_job_of_a_project_that_used_less():
    usage = shares(vision=1.0, speech=1.0)
    usage.add("vision", 5000.0, NOW, NOW)
    usage.begin(9, "speech", 4.0, NOW - 10.0)
    urgent = Waiting(1, 0.0, [placement()], 100.0, project="vision")
    victim = Waiting(9, 0.0, [placement(width=4)], 10.0, project="speech")
    for allowed, project in ((False, "speech"), (True, "vision")):
        found = World((POOL,))
        found.add(urgent)
        found.project("speech")
        found.start(RunningAttempt(NOW + 500.0, 9, 0, ((0, 4),)))
        usage.begin(9, project, 4.0, NOW - 10.0)
        usage.tell(found, NOW)
        state = JobProgress(500.0, width=4, can_resume=True)
        running = RunningJob(
            replace(victim, project=project), state, NOW - 100.0, NOW - 100.0, NOW - 1.0
        )
        rules = PreemptionRules(PreemptionMode.PRIORITY, min_runtime_s=0.0)
        snapshot = Snapshot(NOW, found, running_jobs=(running,))
        result = run_round(snapshot, lookup.named("fcfs"), rules=rules)
        assert bool(result.preemptions) is allowed
