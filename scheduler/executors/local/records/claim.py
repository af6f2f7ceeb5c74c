"""Who may run an attempt: a locked file that lets exactly one supervisor begin.

The service writes a fresh ticket into `claim` and sends it along with the launch; a supervisor
begins only while it holds the file's lock, finds its own ticket in it, and nothing that ran
before. It keeps the lock as long as it lives. Taking the ticket back makes a launch that is
still under way harmless, so "never started" stays true after it was said.
"""

from __future__ import annotations

import errno
import os
import time
from contextlib import AbstractContextManager
from pathlib import Path

from scheduler import locks
from scheduler.executors.local.records.folder import ExitRecord, RunningRecord, ran, write_exit
from scheduler.executors.local.system import process

CLAIM = "claim"
HOLDER = "fulcrum-super"
"""How the processes are named that hold claims."""
_DAMAGE = frozenset({errno.EISDIR, errno.ELOOP, errno.ENOENT, errno.ENOTDIR, errno.ENXIO})


def offer(folder: Path) -> str | None:
    """A new ticket; None if the attempt ran, or somebody is just about to run it."""
    with locked(folder) as file:
        if file is None or ran(folder):
            return None
        ticket = os.urandom(8).hex()
        _write(file, ticket)
        return ticket


def take(folder: Path, ticket: str, *, patience_s: float = 0.2) -> int | None:
    """The locked file (keep it open), or None if this ticket must not run the attempt."""
    deadline = time.monotonic() + patience_s
    while (file := locks.lock(folder / CLAIM, wait=False)) is None:
        # Somebody only looks, for microseconds; or another supervisor runs it.
        if ran(folder) or time.monotonic() > deadline:
            return None
        time.sleep(0.002)
    if ran(folder) or os.pread(file, 64, 0) != ticket.encode():
        os.close(file)
        return None
    return file


def withdraw(folder: Path, *, patience_s: float = 2.0) -> bool:
    """Make sure that no launch under way runs the attempt; False if it ran or runs.

    Waits while a supervisor holds the claim and has not yet said so.
    """
    deadline = time.monotonic() + patience_s
    while True:
        with locked(folder) as file:
            if ran(folder):
                return False
            if file is not None:
                _write(file, "")
                return True
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)


def settle(folder: Path, exit_: ExitRecord) -> bool:
    """End an attempt that nobody runs; False if somebody does, or did."""
    with locked(folder) as file:
        if file is None or ran(folder):
            return False
        write_exit(folder, exit_)
        return True


def usable(folder: Path) -> bool:
    """Whether the attempt can be claimed, now or once nobody holds it; False if it never can."""
    try:
        with locked(folder):
            return True
    except OSError as error:
        return error.errno not in _DAMAGE


def supervisors() -> dict[Path, int]:
    """Every supervisor that runs an attempt: folder of the claim → pid, as the kernel knows it.

    A supervisor has its claim open as long as it lives, whatever becomes of the file.
    """
    found = {}
    for one in process.everything():
        if process.name_of(one.pid) == HOLDER:
            for name in process.open_files(one.pid):
                path = Path(name.removesuffix(" (deleted)"))
                if path.name == CLAIM:
                    found[path.parent] = one.pid
    return found


def runner(folder: Path, among: dict[Path, int] | None = None) -> RunningRecord | None:
    """Who runs the attempt, though its files may be gone; `among` what `supervisors` said."""
    pid = (supervisors() if among is None else among).get(folder.resolve())
    supervisor = None if pid is None else process.ProcessIdentity.of(pid)
    if supervisor is None:
        return None
    children = [one for one in process.everything() if one.parent == supervisor.pid]
    # It is forked before all others.
    first = min(children, key=lambda one: (one.ticks, one.pid), default=None)
    worker = None if first is None else process.ProcessIdentity.of(first.pid)
    return RunningRecord(supervisor, worker or supervisor)


def locked(folder: Path) -> AbstractContextManager[int | None]:
    """Hold the claim, in which the ticket is; None if another process does. Raises `OSError`."""
    return locks.locked(folder / CLAIM, wait=False)


def _write(file: int, ticket: str) -> None:
    os.ftruncate(file, 0)
    os.pwrite(file, ticket.encode(), 0)
