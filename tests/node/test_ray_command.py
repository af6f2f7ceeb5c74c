"""Commands of Ray: what they say when they fail, and that a stopped one leaves nothing behind."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from scheduler.domain.errors import InputError, StateError
from scheduler.executors.local.system import process
from scheduler.node import ray_command

_CHILD = "import time; time.sleep(600)"
_STARTS_A_CHILD = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {_CHILD!r}])
open(sys.argv[1], "w").write(f"{{child.pid}}\\n")
child.wait()
"""
_COMMAND = f"""
import sys
from scheduler.node import ray_command
ray_command.check_installed = lambda: None
ray_command._RAY = (sys.executable, "-c", {_STARTS_A_CHILD!r})
ray_command.run([sys.argv[1]], {{}})
"""


@pytest.fixture
def ray(monkeypatch):
    """Makes `ray` a program that prints a text and ends with a code."""
    monkeypatch.setattr(ray_command, "find_spec", lambda _: True)

    def make(text: str, code: int) -> None:
        program = f"import sys; print({text!r}); sys.exit({code})"
        monkeypatch.setattr(ray_command, "_RAY", (sys.executable, "-c", program))

    return make


def test_what_ray_says_last_is_the_error(ray) -> None:
    ray("Usage stats\nno route to host\n\n", 1)
    with pytest.raises(StateError, match="ray start failed: no route to host"):
        ray_command.run(["start"], {})


def test_a_wrong_token_is_named(ray) -> None:
    ray("Traceback …\nStatusCode.UNAUTHENTICATED: InvalidAuthToken: Authentication token …", 1)
    with pytest.raises(InputError, match="the cluster has another token") as raised:
        ray_command.run(["start"], {})
    assert set(raised.value.fields) == {"token"}


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_command_that_is_stopped_leaves_nothing_behind(tmp_path: Path, signum) -> None:
    said = tmp_path / "child"
    with subprocess.Popen(
        [sys.executable, "-c", _COMMAND, str(said)], stderr=subprocess.DEVNULL
    ) as command:
        while not (said.exists() and said.read_text().endswith("\n")):
            assert command.poll() is None
        command.send_signal(signum)
        assert command.wait(60) != 0
    child = process.Stat.of(int(said.read_text()))
    assert child is None or child.dead
