"""Default price, power and training rate of a device model, with the source of each figure."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from scheduler.domain.resources import DeviceKind


@dataclass(frozen=True, slots=True)
class DeviceFigures:
    """What one device of a model costs, draws and does by default."""

    dollars_per_hour: float
    watts: float
    flops: float
    """Sustained training rate (FLOP/s)."""
    source: str
    """Where the figures come from, for a person."""


def figures_for(kind: DeviceKind, model: str) -> DeviceFigures:
    """Defaults for a device by its name as NVML or the kernel spells it.

    An entry of `figures.toml` matches when all its words occur in the name; the one with most
    words wins; no match gives the kind's default. For CPUs the rate is that of a core without
    known clock and vector unit: `core_rate` knows better.
    """
    table = _table()
    words = _words(model)
    share = _share(model)
    matching = [entry for entry in table[kind.value] if _words(entry["match"]) <= words]
    entry = max(matching, key=lambda entry: len(_words(entry["match"])), default=None)
    entry = entry or table["default"][kind.value]
    flops = (
        core_rate(mhz=None, flags=("avx2",))
        if kind is DeviceKind.CPU
        else entry["peak_flops"] * entry["utilisation"]
    )
    return DeviceFigures(
        dollars_per_hour=float(entry["dollars"]) * share,
        watts=float(entry["watts"]) * share,
        flops=float(flops) * share,
        source=f"{entry['source']} (as of {table['as_of']})",
    )


def core_rate(mhz: float | None, flags: Iterable[str], threads_per_core: int = 1) -> float:
    """Sustained training rate of one logical CPU (FLOP/s).

    Clock × single-precision operations per cycle of its widest vector unit × utilisation,
    shared by the hardware threads of a core.
    """
    rate = _table()["cpu_rate"]
    known = set(flags)
    # Listed widest first; a machine that names no unit at all still has the narrowest one.
    per_cycle = next(
        (count for flag, count in rate["operations_per_cycle"].items() if flag in known),
        min(rate["operations_per_cycle"].values()),
    )
    hertz = (mhz or rate["default_mhz"]) * 1e6
    return float(hertz * per_cycle * rate["utilisation"] / max(1, threads_per_core))


def _share(model: str) -> float:
    """Of a whole GPU that a MIG instance is: `… MIG 2g.20gb` holds 2 of 7 compute slices."""
    found = re.search(r"\bmig (\d)g\.", model.casefold())
    return int(found[1]) / 7 if found else 1.0


@cache
def _table() -> dict[str, Any]:
    text = resources.files(__package__).joinpath("figures.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


@cache
def _words(name: str) -> frozenset[str]:
    """`NVIDIA A100-SXM4-80GB` → {nvidia, a100, sxm4, 80gb}; `RTX4090` → {rtx, 4090}."""
    spaced = re.sub(r"(rtx|gtx)(?=\d)", r"\1 ", name.casefold().replace("(r)", " "))
    spaced = re.sub(r"(\d)\s+gi?b\b", r"\1gb", spaced)
    return frozenset(re.findall(r"[a-z0-9]+", spaced))
