"""A full disk delays what must be written; nothing is lost and nothing is done twice."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from scheduler.executors.local.records import folder as files
from scheduler.executors.local.records.folder import ExitRecord
from scheduler.executors.local.supervision import supervisor
from scheduler.executors.local.system import sockets
from scheduler.files import with_room
from tests.support.waiting import PATIENCE_S


@pytest.fixture
def small(machine, tmp_path: Path) -> Iterator[Path]:
    """The machine's folders lie on a disk of 512 KiB."""
    disk = tmp_path / "small"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "none", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root can mount a small disk")
    machine.root = disk
    yield disk
    machine.close()
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def _fill(disk: Path) -> Path:
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(1024))
    return filler


def _runs(machine, job: str) -> int:
    """How often its work has begun."""
    path = machine.root / f"job-{job}" / "runs"
    return len(path.read_text().splitlines()) if path.exists() else 0


def test_an_end_waits_for_room_and_is_told_meanwhile(machine, small: Path) -> None:
    executor = machine.open()
    executor.launch(machine.spec("1.1", "gate"))
    machine.started("1.1")
    machine.until(lambda: _runs(machine, "1") == 1)
    (machine.root / "job-1" / "gate").touch()
    filler = _fill(small)
    machine.until(lambda: bool(executor.health()))
    assert executor.health() == (
        "attempt 1.1: it waits, how far it is cannot be recorded yet: "
        f"[Errno {errno.ENOSPC}] No space left on device",
    )
    assert not machine.sink.exited("1.1")
    filler.unlink()
    assert machine.exited("1.1").success
    assert executor.health() == ()
    assert _runs(machine, "1") == 1


def test_a_launch_waits_for_room_and_can_be_cancelled(machine, small: Path) -> None:
    executor = machine.open()
    assert executor.ready.wait(PATIENCE_S)
    filler = _fill(small)
    executor.launch(machine.spec("1.1", "exit"))
    executor.launch(machine.spec("2.1", "exit"))
    assert executor.health() == ("attempt 1.1, 2.1: it cannot start yet: No space left on device",)
    executor.cancel("2.1")
    assert machine.exited("2.1").reason == "cancelled"
    filler.unlink()
    assert machine.exited("1.1").success
    assert not list(machine.root.glob("*.before-*"))  # however often it was tried


def test_the_verdict_is_kept_until_it_is_written(monkeypatch, tmp_path: Path) -> None:
    full = [OSError(errno.ENOSPC, "No space left on device")] * 3
    written: list[ExitRecord] = []
    told: list[object] = []

    def write(_folder: Path, exit_: ExitRecord) -> None:
        if full:
            raise full.pop()
        written.append(exit_)

    monkeypatch.setattr(files, "write_exit", write)
    monkeypatch.setattr(sockets, "notify", lambda _folder, message: told.append(message))
    monkeypatch.setattr(supervisor, "ROOM_S", 0.0)
    verdict = ExitRecord(5.0, "exit code 0", success=True)
    supervisor._record(verdict, "1.1", tmp_path, tmp_path)
    assert written == [verdict]
    assert told == [{"waits": "1.1", "error": "[Errno 28] No space left on device"}] * 3


def test_only_a_full_disk_is_waited_for(monkeypatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    errors = [OSError(errno.ENOSPC, ""), OSError(errno.EDQUOT, ""), OSError(errno.EACCES, "denied")]

    def write() -> None:
        raise errors.pop(0)

    with pytest.raises(OSError, match="denied"):
        with_room(write)
    assert len(pauses) == 2


def test_setting_the_clock_changes_no_runtime(monkeypatch) -> None:
    mark = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: mark + 20.0)
    started = {"pid": 1, "time": 1000.0, "monotonic": mark}
    for step in (3 * 3600.0, -3600.0):
        monkeypatch.setattr(time, "time", lambda step=step: 1020.0 + step)
        runtime_s, ended_at = files.elapsed(started)
        assert (runtime_s, ended_at) == (pytest.approx(20.0), pytest.approx(1020.0))
    assert files.elapsed({}) == (None, 1020.0 - 3600.0)


def test_exit_record_tells_the_runtime(machine) -> None:
    machine.open().launch(machine.spec("1.1", "die", signum=signal.SIGSEGV))
    exited = machine.exited("1.1")
    record = files.read_exit(machine.record("1.1"))
    assert record is not None
    assert record.runtime_s is not None
    assert record.started_at is not None
    assert exited.time == record.time == record.started_at + record.runtime_s
    assert record.pid != os.getpid()
