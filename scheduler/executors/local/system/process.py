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
from typing import Any

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_PR_SET_CHILD_SUBREAPER = 36
_PR_GET_CHILD_SUBREAPER = 37


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """One process, never mistaken for a later one with the same pid."""

    pid: int
    ticks: int
    """Start time in clock ticks since the machine's boot."""
    boot: str
    """Identifier of that boot."""
    machine: str = ""
    """Identifier of the machine; empty if it has none, and in records of before it was kept."""

    @classmethod
    def of(cls, pid: int) -> ProcessIdentity | None:
        """None if there is no such process or it is only a zombie."""
        stat = Stat.of(pid)
        return None if stat is None or stat.dead else cls(pid, stat.ticks, _boot(), _machine())

    @property
    def alive(self) -> bool:
        """Whether this very process still runs."""
        found = ProcessIdentity.of(self.pid)
        return found is not None and (found.ticks, found.boot) == (self.ticks, self.boot)

    @property
    def this_boot(self) -> bool:
        """Whether it is of the time since the machine was started last."""
        return self.boot == _boot()

    @property
    def elsewhere(self) -> bool:
        """Whether it is a process of another machine, which nobody can see or end from here."""
        known = self.machine and _machine()
        return bool(known) and not self.this_boot and self.machine != _machine()

    @property
    def doubtful(self) -> bool:
        """Whether it is of another machine, or of this one before a restart: nothing tells."""
        return not self.this_boot and not (self.machine and _machine())

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

    def pending(self, signum: int) -> bool:
        """Whether a signal was sent to this process that it has not taken yet."""
        if not self.alive:
            return False
        try:
            lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        except OSError:
            return False
        masks = [int(line[7:], 16) for line in lines if line.startswith(("SigPnd:", "ShdPnd:"))]
        return any(mask >> (signum - 1) & 1 for mask in masks)


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


def leftovers(worker: ProcessIdentity | None, tag: bytes | None) -> list[int]:
    """What remains of a worker whose supervisor died.

    That is itself and its session, unless nobody knows it, and programs whose environment holds
    `tag` (`NAME=value`) because they were started below it.
    """
    if worker is not None and not worker.this_boot:
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


def holders(path: Path) -> list[int]:
    """Processes, other than this one, that have the file open."""
    own, name = os.getpid(), str(path.resolve())
    return [stat.pid for stat in everything() if stat.pid != own and name in open_files(stat.pid)]


def adopts_orphans() -> bool:
    """Whether processes that lose their parent become children of this one."""
    if os.getpid() == 1:
        return True
    answer = ctypes.c_int()
    _prctl(_PR_GET_CHILD_SUBREAPER, ctypes.byref(answer))
    return bool(answer.value)


def reap_orphans(own: Collection[int | None] = ()) -> None:
    """Collect ended children that this process did not start; `own` are some that it did.

    Orphans of fork servers and attempts have sessions of their own, which other children of this
    process share with it.
    """
    pid, session = os.getpid(), os.getsid(0)
    for stat in everything():
        if (
            stat.parent == pid
            and stat.state == "Z"
            and stat.session != session
            and stat.pid not in own
        ):
            with contextlib.suppress(ChildProcessError):
                os.waitpid(stat.pid, os.WNOHANG)


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


def processor_ticks(pid: int) -> int:
    """Processor time that a process has used so far, in clock ticks; 0 if there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])


def threads() -> int:
    """Of this process, native ones included."""
    return sum(1 for _ in Path("/proc/self/task").iterdir())


def _environment(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _prctl(option: int, value: Any) -> None:
    if _libc().prctl(option, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


@cache
def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


@cache
def _machine() -> str:
    """See machine-id(5); empty where it is missing, as in many containers."""
    try:
        return Path("/etc/machine-id").read_text().strip()
    except OSError:
        return ""
