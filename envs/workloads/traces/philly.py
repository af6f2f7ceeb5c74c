"""Microsoft's Philly cluster: deep-learning trainings, as CSV.

Jeon et al., "Analysis of Large-Scale Multi-Tenant GPU Clusters for DNN Training Workloads",
USENIX ATC 2019. Columns: timestamp, duration (s), num_gpus, cluster (the virtual cluster).
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from envs.workloads.base import Workload, WorkloadRun
from envs.workloads.traces.documents import (
    Document,
    figure,
    open_document,
    parsed,
    whole,
)
from scheduler.domain.resources import DeviceKind

COLUMNS = ("timestamp", "duration", "num_gpus", "cluster")


def read(path: Path | str, *, strict: bool = False, processors: int | None = None) -> Workload:
    """Jobs of a log; see `parse`."""
    return parse(open_document(path), strict=strict, processors=processors)


def parse(document: Document, *, strict: bool = False, processors: int | None = None) -> Workload:
    """Jobs on CUDA devices, in order of their timestamps (those without an offset: in UTC).

    The log names no user: the virtual cluster is both user and project. `processors` is the
    number of GPUs of the machine; wider jobs are left out. Raises `InputError` if no job is
    left, or with `strict` for the first bad row.
    """
    return parsed(document, COLUMNS, partial(_job, limit=processors), strict=strict)


def _job(
    timestamp: str, duration: str, gpus: str, cluster: str, *, limit: int | None
) -> tuple[float, dict[str, Any]]:
    try:
        moment = datetime.fromisoformat(timestamp)
        submitted = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise ValueError(f"timestamp {timestamp[:40]!r} is not a date and time") from None
    runtime, width = figure(duration, "duration"), whole(gpus, "num_gpus")
    if runtime < 0:
        raise ValueError("negative duration")
    if width < 1:
        raise ValueError("asks for no GPU")
    if limit is not None and width > limit:
        raise ValueError(f"{width} GPUs, the machine has {limit}")
    return submitted, {
        "runs": (WorkloadRun(DeviceKind.CUDA.value, width, runtime),),
        "kind": f"{cluster} × {width}",
        "user": cluster or "user",
        "project": cluster or "default",
    }
