"""One writer for each job, whatever becomes of machines and connections between them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from scheduler.executors.base import UNKNOWN
from scheduler.executors.local.records import folder as files
from scheduler.executors.local.system import process
from scheduler.ownership import fences
from tests.executors.conftest import Machine


class Second(Machine):
    """Another machine on which the jobs' folders are the same."""

    def __init__(self, root: Path, name: str) -> None:
        super().__init__(root)
        self.run = root / name

    def open(self, **options):
        return super().open(folder=self.run, **options)


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Second]:
    made = Second(tmp_path, "other-run")
    yield made
    made.close()


def test_a_newer_attempt_ends_an_older_one_that_nobody_can_reach(machine, other) -> None:
    machine.open().launch(machine.spec("1.1", "stubborn"))
    machine.started("1.1")
    other.open().launch(other.spec("1.2", "sleep"))
    other.started("1.2")
    ended = machine.exited("1.1")
    assert (ended.lost, ended.success) == (True, False)
    assert ended.reason == "lost: attempt 2 took over"
    assert not other.sink.exited("1.2")


def test_an_older_attempt_does_not_start_once_a_newer_one_was_launched(machine, other) -> None:
    other.open().launch(other.spec("1.2", "sleep"))
    other.started("1.2")
    machine.open().launch(machine.spec("1.1", "sleep"))
    ended = machine.exited("1.1")
    assert (ended.lost, ended.reason) == (True, "lost: attempt 2 took over")
    assert not machine.sink.started("1.1")
    assert fences.owner(machine.root / "job-1") == fences.Owner("1.2", "a")


def test_another_machine_buries_no_attempt_that_it_cannot_see(machine, monkeypatch) -> None:
    first = machine.open()
    first.launch(machine.spec("1.1", "gate"))
    pid = machine.started("1.1").pid
    first.close()
    with _on_another_machine(monkeypatch):
        stranger = Machine(machine.root)
        second = stranger.open()
        assert second.alive([machine.key("1.1")]) == {"1.1": UNKNOWN}
        stranger.until(lambda: bool(second.health()))
        assert second.health() == (
            "attempt 1.1: another machine runs it, which alone can say how it ends",
        )
        assert files.read_exit(machine.record("1.1")) is None
        # It cannot signal the supervisor there, which finds the wish by itself.
        second.cancel("1.1", grace_s=1)
        assert stranger.exited("1.1").reason == "cancelled"
        second.close()
    third = machine.open()
    assert third.alive([machine.key("1.1")]) == {"1.1": None}
    assert machine.exited("1.1").reason == "cancelled"
    assert machine.gone(pid)


def test_after_a_restart_of_the_machine_nobody_pays_for_the_time_it_was_off(
    machine, monkeypatch
) -> None:
    executor = machine.open()
    executor.launch(machine.spec("1.1", "sleep"))
    machine.started("1.1")
    executor.close()
    running, record = machine.running("1.1"), machine.record("1.1")
    assert running.supervisor.send(9)
    machine.until(lambda: machine.gone(running.worker.pid))
    sign = files.last_sign_of_life(record)
    monkeypatch.setattr(process, "_boot", lambda: "another boot")
    later = machine.open()
    assert later.alive([machine.key("1.1")]).keys() == {"1.1"}
    ended = machine.exited("1.1")
    assert ended.lost
    assert ended.started_at is not None
    assert ended.time == max(sign, ended.started_at)


def test_an_attempt_that_wrote_at_the_same_moment_is_overruled(tmp_path: Path) -> None:
    fences.take(tmp_path, "1.2", "b")
    (tmp_path / fences.OWNER).write_text('{"attempt": "1.1", "nonce": "a"}')
    fences.check(tmp_path, "1.2", "b")
    assert fences.owner(tmp_path) == fences.Owner("1.2", "b")
    with pytest.raises(fences.SupersededError, match="attempt 2 took over"):
        fences.check(tmp_path, "1.1", "a")


@pytest.mark.parametrize("text", ["", "[]", '{"attempt": 3, "nonce": ""}', "[" * 2000])
def test_an_illegible_owner_keeps_nobody_out(tmp_path: Path, text: str) -> None:
    (tmp_path / fences.OWNER).write_text(text)
    fences.check(tmp_path, "1.1", "a")
    fences.take(tmp_path, "1.1", "a")
    assert fences.owner(tmp_path) == fences.Owner("1.1", "a")


@contextlib.contextmanager
def _on_another_machine(monkeypatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setattr(process, "_boot", lambda: "another boot")
        patch.setattr(process, "_machine", lambda: "another machine")
        patch.setattr(process.Stat, "of", classmethod(lambda cls, pid: None))
        yield
