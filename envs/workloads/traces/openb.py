"""Alibaba's GPU cluster of 2023 ("openb"): pods and nodes, as CSV; fractions of GPUs.

Weng et al., "Beware of Fragmentation: Scheduling GPU-Sharing Workloads with Fragmentation
Gradient Descent", USENIX ATC 2023.

A pool's devices are whole things, so fractions need a unit: with `slices` = n a GPU counts as n
devices on a node of its own, and a pod that asks for 460 of 1,000 milli-GPU is ⌈0.46 n⌉ wide.
That keeps each share inside one GPU; that several GPUs of one pod share a machine is lost. With
`slices` = 1 every share counts as a whole GPU and machines stay as they are.
"""

from __future__ import annotations

import math
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

from envs.workloads.base import Workload, WorkloadRun
from envs.workloads.traces.documents import (
    Document,
    Rejects,
    figure,
    open_document,
    parsed,
    records,
    whole,
)
from scheduler.domain.errors import InputError
from scheduler.domain.pools import Pool
from scheduler.domain.resources import DeviceKind
from scheduler.hardware.figures import figures_for

PODS = (
    "cpu_milli",
    "memory_mib",
    "num_gpu",
    "gpu_milli",
    "gpu_spec",
    "qos",
    "creation_time",
    "deletion_time",
    "scheduled_time",
)
NODES = ("cpu_milli", "memory_mib", "gpu", "model")
PRIORITIES = {"Guaranteed": 90.0, "LS": 75.0, "Burstable": 50.0, "BE": 25.0}
"""By quality of service: guaranteed, latency-sensitive, burstable, best effort."""
MEBIBYTE = 1 << 20
_MILLI = 1000


def read(
    path: Path | str, *, strict: bool = False, processors: int | None = None, slices: int = 1
) -> Workload:
    """Pods of a list; see `parse`."""
    return parse(open_document(path), strict=strict, processors=processors, slices=slices)


def parse(
    document: Document, *, strict: bool = False, processors: int | None = None, slices: int = 1
) -> Workload:
    """Pods that ran: from `creation_time` on, for `deletion_time` - `scheduled_time`.

    A pod without a GPU is as wide as its CPU cores, rounded up, and runs on CPUs; one with
    `gpu_spec` on the models it names, else on any CUDA device. Memory is the host's. Pods that
    were never scheduled, or are wider than `processors` devices, are left out. Raises
    `InputError` if no pod is left, or with `strict` for the first bad row.
    """
    if slices < 1:
        raise InputError("a GPU has at least one slice", {"slices": "a whole number ≥ 1"})
    return parsed(
        document,
        PODS,
        partial(_pod, slices=slices, limit=processors),
        strict=strict,
    )


def pools(path: Path | str, *, slices: int = 1) -> tuple[Pool, ...]:
    """The machines of a node list: one pool for each GPU model, count per machine and memory.

    Machines without GPUs form one CPU pool per number of cores and memory; the cores of GPU
    machines are not counted. Prices, watts and rates are the defaults of the model. Raises
    `InputError` for a list that cannot be read or holds no machine.
    """
    document = open_document(path)
    rejects = Rejects(document, strict=True)
    machines: Counter[tuple[str, int, int]] = Counter()
    for line, (cpu, memory, gpus, model) in records(document, NODES):
        try:
            count = whole(gpus, "gpu")
            devices = count if count > 0 else max(1, whole(cpu, "cpu_milli") // _MILLI)
            machines[model if count > 0 else "", devices, whole(memory, "memory_mib")] += 1
        except ValueError as error:
            rejects.add(line, error)
    if not machines:
        raise InputError(f"{document.name} lists no machine", {"nodes": "at least one row"})
    return tuple(
        _pool(model, devices, mebibytes, nodes, slices)
        for (model, devices, mebibytes), nodes in sorted(machines.items())
    )


def _pod(
    cpu: str,
    memory: str,
    gpus: str,
    milli: str,
    spec: str,
    qos: str,
    created: str,
    deleted: str,
    scheduled: str,
    *,
    slices: int,
    limit: int | None,
) -> tuple[float, dict[str, Any]]:
    submitted = figure(created, "creation_time")
    if not scheduled:
        raise ValueError("never scheduled")
    runtime = figure(deleted, "deletion_time") - figure(scheduled, "scheduled_time")
    count, share = whole(gpus, "num_gpu"), figure(milli, "gpu_milli") / _MILLI
    mebibytes, cores = figure(memory, "memory_mib"), figure(cpu, "cpu_milli") / _MILLI
    if min(runtime, count, share, mebibytes, cores, submitted) < 0:
        raise ValueError("negative runtime, resource or time")
    if count:
        each = math.ceil(min(share, 1.0) * slices) if count == 1 else slices
        width = count * max(1, each)
        devices = [model for model in spec.split("|") if model] or [DeviceKind.CUDA.value]
    else:
        width, devices = max(1, math.ceil(cores)), [DeviceKind.CPU.value]
    if limit is not None and width > limit:
        raise ValueError(f"{width} devices, the machine has {limit}")
    return submitted, {
        "runs": tuple(WorkloadRun(device, width, runtime) for device in devices),
        "memory_bytes": int(mebibytes * MEBIBYTE),
        "kind": f"{count} × {milli} GPU, {cpu} CPU",
        "project": qos or "default",
        "user": qos or "user",
        "priority": PRIORITIES.get(qos, 50.0),
    }


def _pool(model: str, devices: int, mebibytes: int, nodes: int, slices: int) -> Pool:
    kind = DeviceKind.CUDA if model else DeviceKind.CPU
    figures = figures_for(kind, model)
    gibibytes = mebibytes // 1024
    if not model:
        slices = 1
    elif slices > 1:
        nodes, mebibytes, devices = nodes * devices, mebibytes // devices, slices
    return Pool(
        name=f"{model.casefold() or 'cpu'}-{devices if slices == 1 else 'sliced'}-{gibibytes}g",
        kind=kind,
        model=model or "cpu",
        devices_per_node=devices,
        nodes=nodes,
        memory_per_node=mebibytes * MEBIBYTE,
        dollars_per_device_hour=figures.dollars_per_hour / slices,
        watts_per_device=figures.watts / slices,
        flops_per_device=figures.flops / slices,
    )
