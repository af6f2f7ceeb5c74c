"""The machine's NVIDIA GPUs, as NVML describes them; no driver means none, without noise."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU, or one MIG instance of a partitioned GPU."""

    model: str
    uuid: str
    """What CUDA_VISIBLE_DEVICES takes: `GPU-…` or `MIG-…`."""
    memory_bytes: int
    watts: float | None
    """The board's power limit; None where the driver does not tell."""


def detect_gpus(nvml: Any = None, visible: str | None = None) -> tuple[Gpu, ...]:
    """The GPUs this process may use, in the driver's order (by PCI bus).

    `visible` restricts them as CUDA does (comma-separated indices or unique beginnings of UUIDs,
    an unknown one hides the rest, empty hides all) and defaults to CUDA_VISIBLE_DEVICES.
    `nvml` defaults to `pynvml`. A device that cannot be read is left out.
    """
    if nvml is None:
        try:
            nvml = importlib.import_module("pynvml")
        except ImportError:
            return ()
    try:
        nvml.nvmlInit()
    except nvml.NVMLError:
        return ()
    try:
        groups = list(_groups(nvml))
    except nvml.NVMLError:
        groups = []
    finally:
        nvml.nvmlShutdown()
    wanted = os.environ.get("CUDA_VISIBLE_DEVICES") if visible is None else visible
    return _visible(groups, wanted)


def _groups(nvml: Any) -> Iterator[tuple[Gpu, ...]]:
    """For each index of the driver: the GPU, or its MIG instances, or nothing if unreadable."""
    for index in range(nvml.nvmlDeviceGetCount()):
        try:
            handle = nvml.nvmlDeviceGetHandleByIndex(index)
            instances = tuple(_instances(nvml, handle))
            yield instances or (_gpu(nvml, handle),)
        except nvml.NVMLError:
            yield ()


def _instances(nvml: Any, handle: Any) -> Iterator[Gpu]:
    """MIG instances; none unless the GPU is partitioned."""
    try:
        enabled = nvml.nvmlDeviceGetMigMode(handle)[0] == 1
        slots = nvml.nvmlDeviceGetMaxMigDeviceCount(handle) if enabled else 0
    except nvml.NVMLError:
        return
    for slot in range(slots):
        try:
            instance = nvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, slot)
        except nvml.NVMLError:
            continue  # an empty slot
        yield _gpu(nvml, instance)


def _gpu(nvml: Any, handle: Any) -> Gpu:
    milliwatts = _optional(nvml, lambda: nvml.nvmlDeviceGetEnforcedPowerLimit(handle))
    memory = _optional(nvml, lambda: nvml.nvmlDeviceGetMemoryInfo(handle).total)
    return Gpu(
        model=" ".join(_text(nvml.nvmlDeviceGetName(handle)).split()) or "unknown GPU",
        uuid=_text(nvml.nvmlDeviceGetUUID(handle)),
        memory_bytes=int(memory or 0),
        watts=float(milliwatts) / 1000 if milliwatts else None,
    )


def _optional(nvml: Any, read: Callable[[], Any]) -> Any:
    """Older boards and MIG instances do not support every query."""
    try:
        return read()
    except nvml.NVMLError:
        return None


def _text(value: str | bytes) -> str:
    """Drivers before R515 answer in bytes."""
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _visible(groups: list[tuple[Gpu, ...]], wanted: str | None) -> tuple[Gpu, ...]:
    found = tuple(gpu for group in groups for gpu in group)
    if wanted is None:
        return found
    chosen: list[Gpu] = []
    for entry in (part.strip() for part in wanted.split(",")):
        if entry.isdigit():
            matching = groups[int(entry)] if int(entry) < len(groups) else ()
        else:
            matching = tuple(gpu for gpu in found if entry and gpu.uuid.startswith(entry))
        fresh = [gpu for gpu in matching if gpu not in chosen]
        if not fresh:
            break
        chosen.extend(fresh)
    return tuple(chosen)
