"""Memory that an attempt's processes take."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

_PAGE = os.sysconf("SC_PAGE_SIZE")


def resident(pids: Collection[int]) -> int:
    """Sum of resident sizes (bytes); pages that processes share count once for each."""
    return sum(_resident(pid) for pid in pids)


def exceeds(pids: Collection[int], limit: int) -> bool:
    """Whether the processes together take more than `limit` bytes.

    A worker shares its imported libraries with the fork server it came from, so what counts is
    the proportional size (PSS): of a shared page only its share. It is costly to ask for, and
    never above the resident size, which is looked at first.
    """
    return resident(pids) > limit and sum(_proportional(pid) for pid in pids) > limit


def oom_kills() -> int:
    """Processes the kernel killed for memory so far, in this control group or machine."""
    for path in (_cgroup() / "memory.events", Path("/proc/vmstat")):
        try:
            lines = path.read_text().splitlines()
        except OSError:
            continue
        for line in lines:
            name, _, value = line.partition(" ")
            if name == "oom_kill":
                return int(value)
    return 0


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_bytes().split()[1]) * _PAGE
    except OSError:
        return 0


def _proportional(pid: int) -> int:
    try:
        with Path(f"/proc/{pid}/smaps_rollup").open("rb") as lines:
            return next((int(line.split()[1]) * 1024 for line in lines if line[:4] == b"Pss:"), 0)
    except OSError:  # it ended meanwhile
        return 0


def _cgroup() -> Path:
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        lines = []
    for line in lines:
        if line.startswith("0::"):
            return Path("/sys/fs/cgroup") / line[3:].lstrip("/")
    return Path("/sys/fs/cgroup")
