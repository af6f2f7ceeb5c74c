"""Which fields are wrong and what is legal, from what validation found."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from api.schemas import CnnInferJob, CnnTrainJob, CommandJob, JobCommon
from scheduler.domain.jobs import JobKind

KINDS: Mapping[str, type[JobCommon]] = {
    JobKind.CNN_TRAIN.value: CnnTrainJob,
    JobKind.CNN_INFER.value: CnnInferJob,
    JobKind.COMMAND.value: CommandJob,
}

_ORIGINS = frozenset({"body", "query", "path", "header", "cookie"})
_KEY = "[key]"
"""Ends the place of a mapping's wrong name; the name itself stands before it."""
_UNION_MARKS = frozenset({"int", "str", "constrained-int", "constrained-str"})


def fields_of(
    errors: Iterable[ErrorDetails | Mapping[str, Any]], root: type[BaseModel] | None = None
) -> dict[str, str]:
    """Field path → what is wrong and what is legal; `root` is the body's model."""
    found: dict[str, str] = {}
    for error in errors:
        loc = list(error["loc"])
        if error["type"].startswith("union_tag"):
            found |= _unknown_kind(loc, error)
            continue
        path = _path(loc)
        message = _message(error, loc, root)
        if path in found and loc[-1:] and loc[-1] in _UNION_MARKS:
            message = f"{found[path]}, or {message[0].lower()}{message[1:]}"
        found[path] = message
    return found


def summary(fields: Mapping[str, str]) -> str:
    """One sentence for all wrong fields."""
    name, message = next(iter(fields.items()))
    more = f" (and {len(fields) - 1} more)" if len(fields) > 1 else ""
    return f"{name}: {message}{more}"


def as_model(annotation: Any) -> type[BaseModel] | None:
    """The annotation itself if it is a model."""
    known = isinstance(annotation, type) and issubclass(annotation, BaseModel)
    return annotation if known else None


def _unknown_kind(loc: list[int | str], error: Mapping[str, Any]) -> dict[str, str]:
    """The wrong kind, and with it what is wrong in the fields that every kind has."""
    path = _path([*loc, "kind"])
    given = error["input"].get("kind") if isinstance(error["input"], Mapping) else None
    legal = ", ".join(KINDS)
    close = difflib.get_close_matches(str(given), list(KINDS), n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    found = {
        path: f"unknown kind {given!r}; {hint}legal: {legal}"
        if given is not None
        else f"is required; legal: {legal}"
    }
    if isinstance(error["input"], Mapping):
        rest = {k: v for k, v in error["input"].items() if k not in ("kind", "work")}
        try:
            JobCommon.model_validate(rest)
        except ValidationError as more:
            prefix = path.removesuffix("kind")
            fields = fields_of(more.errors(include_url=False), JobCommon)
            found |= {f"{prefix}{name}": message for name, message in fields.items()}
    return found


def _path(loc: Sequence[int | str]) -> str:
    """`("body", "jobs", 2, "cnn-train", "work", "epochs")` → `jobs.2.work.epochs`."""
    kept = [part for part in _plain(loc) if part != _KEY]
    while len(kept) > 1 and kept[-1] in _UNION_MARKS:
        kept = kept[:-1]
    return ".".join(map(str, kept)) or "body"


def _plain(loc: Sequence[int | str]) -> list[int | str]:
    """The place without its origin and without pydantic's tags for kinds of jobs."""
    rest = list(loc[1:]) if loc[:1] and loc[0] in _ORIGINS else list(loc)
    tag = 2 if len(rest) > 2 and rest[0] == "jobs" else 0
    if tag < len(rest) and rest[tag] in KINDS:
        del rest[tag]
    return rest


def _message(
    error: Mapping[str, Any], loc: Sequence[int | str], root: type[BaseModel] | None
) -> str:
    if error["type"] == "extra_forbidden":
        model = _model_at(loc, root)
        legal = list(model.model_fields) if model else []
        close = difflib.get_close_matches(str(loc[-1]), legal, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        return f"unknown field; {hint}legal: {', '.join(legal)}" if legal else "unknown field"
    if error["type"] == "missing":
        return "is required"
    return str(error["msg"]).removeprefix("Value error, ")


def _model_at(loc: Sequence[int | str], root: type[BaseModel] | None) -> type[BaseModel] | None:
    """The model that holds the last part of `loc`."""
    model = root
    for part in loc[:-1]:
        if part in KINDS and (model is None or part not in model.model_fields):
            model = KINDS[str(part)]
        elif model is not None and part in model.model_fields:
            model = as_model(model.model_fields[str(part)].annotation)
    return model
