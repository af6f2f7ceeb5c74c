"""The machine's processors, as the kernel describes them."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path

from scheduler.hardware.figures import core_rate
from scheduler.hardware.limits import ROOT, usable_cpus, usable_memory


@dataclass(frozen=True, slots=True)
class Cpus:
    """The CPUs this process may use."""

    model: str
    numbers: tuple[int, ...]
    """As the operating system numbers them."""
    memory_bytes: int
    """Host memory this process may use."""
    flops: float
    """Expected sustained training rate of one of them (FLOP/s)."""


def detect_cpus(root: Path = ROOT) -> Cpus:
    """Read affinity, control groups and `/proc/cpuinfo` below `root`."""
    info = _cpuinfo(root)
    siblings, cores = _float(info.get("siblings")), _float(info.get("cpu cores"))
    threads = round(siblings / cores) if siblings and cores else 1
    flags = (info.get("flags") or info.get("Features") or "").split()
    return Cpus(
        model=_model(info),
        numbers=usable_cpus(root),
        memory_bytes=usable_memory(root),
        flops=core_rate(_float(info.get("cpu MHz")), flags, threads),
    )


def _cpuinfo(root: Path) -> dict[str, str]:
    """The first processor's fields."""
    try:
        text = (root / "proc/cpuinfo").read_text(errors="replace")
    except OSError:
        return {}
    pairs = (line.partition(":") for line in text.split("\n\n", maxsplit=1)[0].splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs if key.strip()}


def _model(info: dict[str, str]) -> str:
    name = info.get("model name") or platform.processor() or platform.machine() or "CPU"
    for mark in ("(R)", "(TM)", "(tm)"):
        name = name.replace(mark, " ")
    return " ".join(name.partition(" @ ")[0].split())


def _float(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None
