"""Commands come from a fork server of their own, all other work from another one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from scheduler.domain.jobs import JobKind
from scheduler.domain.nodes import LOCAL
from scheduler.domain.resources import DeviceKind
from scheduler.executors.base import Part
from scheduler.executors.local import LocalExecutor
from tests.support.waiting import PATIENCE_S

LIGHT = "scheduler.testing.scripts:preload"
BROKEN = "scheduler.testing.scripts:broken_preload"
WITHOUT_TORCH = """
import sys
from pathlib import Path
from scheduler.domain.jobs import JobKind
from scheduler.domain.resources import DeviceKind
from scheduler.executors.base import LaunchSpec, Part
from scheduler.executors.local.supervision import server
from scheduler.workloads import run

run.preload_for_commands()
root, before = Path(sys.argv[1]), set(sys.modules)
spec = LaunchSpec("1.1", "a", "j", JobKind.COMMAND, {"argv": ["true"]}, root / "1", root / "s",
                  (Part("local", DeviceKind.CPU),))
spec.folder.mkdir()
assert run.run(spec).code == 0
print(*({"torch", "numpy", "pandas", "sklearn"} & set(sys.modules)), *(set(sys.modules) - before))
"""


def test_commands_start_although_the_other_server_does_not(machine) -> None:
    executor = machine.open(preload=BROKEN, light=LIGHT)
    executor.launch(machine.spec("1.1", "exit"))
    executor.launch(replace(machine.spec("2.1", "exit"), kind=JobKind.CNN_TRAIN))
    assert machine.exited("1.1").success
    problem = "ImportError: no module named 'torch'"
    assert machine.exited("2.1").reason == f"could not start: {problem}"
    told = f"the fork server does not start, so no job but commands does: {problem}"
    assert executor.health() == (told,)


def test_a_server_for_commands_that_does_not_start_fails_commands_alone(machine) -> None:
    executor = machine.open(light=BROKEN)
    executor.launch(machine.spec("1.1", "exit"))
    executor.launch(replace(machine.spec("2.1", "exit"), kind=JobKind.CNN_INFER))
    assert machine.exited("1.1").reason.startswith("could not start: ImportError")
    assert machine.exited("2.1").success


def test_a_command_on_several_nodes_comes_with_what_nodes_meet_by(machine) -> None:
    executor = machine.open(light=BROKEN)
    parts = tuple(Part(name, DeviceKind.CPU) for name in (LOCAL, "other"))
    executor.launch(machine.spec("1.1", "exit", parts=parts))
    assert machine.exited("1.1").success


def test_both_servers_are_replaced_and_find_what_they_were_sent(machine) -> None:
    before = machine.open(light=LIGHT, linger_s=60.0)
    before.launch(machine.spec("1.1", "gate"))
    before.launch(replace(machine.spec("2.1", "gate"), kind=JobKind.CNN_TRAIN))
    for attempt in ("1.1", "2.1"):
        machine.started(attempt)
    for link in before._links:
        assert link._server is not None
        os.kill(link._server.pid, signal.SIGKILL)
        machine.until(lambda link=link: not link.ready.is_set())
    before.launch(machine.spec("3.1", "exit"))
    before.launch(replace(machine.spec("4.1", "exit"), kind=JobKind.CNN_TRAIN))
    assert machine.exited("3.1").success
    assert machine.exited("4.1").success
    before.close()
    after = machine.open(light=LIGHT)
    assert set(after.alive([machine.key("1.1"), machine.key("2.1")])) == {"1.1", "2.1"}
    for job in ("1", "2"):
        (machine.root / f"job-{job}" / "gate").touch()
        assert machine.exited(f"{job}.1").success


@pytest.mark.parametrize("kind", [JobKind.COMMAND, JobKind.CNN_TRAIN])
def test_an_attempt_that_no_server_began_is_launched_by_the_next_executor(machine, kind) -> None:
    before = LocalExecutor(machine.root / "run", light=LIGHT)  # never started: it has no server
    machine.executors.append(before)
    before.launch(replace(machine.spec("1.1", "exit"), kind=kind))
    before.close()
    after = machine.open(light=LIGHT)
    after.launch(replace(machine.spec("1.1", "exit"), kind=kind))
    assert machine.exited("1.1").success


def test_a_supervisor_that_is_killed_leaves_nothing(machine) -> None:
    executor = machine.open(light=LIGHT, linger_s=60.0)
    executor.launch(machine.spec("1.1", "breed"))
    children = machine.children("1")
    os.kill(machine.running("1.1").supervisor.pid, signal.SIGKILL)
    assert machine.exited("1.1").lost
    machine.until(lambda: all(machine.gone(pid) for pid in children))


def test_a_command_needs_nothing_heavy_and_nothing_that_was_not_preloaded(tmp_path) -> None:
    command = [sys.executable, "-c", WITHOUT_TORCH, str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=True)
    assert ended.stdout == "\n"
