"""What the kernel lets this process have: CPUs and memory, by affinity and control groups."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import psutil

ROOT = Path("/")
UNLIMITED = 1 << 60
"""cgroup v1 spells `no limit` as a number near 2^63; anything this big is no limit."""


def usable_cpus(root: Path = ROOT) -> tuple[int, ...]:
    """Numbers of the CPUs this process may run on, ascending, at least one.

    The affinity mask (which a cpuset also narrows), cut to the whole CPUs of the tightest CFS
    quota: a container with `--cpus 2` on a machine of 64 has two.
    """
    try:
        allowed = sorted(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        allowed = list(range(os.cpu_count() or 1))
    quota = cpu_quota(root)
    count = len(allowed) if quota is None else max(1, min(len(allowed), int(quota)))
    return tuple(allowed[:count])


def usable_memory(root: Path = ROOT) -> int:
    """Bytes of host memory: what the machine has, or the tightest control group's limit."""
    limits = [int(psutil.virtual_memory().total)]
    for folder in _groups(root, "memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            value = _number(folder / name)
            if value is not None and 0 < value < UNLIMITED:
                limits.append(int(value))
    return min(limits)


def cpu_quota(root: Path = ROOT) -> float | None:
    """CPUs' worth of time that the tightest control group grants; None: not limited."""
    quotas = [
        quota
        for folder in _groups(root, "cpu")
        for quota in (_quota_v2(folder), _quota_v1(folder))
        if quota is not None
    ]
    return min(quotas, default=None)


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """Folders of this process's control group and all above it, in version 2 and version 1."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    mount = root / "sys/fs/cgroup"
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if not controllers:
            base = mount
        elif controller in controllers.split(","):
            # Mounted under the whole list of controllers or under a link of the one's name.
            base = next(
                (mount / name for name in (controllers, controller) if (mount / name).is_dir()),
                mount / controller,
            )
        else:
            continue
        parts = [part for part in path.split("/") if part not in ("", "..")]
        # Inside a container the path may be the host's: the mount's root is ours then.
        for depth in range(len(parts), -1, -1):
            folder = base.joinpath(*parts[:depth])
            if folder.is_dir():
                yield folder


def _quota_v2(folder: Path) -> float | None:
    try:
        quota, period = (folder / "cpu.max").read_text().split()
        return float(quota) / float(period)
    except (OSError, ValueError, ZeroDivisionError):
        return None  # no such file, or `max 100000`


def _quota_v1(folder: Path) -> float | None:
    quota = _number(folder / "cpu.cfs_quota_us")
    period = _number(folder / "cpu.cfs_period_us")
    return quota / period if quota and period and quota > 0 else None


def _number(path: Path) -> float | None:
    try:
        return float(path.read_text())
    except (OSError, ValueError):
        return None
