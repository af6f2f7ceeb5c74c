"""A shadow sees every decision and changes none."""

import json
import threading
import time

import numpy as np
import pytest

from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.run import run_round
from scheduler.domain.errors import MissingError, OutageError
from scheduler.policies.guard import Guard
from scheduler.policies.lookup import named
from scheduler.service.policy_control.active_policy import ActivePolicy
from scheduler.service.policy_control.shadow import SEEN, WAITING, Shadow, ShadowView
from scheduler.testing.clock import ManualClock
from tests.support.service_worlds import CPU, GPU, train, wide
from tests.support.waiting import PATIENCE_S


def seen(service, rounds=1):
    """The shadow's view once it has followed so many rounds."""
    return followed(lambda: service.policy_control.view().shadow, rounds)


def followed(view, rounds=1):
    deadline = time.monotonic() + PATIENCE_S
    while (found := view()).rounds + found.failed < rounds:
        assert time.monotonic() < deadline, found
        time.sleep(0.01)
    return found


def lines(world):
    file = world.folder / "shadow" / "decisions.jsonl"
    deadline = time.monotonic() + PATIENCE_S
    while not file.exists():  # a round is counted before it is written
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_it_agrees_with_itself_and_is_logged(build):
    world = build((CPU, GPU), policy="sjf", shadow="sjf")
    world.submit(train(), train(request=wide(1, "cpu")))
    view = seen(world.service)
    assert (view.name, view.rounds, view.agreed, view.agreement) == ("sjf", 1, 2, 1.0)
    (line,) = lines(world)
    assert line["placed"] == line["would"]
    assert {job for job, _, _ in line["placed"]} == {1, 2}


def test_it_differs_and_changes_nothing(build):
    world = build((CPU, GPU), policy="fastest", preference=0.5)
    world.service.policy_control.follow("cheapest", actor="ann")
    world.submit(train())
    view = seen(world.service)
    assert (view.placements, view.agreed, view.agreement) == (2, 0, 0.0)
    assert world.attempt(1).pool == "gpu"
    (line,) = lines(world)
    assert [line["placed"][0][1], line["would"][0][1]] == ["gpu", "cpu"]


def test_it_is_named_changed_remembered_and_ended(build):
    world = build(policy="sjf")
    assert world.service.policy_control.view().shadow is None
    with pytest.raises(MissingError):
        world.service.policy_control.follow("best", actor="ann")
    assert world.service.policy_control.follow("fcfs", actor="ann").shadow.name == "fcfs"
    world.restart(policy="sjf", shadow="wgc")
    assert world.service.policy_control.view().shadow.name == "fcfs"
    assert world.service.policy_control.follow(None, actor="ann").shadow is None
    world.restart(policy="sjf", shadow="wgc")
    assert world.service.policy_control.view().shadow is None


def test_it_looks_on_since_it_was_named_over_restarts(build):
    world = build(policy="sjf", shadow="sjf")
    begun = world.service.policy_control.view().shadow.since
    world.submit(train())
    before = seen(world.service)
    world.service.stop()
    world.clock.advance(30)
    world.restart(policy="sjf", shadow="sjf", step=False)
    assert world.service.policy_control.view().shadow == before
    # After a start without it, a shadow begins at 0, as does another policy.
    world.restart(policy="sjf", shadow="fcfs", step=False)
    assert world.service.policy_control.view().shadow == ShadowView("fcfs", begun + 30)
    world.restart(policy="sjf", step=False)
    world.clock.advance(30)
    world.restart(policy="sjf", shadow="fcfs", step=False)
    assert world.service.policy_control.view().shadow == ShadowView("fcfs", begun + 60)


def test_one_that_could_not_be_used_for_a_while_begins_anew(build, monkeypatch):
    guarded = ActivePolicy.guarded

    def gone(active_policy, name):
        if name == "fcfs":
            raise MissingError("its files are gone")
        return guarded(active_policy, name)

    world = build(policy="sjf", shadow="fcfs")
    begun = world.clock.now()
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(ActivePolicy, "guarded", gone)
        world.restart(policy="sjf", shadow="fcfs", step=False)
        assert world.service.policy_control.view().shadow is None
    world.clock.advance(60)
    world.restart(policy="sjf", shadow="fcfs", step=False)
    assert world.service.policy_control.view().shadow == ShadowView("fcfs", begun + 60)


