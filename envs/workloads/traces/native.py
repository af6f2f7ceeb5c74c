"""Fulcrum's own trace format: JSON lines, one job each, with every field of a workload.

    {"submitted_at": 0.0, "runs": [["NVIDIA A10", 1, 84.2], ["cpu", 4, 910.0]], "kind": "…", …}

A run is device, width, seconds. Fields as in `Arrival`; absent ones have their defaults.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from envs.workloads.base import Arrival, Workload, WorkloadRun
from envs.workloads.traces.documents import LARGEST, Document, Rejects, open_document
from envs.workloads.traces.documents import workload as ordered
from scheduler.domain.errors import InputError

_DEFAULTS = {
    field.name: field.default for field in fields(Arrival) if field.name not in ("id", "runs")
}
_TEXTS = ("kind", "user", "project")
_MAYBE = ("requested_s", "deadline", "preference", "expected_s")
_MOST_PRIORITY = 100


def write(workload: Workload, path: Path | str) -> None:
    """Write the jobs, gzipped if the name ends in `.gz`. Raises `InputError` if that fails."""
    path = Path(path).expanduser()
    text = "".join(f"{json.dumps(_plain(job), ensure_ascii=False)}\n" for job in workload.jobs)
    data = text.encode()
    try:
        # No time in the header: equal workloads give equal files.
        path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error}", {"output": "a file"}) from None


def read(path: Path | str, *, strict: bool = False, processors: int | None = None) -> Workload:
    """Jobs of a file; see `parse`."""
    return parse(open_document(path), strict=strict, processors=processors)


def parse(document: Document, *, strict: bool = False, processors: int | None = None) -> Workload:
    """Jobs of a text; runs wider than `processors` are left out, and jobs without a run.

    Raises `InputError` if no job is left, or with `strict` for the first bad line.
    """
    rejects = Rejects(document, strict=strict)
    rows: list[tuple[float, dict[str, Any]]] = []
    # Not splitlines(): JSON may hold U+2028, which is no end of a line here.
    for line, text in enumerate(document.text.split("\n"), 1):
        if not text.strip():
            continue
        try:
            rows.append(_job(json.loads(text), processors))
        except (ValueError, RecursionError) as error:
            rejects.add(line, error)
    origin = min((submitted for submitted, _ in rows), default=0.0)
    for _, job in rows:
        if job["deadline"] is not None:
            job["deadline"] -= origin
    return ordered(document, rows, rejects)


def _plain(job: Arrival) -> dict[str, Any]:
    values = {name: getattr(job, name) for name in _DEFAULTS}
    kept = {name: value for name, value in values.items() if value != _DEFAULTS[name]}
    return {
        "submitted_at": job.submitted_at,
        "runs": [[run.device, run.width, run.runtime_s] for run in job.runs],
        **kept,
    }


def _job(line: Any, limit: int | None) -> tuple[float, dict[str, Any]]:
    if not isinstance(line, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - a bad line, not a bad program
    unknown = sorted(line.keys() - _DEFAULTS.keys() - {"runs"})
    if unknown:
        raise ValueError(f"unknown field {unknown[0][:40]!r}")
    submitted = _figure(line, "submitted_at", None)
    fields_: dict[str, Any] = {"runs": _runs(line.get("runs"), limit)}
    for name in _TEXTS:
        value = fields_[name] = line.get(name, _DEFAULTS[name])
        if not isinstance(value, str):
            raise ValueError(f"{name} is not a text")  # noqa: TRY004
    for name in _MAYBE:
        value = line.get(name)
        fields_[name] = None if value is None else _figure(line, name, None)
    fields_["memory_bytes"] = int(_figure(line, "memory_bytes", 0))
    fields_["priority"] = _figure(line, "priority", _DEFAULTS["priority"])
    for name in ("memory_bytes", "requested_s", "expected_s"):
        if (fields_[name] or 0) < 0:
            raise ValueError(f"{name} is negative")
    if not 0 <= fields_["priority"] <= _MOST_PRIORITY:
        raise ValueError("priority is not in 0…100")
    if not 0 <= (fields_["preference"] or 0) <= 1:
        raise ValueError("preference is not in 0…1")
    return submitted, fields_


def _runs(value: Any, limit: int | None) -> tuple[WorkloadRun, ...]:
    if not isinstance(value, list) or not value:
        raise ValueError("runs is not a list of [device, width, seconds]")
    runs = []
    for one in value:
        if not isinstance(one, list) or len(one) != 3 or not isinstance(one[0], str) or not one[0]:
            raise ValueError("a run is not [device, width, seconds]")
        named = {"width": one[1], "runtime": one[2]}
        width, runtime = _figure(named, "width", None), _figure(named, "runtime", None)
        if not width.is_integer() or width < 1 or runtime < 0:
            raise ValueError("a run's width is not a whole number ≥ 1, or its runtime is negative")
        if limit is None or width <= limit:
            runs.append(WorkloadRun(one[0], int(width), runtime))
    if not runs:
        raise ValueError(f"wider than the machine, which has {limit} devices")
    return tuple(runs)


def _figure(line: Mapping[str, Any], name: str, default: Any) -> float:
    value = line.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} is not a number")  # noqa: TRY004
    if not -LARGEST < value < LARGEST:
        raise ValueError(f"{name} is out of range")
    return float(value)
