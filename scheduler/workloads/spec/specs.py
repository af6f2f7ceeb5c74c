"""The parameters of a job, for everybody outside its process: check, resolve, profile.

Nothing here imports torch, so the service and every interface may import it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from scheduler.domain.errors import InputError
from scheduler.domain.jobs import JobKind
from scheduler.files import expanded
from scheduler.text import unknown
from scheduler.validation import summary, wrong_fields
from scheduler.workloads.spec.augmentation import Augmentation
from scheduler.workloads.spec.paths import MachineLook, PathLook, check_paths, needs
from scheduler.workloads.spec.profile import profile
from scheduler.workloads.spec.weights import OF_JOB, is_job_name
from scheduler.workloads.spec.work import (
    IMAGENET,
    WORK,
    CnnInferWork,
    CnnTrainWork,
    CommandWork,
    Work,
)

__all__ = [
    "WORK",
    "Augmentation",
    "CnnInferWork",
    "CnnTrainWork",
    "CommandWork",
    "MachineLook",
    "PathLook",
    "Work",
    "absolute",
    "check_paths",
    "is_job_name",
    "needs",
    "parse_work",
    "profile",
    "resolve",
    "resumable",
]


def parse_work(kind: JobKind | str, data: Mapping[str, Any]) -> Work:
    """The validated parameters; raises `InputError` whose fields start with `work.`."""
    try:
        model = WORK[JobKind(kind)]
    except ValueError:
        problem = unknown(f"kind of job {kind!r}", kind, WORK)
        raise InputError(problem, {"kind": problem}) from None
    try:
        return model.model_validate(data)
    except ValidationError as error:
        fields = wrong_fields(error.errors(include_url=False), model, prefix=("work",))
        raise InputError(summary(fields), fields) from None


def resumable(kind: JobKind, work: Mapping[str, Any]) -> bool:
    """Whether a later attempt goes on where an earlier one was stopped.

    A training does, by its checkpoints; a command does if its job says so.
    """
    return kind is JobKind.CNN_TRAIN or work.get("resumable") is True


def resolve(work: Mapping[str, Any], artifacts: Callable[[int], Path]) -> Mapping[str, Any]:
    """The work with the folder or file of each job's model in place of its number."""
    changed: dict[str, Any] = {}
    if work.get("models"):
        changed["models"] = [
            str(artifacts(item)) if isinstance(item, int) else item for item in work["models"]
        ]
    if isinstance(work.get("weights"), Mapping):
        changed["weights"] = str(artifacts(work["weights"]["job"]) / "model.pt")
    return {**work, **changed} if changed else work


def absolute(work: Mapping[str, Any], base: Path) -> Mapping[str, Any]:
    """The work with every relative path in it joined to `base` and `~` filled in.

    For interfaces on the submitting side, where a path starts at the submitter's folder. A text
    in `models` that is no path there stays: it names a job.
    """

    def full(path: str) -> str:
        return os.path.normpath(base / expanded(path))

    def each(value: Any) -> Any:
        if isinstance(value, str):
            is_path = value != IMAGENET and not value.startswith(OF_JOB) and not value.isdecimal()
            return full(value) if is_path else value
        if isinstance(value, list | tuple):
            return [each(item) for item in value]
        return value

    def model(item: Any) -> Any:
        is_name = isinstance(item, str) and is_job_name(item) and not os.path.isdir(full(item))  # noqa: PTH112 - never raises
        return item if is_name else each(item)

    changed = {name: each(work[name]) for name in ("weights", "cwd") if name in work}
    if "models" in work:
        named = work["models"]
        changed["models"] = (
            [model(item) for item in named] if isinstance(named, list | tuple) else model(named)
        )
    for name in ("dataset", "data"):
        text = work.get(name)
        if isinstance(text, str) and text.startswith("folder:") and len(text) > len("folder:"):
            changed[name] = f"folder:{full(text.removeprefix('folder:'))}"
    return {**work, **changed}
