"""Processes as Linux shows them: identity beyond the pid, descendants, signals.

Read straight from /proc: a look at one process costs microseconds, and a pid alone may already
belong to somebody else.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True, slots=True)
class Identity:
    """One process, never mistaken for a later one with the same pid."""

    pid: int
    ticks: int
    """Start time in clock ticks since the machine's boot."""
    boot: str
    """Identifier of that boot."""

    @classmethod
    def of(cls, pid: int) -> Identity | None:
        """None if there is no such process or it is only a zombie."""
        stat = Stat.of(pid)
        return None if stat is None or stat.dead else cls(pid, stat.ticks, _boot())

    @property
    def alive(self) -> bool:
        """Whether this very process still runs."""
        return Identity.of(self.pid) == self

    def send(self, signum: int) -> bool:
        """Signal exactly this process; False if it is gone."""
        try:
            handle = os.pidfd_open(self.pid)
        except (OSError, OverflowError):  # gone, or never a pid
            return False
        try:
            # The handle pins the process, so nothing can take its place after this look.
            if not self.alive:
                return False
            signal.pidfd_send_signal(handle, signum)
        except ProcessLookupError:
            return False
        finally:
            os.close(handle)
        return True


@dataclass(frozen=True, slots=True)
class Stat:
    """The fields of /proc/PID/stat that matter here; see proc_pid_stat(5)."""

    pid: int
    state: str
    parent: int
    session: int
    ticks: int

    @classmethod
    def of(cls, pid: int) -> Stat | None:
        """None if there is no such process."""
        try:
            text = Path(f"/proc/{pid}/stat").read_bytes()
        except OSError:
            return None
        # The name in parentheses may itself hold spaces and parentheses.
        fields = text[text.rindex(b")") + 2 :].split()
        return cls(pid, fields[0].decode(), int(fields[1]), int(fields[3]), int(fields[19]))

    @property
    def dead(self) -> bool:
        """A zombie waits for its parent only."""
        return self.state in "ZX"


def everything() -> Iterator[Stat]:
    """All processes that can be seen."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and (stat := Stat.of(int(entry.name))) is not None:
            yield stat


def descendants(pid: int) -> list[int]:
    """Children, their children and so on; not `pid` itself, no zombies."""
    children = defaultdict(list)
    for stat in everything():
        children[stat.parent].append(stat)
    found = []
    front = [pid]
    while front:
        for stat in children[front.pop()]:
            front.append(stat.pid)
            if not stat.dead:
                found.append(stat.pid)
    return found


def leftovers(worker: Identity | None, tag: bytes | None) -> list[int]:
    """What remains of a worker whose supervisor died.

    That is itself and its session, unless nobody knows it, and programs whose environment holds
    `tag` (`NAME=value`) because they were started below it.
    """
    if worker is not None and worker.boot != _boot():
        return []
    leader = None if worker is None else Stat.of(worker.pid)
    # A pid is not given out again while it names a session, so members without a leader are
    # ours; a leader that started at another time is somebody else's.
    ours = worker is not None and (leader is None or leader.ticks == worker.ticks)
    session = worker.pid if worker is not None and ours else None
    own = os.getpid()
    return [
        stat.pid
        for stat in everything()
        if stat.pid != own
        and not stat.dead
        and (stat.session == session or tag in _environment(stat.pid))
    ]


def name_of(pid: int) -> str:
    """As `name_process` set it; empty if there is no such process."""
    try:
        return Path(f"/proc/{pid}/comm").read_text(errors="replace").rstrip("\n")
    except OSError:
        return ""


def open_files(pid: int) -> set[str]:
    """Names of the files that a process has open."""
    found = set()
    with contextlib.suppress(OSError):
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                found.add(str(entry.readlink()))
    return found


def kill(pids: Collection[int], signum: int = signal.SIGKILL) -> None:
    """Signal all; those already gone do not matter."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signum)


def name_process(name: str) -> None:
    """What `ps -o comm` and `top` show; cut to 15 bytes by the kernel."""
    _prctl(_PR_SET_NAME, name.encode())


def become_subreaper() -> None:
    """Orphaned descendants become own children, so none escapes by daemonising."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent() -> None:
    """The kernel kills this process when its parent dies."""
    _prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))


def threads() -> int:
    """Of this process, native ones included."""
    return sum(1 for _ in Path("/proc/self/task").iterdir())


def _environment(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _prctl(option: int, value: int | bytes) -> None:
    if _libc().prctl(option, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


@cache
def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
