"""Gavel's measured throughputs: training steps per second on K80, P100 and V100, as JSON.

Narayanan et al., "Heterogeneity-Aware Cluster Scheduling Policies for Deep Learning Workloads",
OSDI 2020. The file nests device → task → other task, a task being `('ResNet-18 (batch size 16)',
1)` with its number of GPUs, and the other task `null` when it runs alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from envs.workloads.throughputs import Task, Throughputs
from envs.workloads.traces.documents import LARGEST, Document, open_document
from scheduler.domain.errors import InputError
from scheduler.domain.jobs import JobKind

ALONE = "null"
_TASK = re.compile(r"\('([^']{1,200})', (\d{1,6})\)")
_CNN = re.compile(r"resnet|cyclegan", re.IGNORECASE)


def read(path: Path | str) -> Throughputs:
    """The table of a file; see `parse`."""
    return parse(open_document(path))


def parse(document: Document) -> Throughputs:
    """The table; CNN trainings are of their own kind, all other work is a `command`.

    Raises `InputError`, with the place, for a text that is not such a table.
    """
    try:
        devices = json.loads(document.text)
    except (ValueError, RecursionError) as error:
        raise _wrong(document, f"not JSON: {error}") from None
    rates: dict[str, dict[str, dict[int, float]]] = {}
    paired: dict[tuple[str, Task, Task], tuple[float, float]] = {}
    for device, tasks in _mapping(document, "devices", devices).items():
        for name, partners in _mapping(document, device, tasks).items():
            work, width = task = _task(document, device, name)
            for other, value in _mapping(document, f"{device}, {name}", partners).items():
                place = f"{device}, {name}, {other}"
                if other == ALONE:
                    rate = _rate(document, place, value)
                    rates.setdefault(work, {}).setdefault(device, {})[width] = rate
                    continue
                if not isinstance(value, list) or len(value) != 2:
                    raise _wrong(document, f"{place}: not two rates")
                both = (_rate(document, place, value[0]), _rate(document, place, value[1]))
                paired[device, task, _task(document, device, other)] = both
    if not rates:
        raise _wrong(document, "no task runs alone")
    kinds = {work: JobKind.CNN_TRAIN if _CNN.search(work) else JobKind.COMMAND for work in rates}
    return Throughputs(
        document.name, "steps/s", rates, kinds, paired=paired, source=document.source
    )


def _mapping(document: Document, place: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _wrong(document, f"{place}: not an object")
    return value


def _task(document: Document, device: str, name: str) -> Task:
    match = _TASK.fullmatch(name)
    if match is None or not int(match[2]):
        raise _wrong(document, f"{device}: {name[:80]!r} is not ('WORK', WIDTH)")
    return match[1], int(match[2])


def _rate(document: Document, place: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < LARGEST:
        raise _wrong(document, f"{place}: not a rate ≥ 0")
    return float(value)


def _wrong(document: Document, what: str) -> InputError:
    return InputError(
        f"{document.name} is no throughput table: {what}",
        {"throughputs": "JSON as Gavel publishes it: device → task → other task → rate"},
    )
