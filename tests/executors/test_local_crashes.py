"""Whatever part dies, every attempt ends in exactly one way and runs at most once."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from scheduler.executors.local.records import claim
from scheduler.executors.local.records import folder as files
from scheduler.executors.local.records.folder import ExitRecord
from scheduler.executors.local.system import process, sockets
from scheduler.executors.local.system.digest import digest
from tests.support.waiting import PATIENCE_S

SERVICE = """
import sys, threading
from pathlib import Path
from scheduler.domain.jobs import JobKind
from scheduler.domain.resources import DeviceKind
from scheduler.executors.base import LaunchSpec, Part
from scheduler.executors.local import LocalExecutor

root = Path(sys.argv[1])
executor = LocalExecutor(
    root / "run",
    preload="scheduler.testing.scripts:preload",
    target="scheduler.testing.scripts:run",
    linger_s=5.0,
)
executor.start(lambda event: print(type(event).__name__, event.attempt, flush=True))
for job in (1, 2):
    executor.launch(LaunchSpec(
        f"{job}.1", "a", "j", JobKind.COMMAND, {"do": "gate"}, root / f"{job}.1",
                          root / f"job-{job}", (Part("local", DeviceKind.CPU),)))
threading.Event().wait()
"""


def test_attempts_outlive_a_killed_service_and_are_adopted(machine) -> None:
    command = [sys.executable, "-c", SERVICE, str(machine.root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as service:
        assert service.stdout is not None
        assert {service.stdout.readline() for _ in range(2)} == {"Started 1.1\n", "Started 2.1\n"}
        service.kill()
    (machine.root / "job-2" / "gate").touch()
    machine.until((machine.record("2.1") / "exit.json").exists)
    pid = machine.running("1.1").worker.pid

    executor = machine.open()
    keys = [machine.key(attempt) for attempt in ("1.1", "2.1", "3.1")]
    assert executor.alive(keys) == {"1.1": pid, "2.1": None}
    assert machine.exited("2.1").success
    assert not machine.sink.exited("1.1")
    (machine.root / "job-1" / "gate").touch()
    assert machine.exited("1.1").success
    assert machine.started("1.1").pid == pid
    assert (machine.root / "job-1" / "runs").read_text() == f"{pid}\n"


def test_fork_server_may_be_killed_while_attempts_run(machine) -> None:
    executor = machine.open()
    executor.launch(machine.spec("1.1", "gate"))
    machine.started("1.1")
    _kill_fork_server(machine)
    executor.launch(machine.spec("2.1", "exit"))
    assert machine.exited("2.1").success
    (machine.root / "job-1" / "gate").touch()
    assert machine.exited("1.1").success
    assert len((machine.root / "job-1" / "runs").read_text().split()) == 1


def test_launches_survive_a_fork_server_that_dies_over_them(machine) -> None:
    executor = machine.open()
    executor.launch(machine.spec("0.1", "exit"))
    machine.exited("0.1")
    attempts = [f"{job}.1" for job in range(1, 5)]
    for attempt in attempts:
        executor.launch(machine.spec(attempt, "exit"))
    _kill_fork_server(machine)
    assert all(machine.exited(attempt).success for attempt in attempts)
    assert all(len(machine.sink.exited(attempt)) == 1 for attempt in attempts)


def test_killed_supervisor_means_lost_and_nobody_left(machine) -> None:
    executor = machine.open()
    executor.launch(machine.spec("1.1", "breed"))
    children = machine.children("1")
    running = machine.running("1.1")
    assert running.supervisor.send(signal.SIGKILL)
    exited = machine.exited("1.1")
    assert exited.lost
    assert exited.reason.startswith("lost: ")
    machine.until(lambda: not running.worker.alive)
    machine.until(lambda: all(machine.gone(pid) for pid in children))


def test_supervisor_and_fork_server_killed_together(machine) -> None:
    executor = machine.open()
    executor.launch(machine.spec("1.1", "gate"))
    machine.started("1.1")
    running = machine.running("1.1")
    _kill_fork_server(machine)
    running.supervisor.send(signal.SIGKILL)
    assert machine.exited("1.1").lost
    assert not running.worker.alive


def test_supervisor_told_to_stop_takes_its_attempt_along_as_lost(machine) -> None:
    executor = machine.open()
    executor.launch(machine.spec("1.1", "sleep"))
    machine.started("1.1")
    machine.running("1.1").supervisor.send(signal.SIGTERM)
    exited = machine.exited("1.1")
    assert (exited.lost, exited.success) == (True, False)


def test_cancel_works_without_a_fork_server(machine) -> None:
    executor = machine.open()
    executor.launch(machine.spec("1.1", "sleep"))
    machine.started("1.1")
    _kill_fork_server(machine)
    executor.cancel("1.1")
    assert machine.exited("1.1").reason == "cancelled"


def test_lost_notices_are_made_up_by_the_sweep(machine) -> None:
    executor = machine.open()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM):
        (machine.root / "run" / sockets.SERVICE).unlink()
    executor.launch(machine.spec("1.1", "gate"))
    assert machine.started("1.1").pid == machine.running("1.1").worker.pid
    (machine.root / "job-1" / "gate").touch()
    assert machine.exited("1.1").success


def test_concurrent_launches_by_two_services_run_once(machine) -> None:
    executors = [machine.open(), machine.open()]
    attempts = [f"{job}.1" for job in range(1, 6)]
    for job in range(1, 6):
        (machine.root / f"job-{job}").mkdir()
        (machine.root / f"job-{job}" / "gate").touch()
    with ThreadPoolExecutor(4) as threads:
        for _ in range(2):
            for executor in executors:
                for attempt in attempts:
                    threads.submit(executor.launch, machine.spec(attempt, "gate", job_nonce=""))
    for job, attempt in enumerate(attempts, 1):
        assert machine.exited(attempt).success
        assert len((machine.root / f"job-{job}" / "runs").read_text().split()) == 1


def test_fork_server_of_other_code_is_replaced_and_its_attempts_go_on(machine) -> None:
    before = machine.open(linger_s=60.0)
    before.launch(machine.spec("1.1", "gate"))
    pid = machine.started("1.1").pid
    old = machine.fork_server()
    before.close()
    after = machine.open(linger_s=60.0)
    after.alive([machine.key("1.1")])
    after.launch(machine.spec("2.1", "exit"))
    assert machine.exited("2.1").success
    assert machine.fork_server() == old  # the same code is found again
    after.close()
    other = machine.open(target="scheduler.testing.scripts:_exit")
    other.launch(machine.spec("3.1", "anything", code=3))
    assert machine.exited("3.1").reason == "exit code 3"
    assert machine.gone(old)
    assert other.alive([machine.key("1.1")]) == {"1.1": pid}
    (machine.root / "job-1" / "gate").touch()
    assert machine.exited("1.1").success


def test_fork_server_that_cannot_start_fails_the_launches_with_its_reason(machine) -> None:
    executor = machine.open(preload="scheduler.testing.scripts:broken_preload")
    executor.launch(machine.spec("1.1", "exit"))
    exited = machine.exited("1.1")
    assert exited.reason == "could not start: ImportError: no module named 'torch'"
    assert not exited.lost
    assert not executor.ready.is_set()
    problem = "ImportError: no module named 'torch'"
    assert executor.health() == (f"the fork server does not start, so no job does: {problem}",)


def test_fork_server_leaves_when_no_service_comes_back(machine) -> None:
    executor = machine.open(linger_s=0.0)
    executor.ready.wait(PATIENCE_S)
    server = machine.fork_server()
    executor.close()
    machine.until(lambda: machine.gone(server))


def test_launch_under_way_is_void_once_the_attempt_was_declared_never_started(
    tmp_path: Path,
) -> None:
    ticket = claim.offer(tmp_path)
    assert ticket is not None
    assert claim.withdraw(tmp_path)
    assert claim.take(tmp_path, ticket) is None
    again = claim.offer(tmp_path)
    assert again is not None
    held = claim.take(tmp_path, again)
    assert held is not None
    assert claim.take(tmp_path, again, patience_s=0.01) is None
    assert claim.offer(tmp_path) is None
    assert not claim.settle(tmp_path, ExitRecord(0.0, "cancelled"))
    os.close(held)


def test_attempt_that_was_settled_never_runs(tmp_path: Path) -> None:
    ticket = claim.offer(tmp_path)
    assert ticket is not None
    assert claim.settle(tmp_path, ExitRecord(5.0, "cancelled"))
    assert not claim.settle(tmp_path, ExitRecord(6.0, "lost"))
    assert claim.take(tmp_path, ticket) is None
    assert claim.offer(tmp_path) is None
    assert files.read_exit(tmp_path) == ExitRecord(5.0, "cancelled")


def test_identity_is_not_mistaken_for_a_later_process_with_the_same_pid() -> None:
    own = process.ProcessIdentity.of(os.getpid())
    assert own is not None
    assert own.alive
    later = process.ProcessIdentity(own.pid, own.ticks - 1, own.boot)
    rebooted = process.ProcessIdentity(own.pid, own.ticks, "another boot")
    for other in (later, rebooted):
        assert not other.alive
        assert not other.send(signal.SIGKILL)
    assert process.leftovers(rebooted, b"FULCRUM_FOLDER=/nowhere") == []


def test_digest_changes_with_what_is_run() -> None:
    assert digest("a:b", "c:d") == digest("a:b", "c:d") != digest("a:b", "c:e")


def _kill_fork_server(machine) -> None:
    os.kill(machine.fork_server(), signal.SIGKILL)
