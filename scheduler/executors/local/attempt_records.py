"""Where the executor keeps its files of each attempt, and which of them are of no use any more."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import time
from collections.abc import Collection
from pathlib import Path

from scheduler.executors.base import AttemptKey, LaunchSpec
from scheduler.executors.local import burial
from scheduler.executors.local.records import claim
from scheduler.executors.local.records import folder as files
from scheduler.executors.local.system.process import ProcessIdentity
from scheduler.ownership import fences, marks

KEPT_S = 30 * 86400.0
"""How long the files of ended attempts are kept, so that people can look into what happened."""
STOPPED_S = 10.0
"""How long attempts that no store knows have to end once they are told to."""
_FOLDER = "attempts"
_log = logging.getLogger(__name__)


def place(run_folder: Path, key: AttemptKey | LaunchSpec) -> Path:
    """The folder of the executor's files: of this very attempt, never of one of its number.

    Attempts of before schema 0003 had them in their own folder.
    """
    if not key.nonce:
        return key.folder.resolve()
    return run_folder / _FOLDER / f"{key.attempt}-{key.nonce}"


def prepare(folder: Path, spec: LaunchSpec) -> None:
    """Make the attempt's folders, and keep its spec in `folder`, unless it ran already.

    Raises `SupersededError` if a newer attempt of the job was launched, `OSError`, `TypeError`
    for a spec that JSON cannot express.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with claim.locked(folder) as held:
        if held is None or files.ran(folder):
            return
        if not os.path.lexists(folder / files.SPEC):
            marks.claim(spec.shared, spec.job_nonce)
            if len(spec.parts) == 1:
                _empty(spec.folder, folder)
            else:  # another part may be here already
                marks.claim(spec.folder, spec.nonce)
                spec.part_folder.mkdir(exist_ok=True)
        fences.take(spec.shared, spec.attempt, spec.nonce)
        files.write_spec(folder, spec)


def _empty(folder: Path, own: Path) -> None:
    """A folder for the attempt with nothing in it; what lies there is moved aside."""
    found = os.path.lexists(folder) and folder.resolve() != own
    if found and (folder.is_symlink() or not folder.is_dir() or any(folder.iterdir())):
        marks.move_aside(folder)
    folder.mkdir(parents=True, exist_ok=True)


def stop_others(run_folder: Path, known: Collection[Path]) -> int:
    """Stop the attempts of this run folder besides those `known`; see `Executor.stop_others`."""
    root = run_folder / _FOLDER
    others = [
        (folder, ProcessIdentity.of(pid))
        for folder, pid in claim.supervisors().items()
        if folder.parent == root and folder not in known
    ]
    for folder, supervisor in others:
        _log.warning("attempt %s runs, but no job is known that it is of: stopped", folder.name)
        if supervisor is not None:
            supervisor.send(signal.SIGTERM)
    deadline = time.monotonic() + STOPPED_S
    while any(one is not None and one.alive for _, one in others) and time.monotonic() < deadline:
        time.sleep(0.02)
    for folder, supervisor in others:
        if supervisor is not None and supervisor.send(signal.SIGKILL):
            burial.bury(folder, files.read_running(folder))
    return len(others)


def tidy(run_folder: Path, known: Collection[Path]) -> None:
    """Remove the files of attempts that ended long ago."""
    try:
        entries = list(os.scandir(run_folder / _FOLDER))
    except FileNotFoundError:
        return
    limit = time.time() - KEPT_S
    for entry in entries:
        folder = Path(entry.path)
        if folder in known or entry.stat(follow_symlinks=False).st_mtime >= limit:
            continue
        if not files.runs_elsewhere(folder):
            shutil.rmtree(folder, ignore_errors=True)
