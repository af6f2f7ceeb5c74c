"""Secrets reach a worker by the launch, are in no file, and are masked in the log."""

from __future__ import annotations

import pytest

from scheduler.executors.local import LocalExecutor
from scheduler.executors.local.supervision.masking import begun, masked

SECRET = "hunter2-secret"


@pytest.fixture
def executor(machine) -> LocalExecutor:
    return machine.open()


def test_the_worker_has_it_and_no_file_does(machine, executor, a_cpu) -> None:
    spec = machine.spec("1.1", "look", cpus=(a_cpu,), secrets={"TOKEN": SECRET})
    executor.launch(spec)
    assert machine.exited("1.1").result["env"]["TOKEN"] == SECRET
    files = [path for path in machine.root.rglob("*.json") if path.name != "outcome.json"]
    assert (machine.record("1.1") / "order.json") in files
    assert not any(SECRET in path.read_text() for path in files)


def test_the_log_shows_stars(machine, executor) -> None:
    spec = machine.spec("1.1", "exit", say=f"a {SECRET} b", secrets={"TOKEN": SECRET})
    executor.launch(spec)
    assert machine.exited("1.1").success
    assert (spec.folder / "log.txt").read_text().splitlines()[0] == "a *** b"


def test_the_longest_secret_is_masked_first() -> None:
    assert masked(b"x abcdef y abc", [b"abc", b"abcdef"]) == b"x *** y ***"


def test_the_beginning_of_a_secret_is_held_back() -> None:
    assert begun(b"text hunt", [b"hunter2"]) == 4
    assert begun(b"text", [b"hunter2"]) == 0
