"""A real service: another database, or what a job writes, never decides how an attempt ended."""

from __future__ import annotations

import functools
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from scheduler import bootstrap
from scheduler.domain.lifecycle import JobState
from scheduler.executors.local import LocalExecutor
from scheduler.executors.local.system import process
from scheduler.service.service import Service
from scheduler.settings import load
from scheduler.testing.samples import job_spec

PATIENCE_S = 100.0
FORGE = """
cd $1
for name in supervisor exit result outcome started order cancel; do
    echo '{"time": 1.0, "reason": "exit code 0", "success": true, "code": 0}' > $name.json
done
mkdir claim
echo run >> $ROOT/runs
"""
WAIT = "while ! [ -e $ROOT/gate ]; do sleep 0.05; done"


class House:
    """A data folder and the service over it, which may be opened again and again."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.data = root / "data"
        self.service: Service

    def open(self) -> None:
        pools = {"cpu": {"devices": 2, "memory": 0}}
        given = {"data_dir": self.data, "pools": pools, "policy": "priority"}
        self.service = bootstrap.build(load(overrides=given))
        self.service.start()

    def restart(self) -> None:
        self.service.stop()
        self.open()

    def run(self, script: str, *arguments: str) -> int:
        work = {
            "argv": ["sh", "-c", script, "sh", *arguments],
            "env": {"ROOT": str(self.root)},
        }
        return self.service.jobs.submit([job_spec(work=work)], actor="ann")[0][0].id

    def until(self, true: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not true():
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def state(self, job: int) -> JobState:
        return self.service.store.job(job).state

    def ended(self, job: int) -> str:
        self.until(lambda: self.state(job).final)
        return self.service.store.job(job).reason

    def lines(self, name: str) -> int:
        path = self.root / name
        return len(path.read_text().split()) if path.exists() else 0


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    light = functools.partial(
        LocalExecutor, preload="scheduler.testing.scripts:preload", sweep_s=0.2
    )
    monkeypatch.setattr("scheduler.node.executor.LocalExecutor", light)
    house = House(tmp_path)
    house.open()
    yield house
    (tmp_path / "gate").touch()
    house.until(lambda: not house.service.store.live()[1])
    house.service.stop()


def test_a_removed_database_makes_no_job_succeed(house: House) -> None:
    first = house.run("echo old | tee $FULCRUM_ARTIFACTS/a $FULCRUM_CHECKPOINTS/c")
    assert house.ended(first) == "exit code 0"
    running = house.run(WAIT)
    house.until(lambda: house.state(running) is JobState.RUNNING)
    pid = house.service.store.attempts(running)[0].pid
    assert pid is not None
    house.service.stop()
    for path in house.data.glob("fulcrum.sqlite*"):
        path.unlink()

    house.open()
    assert process.ProcessIdentity.of(pid) is None
    assert not list(house.service.folders.root.glob("[0-9]"))
    again = house.run("ls $FULCRUM_ARTIFACTS $FULCRUM_CHECKPOINTS | grep -q '[ac]$' || exit 3")
    assert again == first
    assert house.ended(again) == "exit code 3"
    (old,) = house.service.folders.root.glob(f"{first}.before-*")
    assert (old / "artifacts" / "a").read_text() == "old\n"


def test_a_restored_database_keeps_what_it_knows_and_believes_no_later_job(house: House) -> None:
    kept = house.run("echo kept > $FULCRUM_ARTIFACTS/a")
    assert house.ended(kept) == "exit code 0"
    database = sqlite3.connect(house.data / "fulcrum.sqlite")
    with closing(database), closing(sqlite3.connect(house.root / "backup")) as backup:
        database.backup(backup)
    later = house.run("echo later > $FULCRUM_ARTIFACTS/a")
    assert house.ended(later) == "exit code 0"
    house.service.stop()
    for path in house.data.glob("fulcrum.sqlite*"):
        path.unlink()
    shutil.copy(house.root / "backup", house.data / "fulcrum.sqlite")

    house.open()
    assert (house.service.folders.artifacts(kept) / "a").read_text() == "kept\n"
    assert not house.service.folders.job(later).exists()
    assert house.run("exit 3") == later
    assert house.ended(later) == "exit code 3"


@pytest.mark.parametrize("folder", [".", ".."], ids=["its own", "the attempt's"])
def test_files_that_a_command_forges_decide_nothing(house: House, folder: str) -> None:
    job = house.run(FORGE + WAIT, folder)
    house.until(lambda: house.lines("runs"))
    house.until(lambda: house.state(job) is JobState.RUNNING)
    assert house.ended(house.run("exit 0")) == "exit code 0"
    house.restart()
    assert house.ended(house.run("exit 4")) == "exit code 4"
    assert house.state(job) is JobState.RUNNING
    house.service.jobs.cancel(job, actor="ann")
    assert house.state(job) in (JobState.CANCELLING, JobState.CANCELLED)
    house.until(lambda: house.state(job) is JobState.CANCELLED)
    assert house.lines("runs") == 1


@pytest.mark.parametrize("folder", ["$PWD", "$PWD/../.."], ids=["its own", "the job's"])
def test_a_command_that_removes_its_folder_runs_once(house: House, folder: str) -> None:
    script = f"d={folder}; d=$(realpath $d); cd /; rm -rf $d; echo run >> $ROOT/runs; "
    job = house.run(script + WAIT)
    house.until(lambda: house.lines("runs"))
    house.until(lambda: house.state(job) is JobState.RUNNING)
    house.restart()
    assert house.ended(house.run("exit 0")) == "exit code 0"
    assert house.state(job) is JobState.RUNNING
    (house.root / "gate").touch()
    assert house.ended(job) == "exit code 0"
    assert house.lines("runs") == 1
    assert house.service.store.job(job).attempts == 1
