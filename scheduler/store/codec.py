"""Domain values ⇄ plain JSON: what is kept inside the JSON columns of a store.

Every `…_json` function returns values that `json.dumps(…, allow_nan=False)` accepts; the function
of the same name without the suffix reads them back, equal to what was given. A field that was
added to a value later takes its default when an older row is read.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from scheduler.domain.errors import InputError
from scheduler.domain.jobs import JobKind, JobSpec, Profile, Retry
from scheduler.domain.notifications import Notify, Occasion
from scheduler.domain.records import Row
from scheduler.domain.resources import Request
from scheduler.text import unstorable

LARGEST_INT = 2**63 - 1
"""The largest whole number that a database column holds."""


_ENCODER = json.JSONEncoder(allow_nan=False, separators=(",", ":"))


def dumps(value: Any) -> str:
    """Compact JSON in ASCII. Raises ValueError or TypeError for what JSON does not know."""
    return _ENCODER.encode(value)


def exact(value: Any, field: str) -> Any:
    """A copy of `value` as JSON gives it back (tuples become lists).

    Raises `InputError` naming `field` if it holds anything that JSON does not know.
    """
    try:
        return json.loads(dumps(value))
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(
            f"{field} cannot be stored: {error}",
            {field: "text, finite numbers, true, false, null, and lists and objects of them"},
        ) from None


def stored(spec: JobSpec) -> JobSpec:
    """The spec as a store gives it back: an independent copy, checked.

    Raises `InputError` naming the field that cannot be stored.
    """
    return stored_with_text(spec)[0]


def stored_with_text(spec: JobSpec) -> tuple[JobSpec, str]:
    """`stored`, and the JSON text that it is read from."""
    if spec.request.memory_bytes > LARGEST_INT:
        raise InputError(
            "memory is more than any machine has", {"memory": f"bytes from 0 to {LARGEST_INT}"}
        )
    data = job_spec_json(spec)
    try:
        text = dumps(data)
        found = job_spec(json.loads(text))
    except (TypeError, ValueError, RecursionError):
        for field, value in data.items():
            exact(value, field)
        raise
    if "\\u" in text:  # most specs are ASCII: nothing is wrong with their text
        for field, problem in (odd for name in data for odd in unstorable(data[name], name)):
            raise InputError(f"{field} {problem}", {field: problem})
    return found, text


def job_spec_json(spec: JobSpec) -> dict[str, Any]:
    """All fields of the spec."""
    return {
        **_fields(spec),
        "work": dict(spec.work),
        "profile": _fields(spec.profile),
        "request": _fields(spec.request),
        "retry": _fields(spec.retry),
        "notify": _fields(spec.notify),
    }


def job_spec(data: Mapping[str, Any]) -> JobSpec:
    """Inverse of `job_spec_json`."""
    request = dict(data["request"])
    values = {
        **data,
        "kind": JobKind(data["kind"]),
        "profile": Profile(**data["profile"]),
        "request": Request(**{**request, "devices": tuple(request["devices"])}),
        "after": tuple(data["after"]),
        "retry": Retry(**data["retry"]),
    }
    if "notify" in data:
        told = data["notify"]
        values["notify"] = Notify(tuple(told["to"]), tuple(map(Occasion, told["on"])))
    return JobSpec(**values)


def row_json(row: Row) -> dict[str, Any]:
    """All fields of a candidate row; infinite figures (no deadline) as text."""
    content = {
        "job": int(row.job),
        "pool": row.pool,
        "width": int(row.width),
        "score": _number(row.score),
        "values": {name: _number(value) for name, value in row.values.items()},
    }
    if row.terms:
        content["terms"] = {name: _number(value) for name, value in row.terms.items()}
    if row.text:
        content["text"] = row.text
    return content


def row(data: Mapping[str, Any]) -> Row:
    """Inverse of `row_json`."""
    values = {name: float(value) for name, value in data["values"].items()}
    terms = {name: float(value) for name, value in data.get("terms", {}).items()}
    return Row(
        job=data["job"],
        pool=data["pool"],
        width=data["width"],
        score=float(data["score"]),
        values=values,
        terms=terms,
        text=data.get("text", ""),
    )


def _fields(value: JobSpec | Profile | Request | Retry | Notify) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__slots__}


def _number(value: float) -> float | str:
    number = float(value)
    return number if math.isfinite(number) else str(number)
