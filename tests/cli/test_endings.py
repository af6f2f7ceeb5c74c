"""How commands end: exit codes, closed pipes, full disks, Ctrl-C."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Fulcrum
from tests.support.waiting import PATIENCE_S

MAIN = "from api.cli.main import main; main()"


def _started(fulcrum: Fulcrum, *args: str, **streams: Any) -> subprocess.Popen[str]:
    env = {**os.environ, "FULCRUM_TOKEN": fulcrum.world.token}
    command = [sys.executable, "-c", MAIN, "--url", fulcrum.world.url, *args]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
    return subprocess.Popen(command, env=env, text=True, **streams)


@pytest.mark.parametrize(
    "args", [("ls",), ("show", "1"), ("show", "1", "--json"), ("ls", "--help"), ("nosuch",)]
)
def test_a_closed_pipe_ends_every_command_alike(fulcrum: Fulcrum, args: tuple[str, ...]) -> None:
    fulcrum.world.submit()
    reader, writer = os.pipe()
    os.close(reader)
    process = _started(fulcrum, *args, stdout=writer, stderr=writer)
    os.close(writer)
    assert process.wait(PATIENCE_S) == 141


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("args", [("ls",), ("show", "1", "--json")])
def test_a_full_disk_is_no_error_of_the_service(fulcrum: Fulcrum, args: tuple[str, ...]) -> None:
    fulcrum.world.submit()
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        process = _started(fulcrum, *args, stdout=full)
        _, said = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, said) == (9, "error: No space left on device\n")


def test_ctrl_c_where_a_value_is_asked_for() -> None:
    process, terminal = pty.fork()
    if process == 0:
        os.execv(sys.executable, [sys.executable, "-c", MAIN, "secret", "set", "FOO"])
    said = b""
    while b"value of FOO" not in said:
        said += os.read(terminal, 1000)
    os.write(terminal, b"\x03")
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 130
    os.close(terminal)


@pytest.mark.parametrize("how", ["--wait", "--follow"])
def test_ctrl_c_tells_that_the_job_goes_on(fulcrum: Fulcrum, how: str) -> None:
    process = _started(fulcrum, "run", how, "--", "sleep", "60")
    assert process.stdout is not None
    assert process.stdout.readline() == "1\n"
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130
    assert said.splitlines()[-1] == "job 1 continues; to stop it: fulcrum cancel 1"
    assert not fulcrum.json("show", "1")["final"]


def test_with_json_the_followed_lines_are_no_part_of_the_document(fulcrum: Fulcrum) -> None:
    with fulcrum.ending(1):
        result = fulcrum("run", "--follow", "--json", "--", "true")
    assert result.stdout.startswith("{")
    assert "one line" in result.stderr


@pytest.mark.parametrize(
    "args",
    [
        ("show", "nosuch"),
        ("infer", "nosuch"),
        ("infer", "999"),
        ("train", "--weights", "job:nosuch"),
        ("run", "--after", "999", "--", "true"),
    ],
)
def test_a_job_that_does_not_exist_has_one_exit_code(
    fulcrum: Fulcrum, args: tuple[str, ...]
) -> None:
    assert fulcrum(*args).exit_code == 3


def test_what_is_wrong_besides_makes_it_a_refusal(fulcrum: Fulcrum) -> None:
    assert fulcrum("run", "--after", "999", "-p", "500", "--", "true").exit_code == 4


def test_a_quota_refuses(fulcrum: Fulcrum) -> None:
    assert fulcrum("project", "set", "vision", "--queued", "0").exit_code == 0
    result = fulcrum("run", "--project", "vision", "--", "true")
    assert (result.exit_code, "vision" in result.stderr) == (4, True)


def test_a_retry_can_be_waited_for(fulcrum: Fulcrum) -> None:
    number = fulcrum.world.running()
    fulcrum.world.finish(number)
    with fulcrum.ending(number + 1, exit_code=3):
        result = fulcrum("retry", str(number), "--wait")
    assert (result.exit_code, result.stdout) == (1, f"{number + 1}\n")


def test_an_update_tells_what_it_changed_and_warns(fulcrum: Fulcrum) -> None:
    fulcrum.world.running(width=2)
    waiting = str(fulcrum.world.submit(width=2))
    said = fulcrum("update", waiting, "-p", "90", "--deadline", "+1s")
    assert "priority 50 → 90, deadline none → " in said.stdout
    assert f"job {waiting}: its deadline cannot be met" in said.stderr
    again = fulcrum("update", waiting, "-p", "90", "--deadline", "none")
    assert "→ none" in again.stdout
    assert again.stderr == ""


def test_a_sweep_whose_deadline_cannot_be_met_warns(fulcrum: Fulcrum, tmp_path: Path) -> None:
    file = tmp_path / "sweep.yaml"
    file.write_text(
        "kind: cnn-train\nwork: {epochs: 50}\n"
        "sweep: {trials: 2, parameters: {work.learning_rate: [0.1, 0.01]}}\n"
    )
    for command in ("submit",), ("sweep", "submit"):
        said = fulcrum(*command, str(file), "--set", "deadline=+1ms")
        assert said.exit_code == 0
        assert "its deadline cannot be met" in said.stderr