def test_what_it_saw_is_remembered_now_and_then_for_a_service_that_is_killed(build, monkeypatch):
    world = build(policy="sjf", shadow="sjf")
    begun = world.clock.now()
    world.submit(train())
    assert seen(world.service).since == begun
    world.restart(policy="sjf", shadow="sjf", step=False)
    assert world.service.policy_control.view().shadow == ShadowView("sjf", begun)
    kept = threading.Event()
    monkeypatch.setattr("scheduler.service.policy_control.shadow.KEEP_S", 0.0)
    monkeypatch.setattr(world.store, "set_settings", told(world, kept))
    world.submit(train())
    assert kept.wait(PATIENCE_S)
    world.restart(policy="sjf", shadow="sjf", step=False)
    assert world.service.policy_control.view().shadow.rounds >= 1


def told(world, kept):
    set_settings = world.store.set_settings

    def set_and_tell(values):
        set_settings(values)
        if SEEN in values:
            kept.set()

    return set_and_tell


def test_a_store_that_fails_costs_no_decision_of_it(build, caplog, monkeypatch):
    world = build(policy="sjf", shadow="sjf")

    def broken(_):
        raise OutageError("disk full")

    monkeypatch.setattr(world.store, "set_settings", broken)
    world.submit(train())
    seen(world.service)
    world.service.stop()
    assert "not stored: disk full" in caplog.text
    assert world.service.policy_control.view().shadow.failed == 0


def test_without_shadow_or_simulator_there_is_no_score(build):
    world = build(policy="sjf")
    with pytest.raises(MissingError, match="no shadow"):
        world.service.policy_control.score()
    world.service.policy_control.follow("fcfs", actor="ann")
    with pytest.raises(OutageError, match="no simulator"):
        world.service.policy_control.score()


class Stuck:
    name, stable = "stuck", False

    def __init__(self):
        self.asked, self.may = threading.Event(), threading.Event()

    def scores(self, table):
        self.asked.set()
        assert self.may.wait(PATIENCE_S)
        return np.zeros(len(table))

    def costs(self, table):
        return table.dollars


def snapshot_of(world):
    return world.service.live_jobs.snapshot(world.clock.now())


def test_what_it_cannot_keep_up_with_is_dropped_and_counted(build, tmp_path):
    world = build(policy="sjf")
    world.submit(train(request=wide(2)), train(request=wide(2)))
    stuck = Stuck()
    shadow = Shadow(Guard(stuck, named("wgc")), ManualClock(), tmp_path / "log")
    shadow.offer(snapshot_of(world), Mode.EASY, ())
    try:
        assert stuck.asked.wait(PATIENCE_S)
        for _ in range(WAITING + 10):
            shadow.offer(snapshot_of(world), Mode.EASY, ())
        assert shadow.view().dropped == 10
    finally:
        stuck.may.set()
        shadow.stop()


def test_a_failing_shadow_costs_nothing(build, caplog, monkeypatch):
    world = build(policy="sjf", shadow="fcfs")

    def broken(*_):
        raise OSError("disk full")

    monkeypatch.setattr(Shadow, "_write", broken)
    (job,) = world.submit(train())
    assert job.state.value != "QUEUED"
    assert seen(world.service, 2).failed == 1
    assert "disk full" in caplog.text


def test_what_the_guard_decided_for_it_is_no_agreement(build, tmp_path):
    world = build(policy="sjf")
    world.submit(train(request=wide(2)), train(request=wide(2)))
    stuck = Stuck()
    stuck.scores = lambda table: np.zeros(1)
    shadow = Shadow(Guard(stuck, named("wgc")), ManualClock(), tmp_path / "log")
    plan = run_round(snapshot_of(world), named("wgc"), Mode.EASY)
    shadow.offer(snapshot_of(world), Mode.EASY, plan.placements)
    view = followed(shadow.view)
    shadow.stop()
    assert (view.rounds, view.placements, view.failed, view.agreement) == (0, 0, 1, None)


def test_its_log_is_bounded(build, tmp_path, monkeypatch):
    monkeypatch.setattr("scheduler.service.policy_control.shadow.LARGEST", 400)
    world = build(policy="sjf", shadow="sjf")
    for index in range(12):
        (job,) = world.submit(train(request=wide(1)))
        world.settle()
        world.finish(f"{job.id}.1")
        seen(world.service, index + 1)
    folder = world.folder / "shadow"
    assert sorted(file.name for file in folder.iterdir()) == [
        "decisions.jsonl",
        "decisions.jsonl.1",
    ]
    assert all(file.stat().st_size <= 400 for file in folder.iterdir())
