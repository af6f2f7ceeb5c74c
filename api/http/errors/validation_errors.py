"""Which fields of a request are wrong and what is legal, from what validation found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from api.schemas import CnnInferJob, CnnTrainJob, CommandJob, JobCommon
from api.schemas.groups.sweep_requests import (
    LIST,
    RANGE,
    AnySweep,
    CnnTrainSweep,
    CommandSweep,
    RangeIn,
)
from scheduler.domain.jobs import JobKind
from scheduler.text import unknown
from scheduler.validation import wrong_fields

KINDS: Mapping[str, type[JobCommon]] = {
    JobKind.CNN_TRAIN.value: CnnTrainJob,
    JobKind.CNN_INFER.value: CnnInferJob,
    JobKind.COMMAND.value: CommandJob,
}
SWEEPS: Mapping[str, type[BaseModel]] = {
    JobKind.CNN_TRAIN.value: CnnTrainSweep,
    JobKind.COMMAND.value: CommandSweep,
    LIST: RangeIn,  # what is wrong in a list names no field
    RANGE: RangeIn,
}

_ORIGINS = frozenset({"body", "query", "path", "header", "cookie"})

Errors = Iterable[ErrorDetails | Mapping[str, Any]]


def fields_of(errors: Errors, root: Any = None) -> dict[str, str]:
    """Field path → what is wrong and what is legal; `root` is the body's model."""
    tags = SWEEPS if root == AnySweep else KINDS
    found = wrong_fields(_expanded(errors), root, tags=tags)
    return {path or "body": message for path, message in found.items()}


def _expanded(errors: Errors) -> Iterator[Mapping[str, Any]]:
    """The errors without their origins.

    A wrong kind hides what is wrong in the fields that every kind has; their errors are added.
    """
    for error in errors:
        loc = tuple(error["loc"])
        if loc and loc[0] in _ORIGINS:
            loc = loc[1:]
        if not error["type"].startswith("union_tag"):
            yield {**error, "loc": loc}
            continue
        body = error["input"] if isinstance(error["input"], Mapping) else {}
        tags = str(error.get("ctx", {}).get("expected_tags", ""))
        legal = [tag.strip(" '") for tag in tags.split(",") if tag] or list(KINDS)
        message = _wrong_kind(body.get("kind"), legal)
        yield {"type": "value_error", "loc": (*loc, "kind"), "msg": message}
        if body:
            common = {k: v for k, v in body.items() if k not in ("kind", "work")}
            try:
                JobCommon.model_validate(common)
            except ValidationError as more:
                for each in more.errors(include_url=False):
                    # Any kind's tag will do: it says where the legal names are.
                    yield {**each, "loc": (*loc, JobKind.COMMAND.value, *each["loc"])}


def _wrong_kind(given: object, legal: Sequence[str]) -> str:
    if given is None:
        return f"is required; legal: {', '.join(legal)}"
    return unknown(f"kind {given!r}", str(given), legal)
