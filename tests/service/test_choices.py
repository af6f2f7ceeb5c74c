"""What people wish for has its effect: priority, deadline, preference, policy, estimates."""

import numpy as np
import pytest

from agents.registry.registry import offer
from scheduler.domain.errors import InputError, MissingError
from scheduler.domain.resources import Request
from scheduler.testing.samples import job_spec
from tests.support.service_worlds import CPU, GPU, train, wide


def order_of_starts(world):
    """Two devices at a time, each job on both: who started when."""
    world.settle()
    while world.executor.running:
        world.clock.advance(1)
        world.finish(world.executor.running[0])
    return [int(attempt.partition(".")[0]) for attempt in world.executor.launches]


def test_the_higher_priority_goes_first(build):
    world = build(policy="priority")
    specs = [job_spec(request=wide(2), priority=priority) for priority in (50, 10, 90, 50)]
    for spec in specs:
        world.submit(spec)
    assert order_of_starts(world) == [1, 3, 4, 2]


HEEDING = ["priority", "wgc", "wgc:mixed-cloud", "wgc:random", "learned:fulcrum"]
"""Policies that say they heed priority."""


@pytest.mark.parametrize("policy", HEEDING)
def test_equal_jobs_start_by_priority_though_others_came_earlier(build, policy):
    offer()
    world = build(policy=policy)
    world.submit(job_spec(request=wide(2)))
    for priority in (50, 0, 100, 20, 80, 50, 10, 90):
        world.clock.advance(1)
        world.submit(job_spec(request=wide(2), priority=priority))
    assert order_of_starts(world) == [1, 4, 9, 6, 2, 7, 5, 8, 3]


@pytest.mark.parametrize("policy", HEEDING)
def test_a_job_whose_wish_becomes_more_urgent_never_moves_back(build, policy):
    offer()
    world = build((CPU, GPU), policy=policy)
    for number in range(24):
        world.clock.advance(1)
        priority = 10 + 37 * number % 90
        world.submit(train(request=wide(1 + number % 2, "any"), priority=priority))
    waiting = [job for job in range(1, 25) if world.state(job) == "QUEUED"]
    assert len(waiting) > 15
    for job in waiting[::3]:
        before = world.service.queries.explain(job).position
        for priority in (world.job(job).spec.priority + 5, 100):
            world.update(job, priority=min(priority, 100))
            after = world.service.queries.explain(job).position
            assert after <= before
            before = after


def test_a_policy_that_searches_decides_in_the_service(build):
    world = build(policy="fcfs+search", search_limit_s=0.0)
    for number in range(40):
        world.clock.advance(1)
        world.submit(job_spec(request=wide(1 + number % 2)))
    assert len(set(order_of_starts(world))) == 40
    said = [each.reason for job in range(1, 41) for each in world.store.decisions(job)]
    assert any("on 16 likely futures" in reason for reason in said)
    assert world.service.policy_control.view().name == "fcfs+search"
    assert world.service.policy_control.view().fallbacks == 0


def test_the_earlier_deadline_goes_first(build):
    world = build(policy="edf")
    now = world.clock.now()
    for deadline in (None, None, now + 900, now + 600):
        world.submit(job_spec(request=wide(2), deadline=deadline))
    assert order_of_starts(world) == [1, 4, 3, 2]


def test_the_cheap_job_takes_the_cheap_pool_and_the_fast_one_the_fast_pool(build):
    world = build((CPU, GPU), policy="priority")
    world.submit(train(preference=0.0), train(preference=1.0))
    assert [world.attempt(job).pool for job in (1, 2)] == ["cpu", "gpu"]
    assert "quickest place, free now" in world.job(2).reason


def test_a_job_that_names_no_preference_has_its_projects(build):
    world = build(
        (CPU, GPU),
        policy="priority",
        preference=0.0,
        projects={"paper": {"preference": 1.0}, "thesis": {}},
    )
    for project in ("paper", "thesis", "other"):
        world.submit(train(project=project))
        world.settle()
    assert [world.attempt(job).pool for job in (1, 2, 3)] == ["gpu", "cpu", "cpu"]


def test_the_policy_is_switched_while_it_runs_and_remembered(build):
    world = build((CPU, GPU), policy="fcfs")
    world.submit(train(request=wide(2, "cpu")), train(request=Request(("cuda",))))
    world.submit(train(preference=0.0, request=wide(1, "cpu")))
    view = world.service.policy_control.use("sjf", preference=1.0, actor="ann")
    assert (view.name, view.preference) == ("sjf", 1.0)
    world.restart((CPU, GPU), policy="fcfs", preference=0.0)
    assert world.service.policy_control.view().name == "sjf"
    assert world.service.policy_control.view().preference == 1.0
    assert world.store.setting("policy_set_by") == "ann"


def test_a_new_preference_of_the_cluster_moves_what_waits(build):
    world = build((CPU, GPU), policy="priority", preference=0.0)
    world.submit(train(request=wide(2, "cpu")), train(request=Request(("cuda",))), train())
    world.settle()
    assert world.service.queries.explain(3).pool == "cpu"
    world.service.policy_control.use("priority", preference=1.0, actor="ann")
    world.step()
    assert world.service.queries.explain(3).pool == "gpu"


def test_a_wrong_policy_mode_or_preference_changes_nothing(world):
    before = world.service.policy_control.view()
    with pytest.raises(MissingError, match="no policy"):
        world.service.policy_control.use("best", actor="ann")
    with pytest.raises(InputError, match="mode"):
        world.service.policy_control.use("sjf", mode="sideways", actor="ann")
    with pytest.raises(InputError, match="preference"):
        world.service.policy_control.use("sjf", preference=1.5, actor="ann")
    assert world.service.policy_control.view() == before
    assert world.store.setting("policy") is None


