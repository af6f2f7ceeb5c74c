"""Who may run an attempt: a locked file that lets exactly one supervisor begin.

The service writes a fresh ticket into `claim` and sends it along with the launch; a supervisor
begins only while it holds the file's lock, finds its own ticket in it, and nothing that ran
before. It keeps the lock as long as it lives. Taking the ticket back makes a launch that is
still under way harmless, so "never started" stays true after it was said.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from scheduler.executors.local.folder import Exit, ran, write_exit

CLAIM = "claim"


def offer(folder: Path) -> str | None:
    """A new ticket; None if the attempt ran, or somebody is just about to run it."""
    with _locked(folder) as file:
        if file is None or ran(folder):
            return None
        ticket = os.urandom(8).hex()
        _write(file, ticket)
        return ticket


def take(folder: Path, ticket: str, *, patience_s: float = 0.2) -> int | None:
    """The locked file (keep it open), or None if this ticket must not run the attempt."""
    deadline = time.monotonic() + patience_s
    while (file := _lock(folder)) is None:
        # Somebody only looks, for microseconds; or another supervisor runs it.
        if ran(folder) or time.monotonic() > deadline:
            return None
        time.sleep(0.002)
    if ran(folder) or os.pread(file, 64, 0).decode() != ticket:
        os.close(file)
        return None
    return file


def withdraw(folder: Path, *, patience_s: float = 2.0) -> bool:
    """Make sure that no launch under way runs the attempt; False if it ran or runs.

    Waits while a supervisor holds the claim and has not yet said so.
    """
    deadline = time.monotonic() + patience_s
    while True:
        with _locked(folder) as file:
            if ran(folder):
                return False
            if file is not None:
                _write(file, "")
                return True
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)


def settle(folder: Path, exit_: Exit) -> bool:
    """End an attempt that nobody runs; False if somebody does, or did."""
    with _locked(folder) as file:
        if file is None or ran(folder):
            return False
        write_exit(folder, exit_)
        return True


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[int | None]:
    file = _lock(folder)
    try:
        yield file
    finally:
        if file is not None:
            os.close(file)


def _lock(folder: Path) -> int | None:
    file = os.open(folder / CLAIM, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return None
    except BaseException:
        os.close(file)
        raise
    return file


def _write(file: int, ticket: str) -> None:
    os.ftruncate(file, 0)
    os.pwrite(file, ticket.encode(), 0)
