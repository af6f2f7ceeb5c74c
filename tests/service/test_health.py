"""One list of problems: what is told, how long it may take, and when it is over."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from scheduler import problems
from scheduler.compilation.interim import INTERIM
from scheduler.domain.errors import OutageError
from scheduler.problems import HealthProblem, disks
from scheduler.service.maintenance import health
from scheduler.service.maintenance.health import Health, PolicyHealth
from scheduler.testing.samples import job_spec
from tests.support.service_worlds import CPU, GPU, wide

FULL = HealthProblem("disk", "nearly full")


@pytest.fixture(autouse=True)
def _always_looked_at(monkeypatch):
    monkeypatch.setattr(health, "FRESH_S", 0.0)


def parts(service):
    """Of the problems beside the dispatcher, which a test drives by hand."""
    return {one.part: one for one in service.problems() if one.part != "dispatcher"}


def test_a_fresh_service_is_well(world):
    assert not parts(world.service)


def test_executor_and_store_say_what_is_wrong_in_their_words(world, monkeypatch):
    monkeypatch.setattr(world.executor, "health", lambda: ("the fork server hangs",))
    monkeypatch.setattr(world.store, "health", lambda: ("the file is damaged",))
    found = parts(world.service)
    assert found["executor"].text == "the fork server hangs"
    assert found["store"].text == "the file is damaged"
    assert all(one.fatal for one in found.values())


def test_a_store_that_takes_nothing_and_a_check_that_fails(world, monkeypatch):
    def refuse():
        raise OutageError("the database is locked")

    def fail():
        raise RuntimeError("secret")

    monkeypatch.setattr(world.store, "check", refuse)
    monkeypatch.setattr(world.executor, "health", fail)
    found = parts(world.service)
    assert found["store"].text == "the database is locked"
    assert found["executor"].text == "the look at the executor failed: RuntimeError"


def test_a_look_that_hangs_holds_nobody_up(monkeypatch):
    monkeypatch.setattr(health, "PATIENCE_S", 0.05)
    going_on, looked = threading.Event(), []

    def hang():
        looked.append(1)
        going_on.wait(60)
        return [FULL]

    watched = Health({"disk": hang})
    assert watched.problems() == ()
    monkeypatch.setattr(health, "HANGS_S", 0.0)
    (hanging,) = watched.problems()
    assert hanging.text.startswith("the look at the disk has not ended for")
    assert looked == [1]
    monkeypatch.setattr(health, "PATIENCE_S", 60.0)
    monkeypatch.setattr(health, "HANGS_S", 60.0)
    going_on.set()
    assert watched.problems() == (FULL,)


def test_a_disk_is_told_once_and_small_ones_need_less(tmp_path, monkeypatch):
    places = {"data folder": tmp_path, "run folder": tmp_path / "run"}
    assert not list(disks(places, 0))
    assert not list(disks(places, 1))
    monkeypatch.setattr(problems, "LEAST_SHARE", 2.0)
    (full,) = disks(places, 2**62)
    assert full.text.startswith("the disk of the data folder is nearly full")
    assert "fulcrum prune" in full.advice
    monkeypatch.setattr(problems, "LEAST_SHARE", 0.0)
    assert not list(disks(places, 2**62))


def test_a_disk_without_room_for_files_is_told(tmp_path, monkeypatch):
    class Figures:
        f_bavail = f_blocks = 2**30
        f_frsize, f_files, f_favail = 4096, 10**6, 7

    monkeypatch.setattr(problems.os, "statvfs", lambda _: Figures)
    (full,) = disks({"data folder": tmp_path}, 1)
    assert full.text == "the disk of the data folder holds 7 more files only"


def test_a_data_folder_that_is_gone_is_told(world, tmp_path):
    world.service.checkup.disks["data folder"] = tmp_path / "gone"
    assert parts(world.service)["disk"].text == "the data folder is gone"


def test_steps_that_fail_and_steps_that_hang(world, monkeypatch):
    dispatcher = world.service.dispatcher
    monkeypatch.setattr(type(dispatcher), "alive", True)
    dispatcher.steps.failures, dispatcher.steps.error = health.FAILS, "OSError: no space left"
    dispatcher.steps.busy_since = -1e9
    found = health.dispatching(dispatcher, lambda: False)
    told = [one.text for one in found]
    assert told[0] == "submissions are no longer stored"
    assert "has not ended for" in told[1]
    assert told[2] == "3 scheduling steps failed in a row: OSError: no space left"


def test_a_long_step_of_plain_python_says_that_it_is_not_compiled_yet(world, monkeypatch):
    dispatcher = world.service.dispatcher
    monkeypatch.setattr(type(dispatcher), "alive", True)
    monkeypatch.setattr(INTERIM, "lasts", True)
    dispatcher.steps.busy_since = -1e9
    (told,) = health.dispatching(dispatcher, lambda: True)
    assert "; decisions are being compiled (since" in told.text


def test_a_log_that_takes_the_disk_is_told(world, monkeypatch):
    world.submit()
    log = world.service.folders.attempt(1, 1) / "log.txt"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("x" * 100)
    assert "logs" not in parts(world.service)
    monkeypatch.setattr(health, "BIG_LOG", 99)
    assert parts(world.service)["logs"].text.startswith("the log of job 1 has")
    world.finish("1.1")
    assert "logs" not in parts(world.service)


class Scores:
    """A policy that answers as it is told."""

    name, stable = "odd", False

    def __init__(self, answer):
        self.answer = answer

    def scores(self, table):
        return self.answer(table)

    def costs(self, table):
        return table.dollars


def ruled(world, answer):
    world.decide_by(Scores(answer))


def test_a_policy_that_the_guard_replaces_is_told_of_for_a_while(world, monkeypatch):
    assert not parts(world.service)
    ruled(world, lambda table: np.full(len(table), -np.inf))
    assert not parts(world.service)
    world.submit()
    found = parts(world.service)["policy"]
    assert found.text == "odd was replaced 1 times in 5 min (1 infeasible)"
    assert not found.fatal
    monkeypatch.setattr(health, "WINDOW_S", 0.0)
    assert "policy" not in parts(world.service)


def test_a_policy_that_starts_nothing_although_devices_are_free_is_told_of(world):
    world.submit()
    ruled(world, lambda table: np.where(np.arange(len(table)) == 0, 1.0, 0.0))
    world.submit()
    assert world.state(2) == "QUEUED"
    dispatcher = world.service.dispatcher
    watch = PolicyHealth(
        world.service.active_policy, world.service.live_jobs, dispatcher, world.clock
    )
    assert not list(watch.idle(0.0))
    (told,) = watch.idle(health.IDLE_S)
    assert told.text == "odd has started nothing for 5 min: 1 waiting job, wgc would start 1 now"
    world.service.policy_control.use("fcfs", actor="ann")
    world.step()
    assert not list(watch.idle(2 * health.IDLE_S))


def test_waiting_for_devices_that_are_busy_is_no_problem(world):
    world.submit(*[job_spec(request=wide(2))] * 3)
    dispatcher = world.service.dispatcher
    watch = PolicyHealth(
        world.service.active_policy, world.service.live_jobs, dispatcher, world.clock
    )
    assert not list(watch.idle(0.0))
    assert not list(watch.idle(1e6))


def test_an_unavailable_pool_is_known_but_not_fatal(build):
    world = build((CPU, GPU), absent={"gpu": "this machine has no GPU"})
    found = parts(world.service)["pools"]
    assert found.text == "pool gpu is unavailable: this machine has no GPU"
    assert not found.fatal


def test_warnings_about_nodes_are_told_and_not_fatal(world):
    warning = HealthProblem("nodes", "agents of another service", fatal=False)
    world.service.checkup.node_warnings = lambda: [warning]
    assert parts(world.service) == {"nodes": warning}


def test_the_log_tells_what_comes_and_goes(world, monkeypatch, caplog):
    monkeypatch.setattr(world.executor, "health", lambda: ("it hangs",))
    world.service.checkup.log_changes()
    world.service.checkup.log_changes()
    monkeypatch.setattr(world.executor, "health", lambda: ())
    world.service.checkup.log_changes()
    assert [line for line in caplog.messages if "it hangs" in line] == [
        "not well: it hangs",
        "over: it hangs",
    ]
