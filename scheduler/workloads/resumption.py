"""The checkpoints of an earlier job, for a job that repeats it and goes on where it was."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from scheduler.domain.errors import InputError
from scheduler.executors.base import LaunchSpec
from scheduler.ownership import fences

CHECKPOINTS = "checkpoints"
"""In a job's folder: what its attempts save for later ones."""
FROM_SCRATCH = "repeat the job with --from-scratch (HTTP: from_scratch) to begin again"
"""What helps when a job cannot go on from another one's checkpoints."""
_TAKEN = ".checkpoints-taken"
"""In a job's folder: the checkpoints of the earlier job were copied."""


def take_over(spec: LaunchSpec) -> None:
    """Copy the checkpoints that the job goes on from into its folder, once for all attempts.

    They are there whole or not at all. What the earlier job wrote stays as it is. Raises
    `InputError` if they are gone, `SupersededError` if a newer attempt of the job was launched,
    `OSError`.
    """
    source, target = spec.resume_from, spec.shared / CHECKPOINTS
    if source is None or (spec.shared / _TAKEN).exists() or _filled(target):
        return
    earlier = source.parent.name
    if not _filled(source):
        problem = f"the checkpoints of job {earlier} are gone; {FROM_SCRATCH}"
        raise InputError(problem, {"resume_from": problem})
    for draft in spec.shared.glob(f".{CHECKPOINTS}.*.tmp"):  # of an attempt that was killed
        shutil.rmtree(draft, ignore_errors=True)
    beside = spec.shared / f".{CHECKPOINTS}.{os.urandom(4).hex()}.tmp"
    try:
        shutil.copytree(source, beside, symlinks=True, ignore=_special)
        fences.check(spec.shared, spec.attempt, spec.nonce)
        beside.rename(target)  # over an empty folder, if another rank has made one
    except OSError:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    (spec.shared / _TAKEN).touch()
    print(f"goes on from the checkpoints of job {earlier}", flush=True)


def _filled(folder: Path) -> bool:
    with suppress(OSError):
        return any(folder.iterdir())
    return False


def _special(folder: str, names: Sequence[str]) -> list[str]:
    """Pipes, sockets and devices, which cannot be copied."""
    paths = {name: Path(folder, name) for name in names}
    return [
        name
        for name, path in paths.items()
        if not (path.is_symlink() or path.is_file() or path.is_dir())
    ]
