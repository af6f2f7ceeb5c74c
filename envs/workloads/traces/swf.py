"""Standard Workload Format: logs of parallel computers, one job a line, 18 columns.

Chapin et al., "Benchmarks and standards for the evaluation of parallel job schedulers", JSSPP
1999; https://www.cs.huji.ac.il/labs/parallel/workload/swf.html. -1 means unknown.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from envs.workloads.base import Workload, WorkloadRun
from envs.workloads.traces.documents import (
    Document,
    Rejects,
    figure,
    open_document,
    whole,
    workload,
)
from scheduler.domain.resources import ANY

COLUMNS = 18
_HEADER = re.compile(
    r"^;\s*(MaxProcs|MaxNodes):\s*(\d{1,9}(?:,\d{3})*)(?![\w,])", re.IGNORECASE | re.MULTILINE
)


def read(path: Path | str, *, strict: bool = False, processors: int | None = None) -> Workload:
    """Jobs of a log; see `parse`."""
    return parse(open_document(path), strict=strict, processors=processors)


def parse(document: Document, *, strict: bool = False, processors: int | None = None) -> Workload:
    """Jobs of a log: any device, width = processors.

    `processors` is the machine's size, by default what the header says; wider jobs are left out.
    The requested processors count, or the allocated ones where they are unknown; likewise the
    requested time, or the run time. Work is equal if its application and user are. Raises
    `InputError` if no job is left, or with `strict` for the first bad row.
    """
    limit = processors or machine_size(document)
    rejects = Rejects(document, strict=strict)
    rows: list[tuple[float, dict[str, Any]]] = []
    for line, text in enumerate(document.text.splitlines(), 1):
        fields = text.split()
        if not fields or fields[0].startswith(";"):
            continue
        try:
            rows.append(_job(fields, limit))
        except ValueError as error:
            rejects.add(line, error)
    return workload(document, rows, rejects)


def machine_size(document: Document) -> int | None:
    """MaxProcs of the header, else MaxNodes; None if neither is given."""
    given = {
        name.casefold(): int(count.replace(",", ""))
        for name, count in _HEADER.findall(document.text)
    }
    return given.get("maxprocs") or given.get("maxnodes") or None


def _job(fields: list[str], limit: int | None) -> tuple[float, dict[str, Any]]:
    if len(fields) != COLUMNS:
        raise ValueError(f"{len(fields)} columns, not {COLUMNS}")
    submitted = figure(fields[1], "submit time")
    runtime = figure(fields[3], "runtime")
    width = whole(fields[7], "processors")
    if width <= 0:
        width = whole(fields[4], "processors")
    requested = figure(fields[8], "requested time")
    user, group, application = fields[11], fields[12], fields[13]
    if submitted < 0:
        raise ValueError("negative submit time")
    if runtime < 0:
        raise ValueError("unknown runtime" if runtime == -1 else "negative runtime")
    if width <= 0:
        raise ValueError("unknown number of processors")
    if limit is not None and width > limit:
        raise ValueError(f"{width} processors, the machine has {limit}")
    kind = f"application {application}" if _known(application) else "application"
    return submitted, {
        "runs": (WorkloadRun(ANY, width, runtime),),
        "requested_s": requested if requested >= 0 else runtime,
        "kind": f"{kind} of user {user}" if _known(user) else kind,
        "user": f"user {user}" if _known(user) else "user",
        "project": f"group {group}" if _known(group) else "default",
    }


def _known(field: str) -> bool:
    return not field.startswith("-")
