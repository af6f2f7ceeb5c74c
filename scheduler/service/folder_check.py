"""Compares the jobs' folders with the store at the start: the database may be another one.

At every start the store and the root folder get the same new token. A database that was restored,
removed or exchanged has another token or none: then the mark of every folder is compared with the
store's job. With the same token only folders with a number above the store's highest can belong to
other jobs: to those after a backup that was restored.
"""

from __future__ import annotations

import logging
import secrets
from pathlib import Path

from scheduler.domain.errors import MissingError
from scheduler.files import regular, write_text
from scheduler.ownership import marks
from scheduler.store.base import JobQuery, Store

SETTING = "folders"
TOKEN = ".store"
_log = logging.getLogger(__name__)


def settle(root: Path, store: Store) -> list[Path]:
    """Move aside the folders below `root` that are not of the store's jobs; returns the new paths.

    A folder that cannot be moved stays: then its job alone cannot start.
    """
    root.mkdir(parents=True, exist_ok=True)
    newest = store.jobs(JobQuery(), limit=1)
    highest = newest[0].id if newest else 0
    same = _token(root) == (store.setting(SETTING) or "")
    moved = []
    for folder in root.iterdir():
        if not folder.name.isdecimal():
            continue
        number = int(folder.name)
        if number <= highest and (same or marks.owner(folder) == _nonce(store, number)):
            continue
        try:
            moved.append(marks.move_aside(folder))
        except OSError:
            _log.exception(
                "%s is not of job %d and could not be moved aside",
                folder,
                number,
                extra={"job": number},
            )
    if moved:
        _log.warning(
            "the database is not the one of these folders: %d moved aside, such as %s",
            len(moved),
            moved[0],
        )
    token = secrets.token_hex(8)
    store.set_settings({SETTING: token})
    try:
        write_text(root / TOKEN, token)
    except OSError:  # a full disk: then the next start looks at every folder
        _log.exception("the token of %s could not be written", root)
    return moved


def _token(root: Path) -> str:
    try:
        with regular(root / TOKEN) as file:
            return file.read(100).decode("ascii", "replace")
    except OSError:
        return ""


def _nonce(store: Store, job_id: int) -> str | None:
    try:
        return store.job(job_id).nonce
    except MissingError:
        return None
