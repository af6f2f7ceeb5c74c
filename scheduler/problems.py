"""Health problems in words, with advice: the same for /readyz, `fulcrum doctor` and logs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

LEAST_SHARE = 0.05
"""On a small disk this share of it is enough, even if it is below `least`."""
LEAST_FILES = 1000
"""New files that a disk must have room for."""


@dataclass(frozen=True, slots=True)
class HealthProblem:
    """One problem of the service or its machine."""

    part: str
    """`disk`, `store`, `executor`, `dispatcher`, `policy`, `pools`, `nodes`, `logs` or `checks`."""
    text: str
    """One sentence for a person."""
    advice: str = ""
    """What to do about it."""
    fatal: bool = True
    """Whether jobs cannot be accepted or started."""


def existing(path: Path) -> Path:
    """The path, or the nearest folder above it that exists."""
    return next(place for place in (path, *path.parents) if place.exists())


def free(path: Path) -> int:
    """Bytes that this user may still write where `path` is or will be; raises `OSError`."""
    figures = os.statvfs(existing(path))
    return figures.f_bavail * figures.f_frsize


def disks(places: Mapping[str, Path], least: int) -> Iterator[HealthProblem]:
    """The places (name → folder) with less than `least` bytes left; each disk is named once."""
    seen: set[int] = set()
    for name, path in places.items():
        try:
            place = existing(path)
            device, figures = place.stat().st_dev, os.statvfs(place)
        except OSError as error:
            yield HealthProblem(
                "disk", f"the {name} cannot be read: {error.strerror}", "repair its disk"
            )
            continue
        if device in seen:
            continue
        seen.add(device)
        left = figures.f_bavail * figures.f_frsize
        bound = min(least, int(figures.f_blocks * figures.f_frsize * LEAST_SHARE))
        advice = "free some: fulcrum du tells what takes it, fulcrum prune removes it"
        if left < bound:
            text = f"the disk of the {name} is nearly full: {_mebibytes(left)} left"
            yield HealthProblem("disk", f"{text}, {_mebibytes(bound)} are needed", advice)
        elif figures.f_files and figures.f_favail < min(LEAST_FILES, figures.f_files // 20):
            text = f"the disk of the {name} holds {figures.f_favail} more files only"
            yield HealthProblem("disk", text, advice)


def _mebibytes(count: int) -> str:
    return f"{count / 2**20:,.0f} MiB"
