"""What the executor believes: its own files of this very attempt, and processes; nothing else."""

from __future__ import annotations

import os
import shutil
import signal
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from scheduler.executors.base import Outcome
from scheduler.executors.local import attempt_records
from scheduler.executors.local.records import claim
from scheduler.executors.local.records import folder as files
from scheduler.executors.local.records.folder import ExitRecord
from scheduler.executors.local.system import sockets
from scheduler.ownership import marks

DEEP = "[" * 900 + "]" * 900


def _replace(path: Path, text: str) -> None:
    path.unlink()
    path.write_text(text)


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


DAMAGE = {
    "1.1": shutil.rmtree,
    "2.1": lambda record: _replace(record / "supervisor.json", '{"supervisor": 3}'),
    "3.1": lambda record: _pipe(record / "supervisor.json"),
    "4.1": lambda record: _folder(record / "supervisor.json"),
    "5.1": lambda record: (_loop(record / "supervisor.json"), _loop(record / "claim")),
    "6.1": lambda record: (record / "exit.json").write_text(f'{{"time": NaN, "a": {DEEP}}}'),
    "7.1": lambda record: [(record / name).unlink() for name in ("claim", "supervisor.json")],
}


@pytest.mark.parametrize("restarted", [False, True], ids=["known", "adopted"])
def test_damaged_files_end_no_attempt_that_runs_and_stop_no_other(machine, restarted) -> None:
    executor = machine.open(spares=len(DAMAGE))
    for attempt in DAMAGE:
        executor.launch(machine.spec(attempt, "gate"))
    pids = {attempt: machine.started(attempt).pid for attempt in DAMAGE}
    if restarted:
        executor.close()
    for attempt, damage in DAMAGE.items():
        damage(machine.record(attempt))
    if restarted:
        executor = machine.open()
        assert executor.alive([machine.key(attempt) for attempt in DAMAGE]) == pids
    executor.launch(machine.spec("8.1", "exit"))
    assert machine.exited("8.1").success
    executor.cancel("2.1")
    assert machine.exited("2.1").reason == "cancelled"
    for attempt in DAMAGE.keys() - {"2.1"}:
        job = attempt.partition(".")[0]
        assert not machine.sink.exited(attempt)
        (machine.root / f"job-{job}" / "gate").touch()
        assert machine.exited(attempt).success
        assert (machine.root / f"job-{job}" / "runs").read_text() == f"{pids[attempt]}\n"


def test_damaged_files_of_a_killed_supervisor_mean_lost_and_nobody_left(machine) -> None:
    before = machine.open(linger_s=60.0)  # the fork server ends daemons, which nobody else knows
    before.launch(machine.spec("1.1", "breed"))
    children = machine.children("1")
    worker = machine.running("1.1").worker
    before.close()
    _replace(machine.record("1.1") / "supervisor.json", "")
    os.kill(claim.supervisors()[machine.record("1.1")], signal.SIGKILL)
    machine.until(lambda: not worker.alive)
    after = machine.open(linger_s=60.0)
    assert after.alive([machine.key("1.1")]) == {"1.1": None}
    assert machine.exited("1.1").reason == "lost: its files are damaged"
    machine.until(lambda: all(machine.gone(pid) for pid in children))


@pytest.mark.parametrize("victim", ["supervisor", "worker", "both", "told to stop"])
def test_work_that_was_done_is_done_whoever_was_killed_afterwards(machine, victim) -> None:
    executor = machine.open()
    executor.launch(machine.spec("1.1", "linger"))
    machine.until((machine.record("1.1") / "outcome.json").exists)
    running = machine.running("1.1")
    if victim == "told to stop":
        running.supervisor.send(signal.SIGTERM)
    elif victim != "worker":
        running.supervisor.send(signal.SIGKILL)
    if victim in ("worker", "both"):
        running.worker.send(signal.SIGKILL)
    exited = machine.exited("1.1")
    assert (exited.success, exited.lost, exited.reason) == (True, False, "exit code 0")
    assert exited.result == {"answer": 42}
    assert exited.started_at == machine.started("1.1").time <= exited.time


def test_half_an_outcome_is_none(tmp_path: Path) -> None:
    files.write_outcome(tmp_path, Outcome(0, {"answer": 42}))
    text = (tmp_path / "outcome.json").read_text()
    assert files.read_outcome(tmp_path) is not None
    (tmp_path / "outcome.json").write_text(text[:-1])
    assert files.read_outcome(tmp_path) is None


def test_an_exit_never_changes(tmp_path: Path) -> None:
    files.write_exit(tmp_path, ExitRecord(5.0, "exit code 0", success=True))
    before = (tmp_path / "exit.json").read_bytes()
    files.write_exit(tmp_path, ExitRecord(6.0, "lost", lost=True))
    assert (tmp_path / "exit.json").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["exit.json"]


