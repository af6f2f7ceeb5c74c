"""What hangs is noticed, told and replaced; attempts stay under control."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scheduler.executors.base import LaunchSpec
from scheduler.executors.local import attempt_records
from scheduler.executors.local.burial import bury
from scheduler.executors.local.records import claim
from scheduler.executors.local.records import folder as files
from scheduler.executors.local.records.folder import RunningRecord
from scheduler.executors.local.system import process, watchdog
from scheduler.executors.local.system.watchdog import Watchdog
from scheduler.executors.silence import SilenceLimit
from tests.support.waiting import PATIENCE_S

IMPATIENT = 1.5
"""Seconds; enough for an answer on a busy machine, and a stopped process never answers."""
DEAF = f"""
import signal, time
signal.pthread_sigmask(signal.SIG_BLOCK, {{{int(watchdog.PING)}}})
print("ready", flush=True)
time.sleep(600)
"""
CLAIMANT = """
import fcntl, os, signal, sys
file = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
fcntl.flock(file, fcntl.LOCK_EX)
print("ready", flush=True)
signal.pause()
"""


def _stopped(pid: int) -> bool:
    stat = process.Stat.of(pid)
    return stat is not None and stat.state == "T"


def _stop(machine, pid: int) -> None:
    os.kill(pid, signal.SIGSTOP)
    machine.until(lambda: _stopped(pid))


def test_fork_server_that_hangs_is_told_and_replaced_while_attempts_run(machine) -> None:
    executor = machine.open(patience_s=IMPATIENT)
    executor.launch(machine.spec("1.1", "gate"))
    machine.started("1.1")
    hung = machine.fork_server()
    _stop(machine, hung)
    machine.until(lambda: bool(executor.health()))
    assert executor.health()[0].startswith("the fork server does not answer, so no job starts")
    executor.launch(machine.spec("2.1", "exit"))
    assert machine.exited("2.1").success
    assert machine.gone(hung)
    assert executor.health() == ()
    (machine.root / "job-1" / "gate").touch()
    assert machine.exited("1.1").success


def test_fork_server_that_hung_before_the_service_came_is_replaced(machine) -> None:
    before = machine.open(linger_s=60.0)
    assert before.ready.wait(PATIENCE_S)
    hung = machine.fork_server()
    _stop(machine, hung)
    before.close()
    after = machine.open(linger_s=60.0, patience_s=IMPATIENT)
    after.launch(machine.spec("1.1", "exit"))
    assert machine.exited("1.1").success
    assert machine.gone(hung)


def test_fork_server_that_nobody_can_reach_is_replaced(machine) -> None:
    before = machine.open(linger_s=60.0)
    assert before.ready.wait(PATIENCE_S)
    hung = machine.fork_server()
    before.close()
    _stop(machine, hung)
    (machine.root / "run" / "server.sock").unlink()
    after = machine.open(linger_s=60.0, patience_s=IMPATIENT)
    after.launch(machine.spec("1.1", "exit"))
    assert machine.exited("1.1").success
    assert machine.gone(hung)


def test_fork_server_that_hangs_while_it_starts_is_replaced(machine) -> None:
    executor = machine.open(patience_s=IMPATIENT)
    machine.until(lambda: executor._links.main.child is not None)
    hung = executor._links.main.child
    _stop(machine, hung)
    executor.launch(machine.spec("1.1", "exit"))
    assert machine.exited("1.1").success
    assert machine.gone(hung)


def test_a_stopped_supervisor_is_told_and_continued_and_its_attempt_ends_well(machine) -> None:
    executor = machine.open(patience_s=IMPATIENT)
    executor.launch(machine.spec("1.1", "gate"))
    machine.started("1.1")
    supervisor = machine.running("1.1").supervisor.pid
    _stop(machine, supervisor)
    machine.until(lambda: executor.health() == ("attempt 1.1: its supervisor does not answer",))
    machine.until(lambda: not _stopped(supervisor))
    machine.until(lambda: executor.health() == ())
    (machine.root / "job-1" / "gate").touch()
    assert machine.exited("1.1").success


def test_a_stopped_supervisor_obeys_a_cancellation_at_once(machine) -> None:
    executor = machine.open(patience_s=600.0)
    executor.launch(machine.spec("1.1", "sleep"))
    machine.started("1.1")
    _stop(machine, machine.running("1.1").supervisor.pid)
    executor.cancel("1.1", grace_s=600)
    assert machine.exited("1.1").reason == "cancelled"


def test_a_supervisor_that_hangs_before_its_attempt_began_is_ended(machine) -> None:
    executor = machine.open(patience_s=IMPATIENT)
    spec = machine.spec("1.1", "exit")
    record = machine.record("1.1")
    attempt_records.prepare(record, spec)
    command = [sys.executable, "-c", CLAIMANT, str(record / claim.CLAIM)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as claimant:
        assert claimant.stdout is not None
        claimant.stdout.readline()
        executor.launch(spec)
        assert machine.exited("1.1").success
        assert claimant.wait() == -signal.SIGKILL


def test_watchdog_wakes_first_and_kills_then() -> None:
    with subprocess.Popen([sys.executable, "-c", DEAF], stdout=subprocess.PIPE) as deaf:
        assert deaf.stdout is not None
        deaf.stdout.readline()
        identity = process.ProcessIdentity.of(deaf.pid)
        assert identity is not None
        dog = Watchdog(identity, "1.1", 0.0)
        assert dog.look() == ""
        assert identity.pending(watchdog.PING)
        assert dog.look() == "its supervisor does not answer"
        assert identity.alive
        dog.look()
        assert deaf.wait() == -signal.SIGKILL
        assert dog.look() == ""


def test_time_in_which_the_watcher_itself_stood_still_does_not_count(monkeypatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    patience = SilenceLimit(3.0)
    now += 3600.0
    assert not patience.exhausted()
    now += 1.0
    assert patience.exhausted()
    patience.renew()
    assert not patience.exhausted()


@pytest.mark.parametrize(("ran_s", "reason"), [(30.0, "time limit"), (5.0, "lost: ")])
def test_an_attempt_past_its_time_limit_is_not_run_again_for_a_lost_supervisor(
    ran_s: float, reason: str, machine
) -> None:
    spec: LaunchSpec = machine.spec("1.1", "sleep", time_limit_s=20.0)
    record = machine.record("1.1")
    files.write_spec(record, spec)
    begun = {"pid": 1, "time": 1000.0, "monotonic": time.monotonic() - ran_s}
    files.write(record / files.STARTED, begun)
    own = process.ProcessIdentity.of(os.getpid())
    assert own is not None
    dead = process.ProcessIdentity(own.pid, own.ticks - 1, own.boot)
    exit_ = bury(record, RunningRecord(dead, dead))
    assert exit_.reason.startswith(reason)
    assert exit_.lost == (reason == "lost: ")
    assert exit_.runtime_s is not None
    assert exit_.runtime_s >= ran_s
    assert exit_.time == 1000.0 + exit_.runtime_s


def test_orphans_are_collected_and_other_children_left_to_their_parents(tmp_path: Path) -> None:
    script = """
import os, subprocess, sys
from scheduler.executors.local.system import process
assert not process.adopts_orphans()
process.become_subreaper()
assert process.adopts_orphans()
own = subprocess.Popen(["true"])
others = subprocess.Popen(["sh", "-c", "setsid sh -c 'exit 7' & wait"])
assert others.wait() == 0
orphan = subprocess.Popen(["sh", "-c", "setsid sleep 0 & exit 0"])
assert orphan.wait() == 0
zombies = lambda: {s.pid for s in process.everything() if s.parent == os.getpid() and s.dead}
while zombies() - {own.pid}:
    process.reap_orphans()
while own.pid not in zombies():
    pass
process.reap_orphans()
print(own.wait())
"""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("0\n", "")
