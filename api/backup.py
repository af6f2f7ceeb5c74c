"""Backup of a data folder into one file, and its restoration.

A backup is a tar file, readable by its owner only: the database as it is at one instant, the
folder's learned policies, and the digests of further tokens. It holds neither the owner's own
token nor the jobs' files (logs, checkpoints, artifacts).
"""

from __future__ import annotations

import json
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from sqlalchemy import URL, make_url

from agents.registry.registry import FOLDER as POLICIES
from api.http.auth import TOKENS_FILE
from scheduler.domain.errors import InputError, MissingError, StateError
from scheduler.service.data_folder_lock import FolderLock
from scheduler.service.paths import Paths
from scheduler.settings import DATABASE_FILE, Settings
from scheduler.store.base import JobQuery, Store
from scheduler.store.sql import SqlStore
from scheduler.store.sql.snapshot_copy import copy

FORMAT = 1
MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did."""

    made_at: str
    """When the backup was made, ISO 8601."""
    jobs: int
    """Jobs of the restored history."""
    aside: Path
    """Where everything lies that was there before."""


def file_name(now: datetime) -> str:
    """The usual name of a backup."""
    return f"fulcrum-{now:%Y%m%d-%H%M%S}.tar"


def create(settings: Settings, target: Path) -> None:
    """Write a backup to `target`, whole or not at all, whether or not the service runs.

    Raises `StateError` if `target` exists, `InputError` for a damaged database or one that
    is no file, `MissingError` if there is none, `OutageError` if it cannot be read or
    `target` cannot be written.
    """
    database = _database(settings)
    if not database.is_file():
        raise MissingError(
            f"there is no database {database}", {"data": "the data folder of a service"}
        )
    if target.exists():
        raise StateError(f"{target} exists already", {"file": "a name that is free"})
    if not target.parent.is_dir():
        raise MissingError(f"there is no folder {target.parent}", {"file": "in a folder"})
    with tempfile.TemporaryDirectory(prefix=".fulcrum-backup-", dir=target.parent) as name:
        folder = Path(name)
        copy(database, folder / DATABASE_FILE)
        about = {
            "format": FORMAT,
            "fulcrum": version("fulcrum-scheduler"),
            "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        (folder / MANIFEST).write_text(json.dumps(about), encoding="utf-8")
        draft = folder / "draft.tar"
        with tarfile.open(draft, "w") as tar:
            tar.add(folder / MANIFEST, MANIFEST)
            tar.add(folder / DATABASE_FILE, DATABASE_FILE)
            for part in (POLICIES, TOKENS_FILE):
                if (settings.data_dir / part).exists():
                    tar.add(settings.data_dir / part, part)
        draft.chmod(0o600)
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        os.link(draft, target)  # unlike a rename, never over another file


def restore(settings: Settings, backup: Path) -> Restored:
    """Put a backup in the place of the data folder's database, policies and tokens.

    The backup is checked before anything is touched. What was there is moved into a folder beside
    it, with the folders of jobs and attempts that the restored history does not know: their
    numbers will be given again.

    Raises `StateError` while a service runs, `InputError` for a file that is no whole backup
    or is of a newer Fulcrum, `MissingError` if there is none.
    """
    if not backup.is_file():
        raise MissingError(f"there is no file {backup}", {"file": "a backup"})
    database = _database(settings)
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = FolderLock(settings.data_dir)
    try:
        with tempfile.TemporaryDirectory(prefix=".restore-", dir=settings.data_dir) as name:
            incoming = Path(name)
            made_at = _unpack(backup, incoming)
            with _opened(incoming / DATABASE_FILE) as store:
                newest = store.jobs(JobQuery(), limit=1)
                stale = list(_unknown(store, Paths(settings.data_dir / "jobs")))
            stamp = f"{datetime.now(UTC):%Y%m%d-%H%M%S-%f}"
            aside = settings.data_dir / f"before-restore-{stamp}"
            aside.mkdir(mode=0o700)
            old = [database.with_name(f"{database.name}{end}") for end in ("", "-wal", "-shm")]
            old += [settings.data_dir / POLICIES, settings.data_dir / TOKENS_FILE]
            for path in (*old, *stale):
                if path.exists():
                    inside = path.is_relative_to(settings.data_dir)
                    place = path.relative_to(settings.data_dir) if inside else path.name
                    _move(path, aside / place)
            shutil.move(incoming / DATABASE_FILE, database)
            for part in (POLICIES, TOKENS_FILE):
                if (incoming / part).exists():
                    (incoming / part).rename(settings.data_dir / part)
        return Restored(made_at, newest[0].id if newest else 0, aside)
    finally:
        lock.release()


def _database(settings: Settings) -> Path:
    url = make_url(settings.database)
    if url.get_backend_name() != "sqlite":
        raise InputError(
            "the database is PostgreSQL, which has its own tools: "
            "pg_dump --format=custom DATABASE > FILE, and pg_restore to bring it back",
            {"database_url": "unset or sqlite:////path for `fulcrum backup` and `fulcrum restore`"},
        )
    return Path(str(url.database)).absolute()


def _extract(tar: tarfile.TarFile, folder: Path, members: list[tarfile.TarInfo]) -> None:
    """Extract files and folders; raises `TarError`, `ValueError` for any that lead elsewhere."""
    if hasattr(tarfile, "data_filter"):
        tar.extractall(folder, members, filter="data")
        return
    for one in members:  # Python before 3.11.4 has no filters
        inside = (folder / one.name).resolve().is_relative_to(folder.resolve())
        if not (inside and (one.isreg() or one.isdir())):
            raise ValueError(f"{one.name} leads out of the folder")
    tar.extractall(folder, members)


def _unpack(backup: Path, folder: Path) -> str:
    """Unpack what a backup may hold; when it was made."""
    legal = {"file": "a file that `fulcrum backup` made"}
    try:
        with tarfile.open(backup) as tar:
            known = (MANIFEST, DATABASE_FILE, TOKENS_FILE, POLICIES)
            members = [one for one in tar if one.name.partition("/")[0] in known]
            _extract(tar, folder, members)
        about = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        form, made_at = int(about["format"]), str(about["made_at"])
    except (tarfile.TarError, OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{backup} is not a whole backup: {error}", legal) from None
    if form > FORMAT:
        raise InputError(f"{backup} was made by a newer Fulcrum", legal)
    if not (folder / DATABASE_FILE).is_file():
        raise InputError(f"{backup} holds no database", legal)
    return made_at


@contextmanager
def _opened(file: Path) -> Iterator[Store]:
    """The unpacked database, read through for damage and brought to this program's schema."""
    url = URL.create("sqlite", database=str(file)).render_as_string(hide_password=False)
    store = SqlStore(url, service=True)
    try:
        yield store
    finally:
        store.close()


def _unknown(store: Store, folders: Paths) -> Iterator[Path]:
    """Folders of jobs and attempts that the store does not know: newer than the backup."""
    for folder in sorted(folders.root.glob("[0-9]*")):
        try:
            job = store.job(int(folder.name))
        except (MissingError, ValueError):
            yield folder
            continue
        for attempt in sorted(folder.glob("attempt-[0-9]*")):
            number = attempt.name.removeprefix("attempt-")
            if number.isdecimal() and int(number) > job.attempts:
                yield attempt


def _move(path: Path, target: Path) -> None:
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.move(path, target)
