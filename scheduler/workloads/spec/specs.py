"""The parameters of a job, for everybody outside its process: check, resolve, profile.

Nothing here imports torch, so doors and service may.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from scheduler.domain.errors import InputError
from scheduler.domain.jobs import JobKind
from scheduler.files import expanded
from scheduler.workloads.image_folders.outline import Look
from scheduler.workloads.spec.paths import check_paths
from scheduler.workloads.spec.profile import profile
from scheduler.workloads.spec.work import (
    IMAGENET,
    WORK,
    Augmentation,
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
    "Look",
    "Work",
    "absolute",
    "check_paths",
    "parse_work",
    "profile",
    "references",
    "resolve",
]


def parse_work(kind: JobKind | str, data: Mapping[str, Any]) -> Work:
    """The validated parameters; raises `InputError` whose fields start with `work.`."""
    try:
        model = WORK[JobKind(kind)]
    except ValueError:
        legal = ", ".join(WORK)
        raise InputError(
            f"unknown kind of job {kind!r}", {"kind": f"unknown; legal: {legal}"}
        ) from None
    try:
        return model.model_validate(data)
    except ValidationError as error:
        fields = _fields(model, error)
        name, problem = next(iter(fields.items()))
        more = f" (and {len(fields) - 1} more)" if len(fields) > 1 else ""
        raise InputError(f"{name}: {problem}{more}", fields) from None


def references(work: Mapping[str, Any]) -> tuple[int, ...]:
    """Jobs whose results this work reads; it can only run after them."""
    models = work.get("models") or ()
    return tuple(dict.fromkeys(item for item in models if isinstance(item, int)))


def resolve(work: Mapping[str, Any], artifacts: Callable[[int], Path]) -> Mapping[str, Any]:
    """The work with every job number replaced by that job's artifacts folder."""
    if not references(work):
        return work
    models = [str(artifacts(item)) if isinstance(item, int) else item for item in work["models"]]
    return {**work, "models": models}


def absolute(work: Mapping[str, Any], base: Path) -> Mapping[str, Any]:
    """The work with every relative path in it joined to `base` and `~` filled in.

    For doors on the submitting side: a path there is meant from the submitter's folder.
    """

    def full(path: str) -> str:
        return os.path.normpath(base / expanded(path))

    def each(value: Any) -> Any:
        if isinstance(value, str):
            return value if value == IMAGENET or value.isdecimal() else full(value)
        if isinstance(value, list | tuple):
            return [each(item) for item in value]
        return value

    changed = {name: each(work[name]) for name in ("weights", "models", "cwd") if name in work}
    for name in ("dataset", "data"):
        text = work.get(name)
        if isinstance(text, str) and text.startswith("folder:") and len(text) > len("folder:"):
            changed[name] = f"folder:{full(text.removeprefix('folder:'))}"
    return {**work, **changed}


def _fields(model: type[BaseModel], error: ValidationError) -> dict[str, str]:
    """Field path → what is wrong and what is legal."""
    found: dict[str, str] = {}
    for item in error.errors(include_url=False, include_context=False):
        *parents, name = item["loc"] or ("",)
        path = ".".join(str(part) for part in ("work", *item["loc"]))
        message = item["msg"].removeprefix("Value error, ")
        if item["type"] == "extra_forbidden":
            legal = list((_nested(model, parents) or model).model_fields)
            close = difflib.get_close_matches(str(name), legal, n=1)
            hint = f"did you mean {close[0]!r}? " if close else ""
            message = f"unknown field; {hint}legal: {', '.join(legal)}"
        elif item["type"] == "missing":
            message = "is required"
        found.setdefault(path, message)
    return found


def _nested(model: type[BaseModel], parents: list[int | str]) -> type[BaseModel] | None:
    for parent in parents:
        field = model.model_fields.get(str(parent))
        if field is None or not isinstance(field.annotation, type):
            return None
        if not issubclass(field.annotation, BaseModel):
            return None
        model = field.annotation
    return model