@pytest.mark.parametrize("damage", [_pipe, _folder, _loop], ids=["pipe", "folder", "link"])
def test_an_exit_takes_the_place_of_what_is_none(tmp_path: Path, damage) -> None:
    (tmp_path / "exit.json").write_text("")
    damage(tmp_path / "exit.json")
    files.write_exit(tmp_path, ExitRecord(5.0, "cancelled"))
    assert files.read_exit(tmp_path) == ExitRecord(5.0, "cancelled")


def test_forged_notices_say_nothing(machine) -> None:
    executor = machine.open()
    executor.launch(machine.spec("1.1", "gate"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as forger:
        forger.connect(str(machine.root / "run" / sockets.SERVICE))
        for text in ("", "[", "7", DEEP, '{"started": "1.1"}', '{"exited": "1.1", "pid": {}}'):
            forger.send(text.encode())
    assert machine.started("1.1").pid == machine.running("1.1").worker.pid
    assert not machine.sink.exited("1.1")
    (machine.root / "job-1" / "gate").touch()
    assert machine.exited("1.1").success


def test_a_start_that_was_reported_does_not_change(machine) -> None:
    machine.open().launch(machine.spec("1.1", "gate"))
    started = machine.started("1.1")
    _replace(machine.record("1.1") / "started.json", '{"pid": 1, "time": 0}')
    (machine.root / "job-1" / "gate").touch()
    exited = machine.exited("1.1")
    assert exited.success
    assert exited.started_at == started.time


@pytest.mark.parametrize("instead", ["true", 'touch "$FULCRUM_FOLDER"'])
def test_a_program_that_removes_its_own_folder_ends_as_its_exit_code_says(machine, instead) -> None:
    spec = machine.spec("1.1", "")
    work = {"argv": ["sh", "-c", f'cd /; rm -r "$FULCRUM_FOLDER"; {instead}']}
    machine.open(target="scheduler.workloads.run:run").launch(replace(spec, work=work))
    exited = machine.exited("1.1")
    assert exited.reason == "exit code 0"
    assert exited.result["exit_code"] == 0


def test_folders_of_another_history_are_moved_aside_unread(machine) -> None:
    executor = machine.open()
    executor.launch(machine.spec("1.1", "exit", say="old"))
    assert machine.exited("1.1").success
    (machine.root / "job-1" / "checkpoint").write_text("old")
    executor.close()

    executor = machine.open()
    assert executor.alive([machine.key("1.1", "b")]) == {}
    machine.sink.events.clear()
    executor.launch(machine.spec("1.1", "exit", code=3, say="new", nonce="b", job_nonce="k"))
    assert machine.exited("1.1").reason == "exit code 3"
    assert (machine.root / "1.1" / "log.txt").read_text() == "new\n"
    (old,) = machine.root.glob("1.1.before-*")
    assert (old / "log.txt").read_text() == "old\n"
    assert not (machine.root / "job-1" / "checkpoint").exists()
    (old,) = machine.root.glob("job-1.before-*")
    assert (old / "checkpoint").read_text() == "old"


def test_later_attempts_of_a_job_find_its_folder(machine) -> None:
    executor = machine.open()
    executor.launch(machine.spec("1.1", "exit"))
    machine.exited("1.1")
    (machine.root / "job-1" / "checkpoint").touch()
    executor.launch(machine.spec("1.2", "exit", nonce="b"))
    machine.exited("1.2")
    assert (machine.root / "job-1" / "checkpoint").exists()


def test_attempts_of_before_nonces_are_adopted(machine) -> None:
    before = machine.open()
    before.launch(machine.spec("1.1", "gate", nonce="", job_nonce=""))
    pid = machine.started("1.1").pid
    assert (machine.root / "1.1" / "supervisor.json").exists()
    before.close()
    after = machine.open()
    assert after.stop_others([machine.key("1.1", "")]) == 0
    assert after.alive([machine.key("1.1", "")]) == {"1.1": pid}
    (machine.root / "job-1" / "gate").touch()
    assert machine.exited("1.1").success


def test_files_of_attempts_that_ended_long_ago_are_removed(tmp_path: Path) -> None:
    folders = [tmp_path / "attempts" / name for name in ("1.1-a", "2.1-b", "3.1-c")]
    for folder in folders:
        folder.mkdir(parents=True)
    for old in folders[:2]:
        os.utime(old, (0, 0))
    attempt_records.tidy(tmp_path, {folders[0]})
    assert sorted((tmp_path / "attempts").iterdir()) == [folders[0], folders[2]]


def test_a_folder_is_of_the_job_it_is_marked_with(tmp_path: Path) -> None:
    folder = tmp_path / "7"
    marks.claim(folder, "a")
    (folder / "mine").touch()
    marks.claim(folder, "a")
    assert (folder / "mine").exists()
    marks.claim(folder, "")  # of a job of before marks
    assert list(folder.iterdir()) == []
    marks.claim(folder, "")
    marks.claim(folder, "b")
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    marks.claim(folder, "b")
    assert not folder.is_symlink()
    assert marks.owner(tmp_path / "elsewhere") == marks.owner(folder) == "b"
    assert len(list(tmp_path.glob("7.before-*"))) == 3
