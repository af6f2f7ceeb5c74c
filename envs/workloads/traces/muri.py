"""Traces of Muri: trainings for 8 nodes of 8 GPUs, drawn from Philly, as CSV; times in ms.

Zhao et al., "Multi-resource interleaving for deep learning training", SIGCOMM 2022. Used here:
num_gpu, submit_time, duration, model_name, batch_size. The share of each resource within an
iteration, which only interleaving needs, and the unused priority column are left aside.
"""

from __future__ import annotations

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

COLUMNS = ("num_gpu", "submit_time", "duration", "model_name", "batch_size")


def read(path: Path | str, *, strict: bool = False, processors: int | None = None) -> Workload:
    """Jobs of a trace; see `parse`."""
    return parse(open_document(path), strict=strict, processors=processors)


def parse(document: Document, *, strict: bool = False, processors: int | None = None) -> Workload:
    """Jobs on CUDA devices; equal work is an equal model, batch size and number of GPUs.

    `processors` is the number of GPUs of the machine; wider jobs are left out. Raises
    `InputError` if no job is left, or with `strict` for the first bad row.
    """
    return parsed(document, COLUMNS, partial(_job, limit=processors), strict=strict)


def _job(
    gpus: str, submit: str, duration: str, model: str, batch: str, *, limit: int | None
) -> tuple[float, dict[str, Any]]:
    width = whole(gpus, "num_gpu")
    submitted, runtime = figure(submit, "submit_time") / 1e3, figure(duration, "duration") / 1e3
    if submitted < 0:
        raise ValueError("negative submit time")
    if runtime < 0:
        raise ValueError("negative duration")
    if width < 1:
        raise ValueError("asks for no GPU")
    if limit is not None and width > limit:
        raise ValueError(f"{width} GPUs, the machine has {limit}")
    return submitted, {
        "runs": (WorkloadRun(DeviceKind.CUDA.value, width, runtime),),
        "kind": f"{model}:{batch} × {width}",
    }
