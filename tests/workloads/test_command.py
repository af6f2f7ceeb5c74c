"""Commands in a process of their own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from scheduler.domain.jobs import JobKind
from scheduler.domain.nodes import LOCAL
from scheduler.domain.resources import DeviceKind
from scheduler.executors.base import LaunchSpec, Part
from scheduler.workloads.run import run
from tests.workloads.conftest import Nursery

SCRIPT = """
import json, os, pathlib
with open(os.environ["FULCRUM_METRICS"], "a") as file:
    file.write(json.dumps({"kind": "test", "score": 0.5, "name": "x"}) + "\\n")
pathlib.Path(os.environ["FULCRUM_ARTIFACTS"], "out.txt").write_text(os.getcwd())
print(*(os.environ["FULCRUM_" + name] for name in ("JOB", "ATTEMPT", "WIDTH")), os.environ["MINE"])
print(os.getpgid(0) == os.getpgid(os.getppid()))
"""


def spec(folder: Path, work: dict[str, Any]) -> LaunchSpec:
    return LaunchSpec(
        attempt="1.1",
        nonce="a",
        job_nonce="j",
        kind=JobKind.COMMAND,
        work=work,
        folder=folder / "1",
        shared=folder / "s",
        parts=(Part(LOCAL, DeviceKind.CPU, ("0",)),),
    )


def test_a_program_finds_its_place_and_reports(nursery: Nursery, tmp_path: Path) -> None:
    work = {"argv": [sys.executable, "-c", SCRIPT], "env": {"MINE": "é"}, "cwd": str(tmp_path)}
    ended = nursery.run(tmp_path / "job", "command", work, number=3, width=2)
    assert ended.code == 0, ended.log
    assert ended.log.splitlines() == ["7 3 2 é", "True"]
    assert (ended.artifacts / "out.txt").read_text() == str(tmp_path)
    assert ended.result["metrics"] == {"score": 0.5}
    assert "samples" not in ended.result  # nobody counted any


@pytest.mark.parametrize(("script", "code"), [("exit 3", 3), ("kill -9 $$", 137), ("exit 2", 2)])
def test_its_exit_code_is_passed_on(
    script: str, code: int, nursery: Nursery, tmp_path: Path
) -> None:
    ended = nursery.run(tmp_path, "command", {"argv": ["sh", "-c", script]})
    assert ended.code == code
    assert ended.result["exit_code"] == code
    assert ended.result["error"] == f"exit code {code}"
    assert ended.result["retriable"] is True


@pytest.mark.parametrize(
    ("work", "field"),
    [
        ({"argv": ["no-such-program"]}, "work.argv.0"),
        ({"argv": ["./run.sh"], "cwd": "/"}, "work.argv.0"),
        ({"argv": ["ls"], "cwd": "/nowhere"}, "work.cwd"),
        ({"argv": []}, "work.argv"),
    ],
)
def test_what_is_not_there_is_not_tried_again(
    work: dict[str, Any], field: str, tmp_path: Path
) -> None:
    outcome = run(spec(tmp_path, work))
    assert outcome.code == 2
    assert field in outcome.result["fields"]
    assert outcome.result["retriable"] is False


def test_it_runs_in_a_folder_of_its_own(nursery: Nursery, tmp_path: Path) -> None:
    script = "pwd; ls -A; cd /; rm -r $OLDPWD"
    ended = nursery.run(tmp_path, "command", {"argv": ["sh", "-c", script]})
    assert ended.code == 0
    assert ended.log == f"{tmp_path / '1' / 'work'}\n"


def test_a_pipe_in_place_of_its_metrics_is_no_trap(nursery: Nursery, tmp_path: Path) -> None:
    script = "rm -f $FULCRUM_METRICS; mkfifo $FULCRUM_METRICS"
    ended = nursery.run(tmp_path, "command", {"argv": ["sh", "-c", script]})
    assert ended.code == 0
    assert ended.result["metrics"] == {}


RESUMABLE = """
import os, pathlib, signal, sys, time
state = pathlib.Path(os.environ["FULCRUM_CHECKPOINTS"], "state")
print("resumed", os.environ["FULCRUM_RESUMED"], flush=True)
if state.exists():
    sys.exit(0)
def stop(*_):
    state.write_text("x")
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
os.kill(os.getppid(), signal.SIGTERM)
os.kill(os.getpid(), signal.SIGTERM)
time.sleep(600)
"""


def test_a_command_that_was_stopped_goes_on_from_what_it_saved(
    nursery: Nursery, tmp_path: Path
) -> None:
    """Whatever it exits with when it was asked to stop, it has not succeeded."""
    work = {"argv": [sys.executable, "-c", RESUMABLE], "resumable": True}
    stopped = nursery.run(tmp_path, "command", work)
    assert (stopped.code, stopped.log.splitlines()[0]) == (143, "resumed 0")
    ended = nursery.run(tmp_path, "command", work, number=2)
    assert (ended.code, ended.log.splitlines()) == (0, ["resumed 1"])
