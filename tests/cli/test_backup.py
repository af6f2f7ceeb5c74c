"""`fulcrum backup` and `fulcrum restore`, on data folders with and without a service."""

import sqlite3
import tarfile
from pathlib import Path

import pytest

from agents.registry.registry import FOLDER as POLICIES
from api import backup
from api.http.auth import create_token, list_tokens
from scheduler import settings as config
from scheduler.domain.errors import InputError, MissingError, StateError
from scheduler.service.data_folder_lock import FolderLock
from scheduler.settings import Settings
from scheduler.store.sql import SqlStore
from scheduler.testing.samples import placed, submitted


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return config.load(overrides={"data_dir": tmp_path / "odd ?#%20 name"})


def open_store(settings: Settings) -> SqlStore:
    return SqlStore(settings.database)


def test_a_backup_while_the_service_writes_brings_all_back(
    settings: Settings, tmp_path: Path
) -> None:
    store = open_store(settings)
    (job,) = submitted(store)
    placed(store, job, 0, 1)
    create_token(settings.data_dir, "ada")
    (settings.data_dir / POLICIES / "ours").mkdir(parents=True)
    (settings.data_dir / POLICIES / "ours" / "weights").write_text("w")
    before = store.live()
    history = store.events()
    file = tmp_path / "monday.tar"
    backup.create(settings, file)
    assert file.stat().st_mode & 0o777 == 0o600
    submitted(store)
    create_token(settings.data_dir, "eve")
    store.close()
    found = backup.restore(settings, file)
    assert found.jobs == 1
    again = open_store(settings)
    assert (again.live(), again.events()) == (before, history)
    assert [token.user for token in list_tokens(settings.data_dir)] == ["ada"]
    assert (settings.data_dir / POLICIES / "ours" / "weights").read_text() == "w"
    assert [job.id for job in submitted(again)] == [2]
    again.close()
    with sqlite3.connect(found.aside / "fulcrum.sqlite") as connection:
        assert connection.execute("SELECT count(*) FROM jobs").fetchone() == (2,)
    connection.close()


def test_files_of_jobs_that_are_not_yet_known_again_are_set_aside(
    settings: Settings, tmp_path: Path
) -> None:
    """Else a job that gets such a number would be taken for ended before it ran."""
    store = open_store(settings)
    submitted(store)
    backup.create(settings, tmp_path / "b.tar")
    store.close()
    jobs = settings.data_dir / "jobs"
    for name in ("1/artifacts", "1/attempt-1", "2/attempt-1"):
        (jobs / name).mkdir(parents=True)
        (jobs / name / "exit.json").write_text('{"code": 0}')
    found = backup.restore(settings, tmp_path / "b.tar")
    assert sorted(str(path.relative_to(jobs)) for path in jobs.glob("*/*")) == ["1/artifacts"]
    assert (found.aside / "jobs/1/attempt-1/exit.json").is_file()
    assert (found.aside / "jobs/2/attempt-1/exit.json").is_file()


def test_a_restore_waits_for_the_service_to_stop(settings: Settings, tmp_path: Path) -> None:
    open_store(settings).close()
    backup.create(settings, tmp_path / "b.tar")
    lock = FolderLock(settings.data_dir)
    with pytest.raises(StateError, match="already uses"):
        backup.restore(settings, tmp_path / "b.tar")
    lock.release()


def test_a_damaged_backup_touches_nothing(settings: Settings, tmp_path: Path) -> None:
    store = open_store(settings)
    submitted(store)
    store.close()
    file = tmp_path / "b.tar"
    backup.create(settings, file)
    data = bytearray(file.read_bytes())
    begin = data.index(b"SQLite format 3") + 4096
    data[begin : begin + 4096] = b"\xff" * 4096
    file.write_bytes(data)
    with pytest.raises(InputError, match="damaged"):
        backup.restore(settings, file)
    store = open_store(settings)
    assert store.job(1).id == 1
    store.close()
    assert not list(settings.data_dir.glob("*restore*"))


@pytest.mark.parametrize("content", [b"", b"no tar", b"\0" * 10240])
def test_what_is_no_backup_is_refused(settings: Settings, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "b.tar"
    file.write_bytes(content)
    with pytest.raises(InputError, match="is not a whole backup"):
        backup.restore(settings, file)


def test_names_that_lead_out_of_the_folder_are_passed_over(
    settings: Settings, tmp_path: Path
) -> None:
    open_store(settings).close()
    backup.create(settings, tmp_path / "b.tar")
    with tarfile.open(tmp_path / "b.tar", "a") as tar:
        tar.add(tmp_path / "b.tar", "../outside")
    backup.restore(settings, tmp_path / "b.tar")
    assert not (tmp_path / "outside").exists()


def test_a_damaged_database_is_not_backed_up_and_can_be_replaced(
    settings: Settings, tmp_path: Path
) -> None:
    store = open_store(settings)
    submitted(store)
    store.close()
    backup.create(settings, tmp_path / "b.tar")
    (settings.data_dir / "fulcrum.sqlite").write_bytes(b"no database" * 1000)
    with pytest.raises(InputError, match="damaged"):
        backup.create(settings, tmp_path / "c.tar")
    assert not (tmp_path / "c.tar").exists()
    backup.restore(settings, tmp_path / "b.tar")
    store = open_store(settings)
    assert store.job(1).id == 1
    store.close()


def test_what_cannot_be_backed_up_is_said(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="no database"):
        backup.create(settings, tmp_path / "b.tar")
    open_store(settings).close()
    (tmp_path / "b.tar").touch()
    with pytest.raises(StateError, match="exists already"):
        backup.create(settings, tmp_path / "b.tar")
    elsewhere = config.load(
        overrides={"data_dir": settings.data_dir, "database_url": "postgresql://x/y"}
    )
    with pytest.raises(InputError, match="pg_dump"):
        backup.create(elsewhere, tmp_path / "c.tar")