def test_a_remembered_policy_that_is_gone_does_not_keep_the_service_from_starting(world, caplog):
    setting = {"name": "learned-v7", "mode": None, "preference": None}
    world.store.set_settings({"policy": setting})
    world.restart(policy="edf")
    assert world.service.policy_control.view().name == "edf"
    assert "learned-v7" in caplog.text


def test_every_policy_is_named_with_its_summary(world):
    assert {"fcfs", "sjf", "priority", "best-value"} <= world.service.policies.keys()
    assert all(world.service.policies.values())


class Waiting:
    """A policy that starts nothing until a certain moment."""

    name, stable = "patient", False

    def __init__(self, until):
        self.until = until

    def scores(self, table):
        scores = np.zeros(len(table))
        scores[0] = 1.0 if table.now < self.until else -1.0
        return scores

    def costs(self, table):
        return table.dollars


def test_a_policy_that_waits_is_asked_again_although_nothing_happens(world):
    world.submit()  # runs meanwhile: waiting beside nothing at all is a fault
    world.decide_by(Waiting(world.clock.now() + 60))
    world.submit()
    world.service.dispatcher.tick(world.clock.now())
    world.after(59)
    assert world.state(2) == "QUEUED"
    world.service.dispatcher.tick(world.clock.now())
    world.after(1)
    assert world.state(2) == "RUNNING"


def test_a_finished_job_is_measured_and_the_next_estimate_is_better(world):
    world.submit(train(request=wide(1)))
    first = world.attempt(1).estimate
    assert first.source == "flops"
    world.settle()
    world.clock.advance(40)
    world.finish("1.1", samples=1000, overhead_s=4.0)
    (measurement,) = world.store.measurements()
    assert (measurement.seconds, measurement.overhead_s, measurement.samples) == (40, 4, 1000)
    assert measurement.estimated_s == first.runtime_s
    world.submit(train(request=wide(1)))
    second = world.attempt(2).estimate
    assert second.source == "history"
    assert abs(second.runtime_s - 40) < abs(first.runtime_s - 40) / 10
    world.restart()
    world.submit(train(request=wide(1)))
    assert world.attempt(3).estimate.runtime_s == pytest.approx(second.runtime_s)


def test_what_waits_is_estimated_anew_when_its_work_was_measured(world):
    world.submit(*[train(request=wide(2))] * 2)
    world.settle()
    guessed = world.service.live_jobs.snapshot(0.0).world.row_runtime.max()
    world.clock.advance(500)
    world.finish("1.1", samples=1000, overhead_s=0.0)
    assert world.attempt(2).estimate.runtime_s == pytest.approx(500, rel=0.01)
    assert guessed < 150


def test_progress_lines_move_the_expected_end(world):
    world.submit(train(request=wide(1)))
    world.settle()
    begun, guessed = world.clock.now(), world.service.queries.explain(1).end
    for fraction in (0.0, 0.1, 0.2, 0.3):
        world.progress("1.1", fraction)
        world.clock.advance(100)
    world.metrics("1.1", "not json\n[1]\n" + '{"kind": "progress", "fraction": null}')
    world.service.dispatcher.tick(world.clock.now())
    end = world.service.queries.explain(1).end
    assert guessed - begun < 150
    assert end - begun > 700


def test_a_failed_attempt_teaches_nothing(world):
    world.submit(train())
    world.settle()
    world.fail("1.1")
    assert world.store.measurements() == []


def test_a_cheap_job_never_spills_over_to_dear_devices(build):
    world = build((CPU, GPU), policy="fcfs")
    world.submit(*[train(preference=0.0)] * 6)
    world.settle()
    held = {attempt.pool for attempt in world.service.store.live()[1]}
    assert held == {"cpu"}


def test_preferences_of_projects_and_cluster_change_while_running(build):
    world = build((CPU, GPU), policy="wgc", preference=0.0, projects={"paper": {"preference": 0.0}})
    world.submit(train(request=wide(2, "cpu")), train(request=Request(("cuda",))))
    world.submit(train(project="paper"), train(project="thesis"), train(preference=0.0))
    world.settle()

    def preferences():
        live = world.service.live_jobs.snapshot(world.clock.now()).world
        return {job: float(live.job_preference[live.slot_of(job)]) for job in (3, 4, 5)}

    assert preferences() == {3: 0.0, 4: 0.0, 5: 0.0}
    world.service.policy_control.prefer(projects={"paper": 1.0}, actor="ann")
    world.step()
    assert preferences() == {3: 1.0, 4: 0.0, 5: 0.0}
    world.service.policy_control.prefer(0.4, {"paper": None}, actor="ann")
    world.step()
    assert preferences() == {3: 0.4, 4: 0.4, 5: 0.0}
    with pytest.raises(InputError, match=r"projects\.paper"):
        world.service.policy_control.prefer(0.1, {"paper": 2.0}, actor="ann")
    world.service.policy_control.prefer(projects={"thesis": 0.9}, actor="ann")
    world.restart((CPU, GPU), policy="wgc", projects={"paper": {"preference": 0.0}})
    assert world.service.policy_control.preferences().cluster == 0.4
    assert world.service.policy_control.preferences().projects == {"thesis": 0.9}
    assert world.service.policy_control.view().name == "wgc"
