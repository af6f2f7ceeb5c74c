"""Files of hashes: written cell by cell, and compared with."""

from __future__ import annotations

import json
import platform
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.placement_logs.cells import FASTER, LogCell
from benchmarks.placement_logs.clocks import CLOCKS, NotSupportedError
from scheduler.domain.errors import InputError
from scheduler.files import write_text

SAVED_S = 20.0
"""Seconds between two saves, and between two lines of progress."""
MACHINE = ("cpu", "simd", "numpy")
"""Members of a file on which digits may depend."""
SETTINGS = ("clock", "jobs", "faster", "seeds", "cpu", "simd", "numpy")
"""Members of a file that must be the same when it is continued."""


@dataclass(slots=True)
class LogComparison:
    """What a comparison with a file found."""

    clock: str
    compared: int = 0
    """Simulations."""
    equal: int = 0
    placements: list[tuple[LogCell, int]] = field(default_factory=list)
    """(cell, seed) of those with other jobs, pools, widths, times or actions."""
    nodes: list[tuple[LogCell, int]] = field(default_factory=list)
    """Of those with equal placements on other nodes."""
    results: list[tuple[LogCell, int]] = field(default_factory=list)
    """Of those with equal placements and nodes, and another record of their jobs."""
    not_run: Counter[str] = field(default_factory=Counter)
    """Reason → simulations that were not compared."""

    def add(self, cell: LogCell, seed: int, expected: str, found: str) -> None:
        """Add one simulation with two digests (`Log.digest`)."""
        self.compared += 1
        if expected == found:
            self.equal += 1
            return
        old, new = expected.split(), found.split()
        kinds = ((self.placements, 2), (self.nodes, 3), (self.results, 4))
        next(kind for kind, end in kinds if old[:end] != new[:end]).append((cell, seed))


def machine() -> Mapping[str, Any]:
    """What digits may depend on: the processor, the vector units that NumPy uses, versions."""
    simd = np.show_config(mode="dicts")["SIMD Extensions"]
    return {
        "cpu": _processor(),
        "simd": list(simd.get("found", ())),
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text("utf-8").splitlines() if info.is_file() else []
    known = dict(line.replace("\t", "").split(":", 1) for line in lines if ":" in line)
    parts = (known.get(key, "").strip() for key in ("model name", "cpu family", "model"))
    return " ".join(filter(None, parts)) or platform.processor() or platform.machine()


def write(
    path: Path, chosen: Sequence[LogCell], clock: str, seeds: Sequence[int], jobs: int, resume: bool
) -> None:
    """Write the digests of the cells; with `resume` those that the file has are kept.

    Raises `InputError` for a file with other settings that should be continued.
    """
    settings = {"clock": clock, "jobs": jobs, "faster": FASTER, "seeds": list(seeds)}
    document: dict[str, Any] = {**machine(), **settings, "cells": {}}
    if resume and path.is_file():
        kept = json.loads(path.read_text("utf-8"))
        different = [name for name in SETTINGS if kept[name] != document[name]]
        if different:
            raise InputError(
                f"{path} was written with another {', '.join(different)}",
                {"resume": "only with the settings and on the processor of the file"},
            )
        document = kept
    known, saved = document["cells"], time.monotonic()
    for number, cell in enumerate(chosen, 1):
        if " ".join(cell) in known:
            continue
        known[" ".join(cell)] = [_digest(cell, clock, seed, jobs) for seed in seeds]
        if time.monotonic() - saved > SAVED_S:
            saved = time.monotonic()
            _save(path, document)
            print(f"{number} of {len(chosen)} cells", file=sys.stderr, flush=True)
    _save(path, document)


def check(path: Path, chosen: Sequence[LogCell], clock: str, seeds: Sequence[int]) -> LogComparison:
    """Compare those of the chosen cells and seeds that the file has."""
    document = json.loads(path.read_text("utf-8"))
    here = machine()
    other = [name for name in MACHINE if here[name] != document[name]]
    if other:
        print(f"warning: {path} was written with another {', '.join(other)}", file=sys.stderr)
    found, told = LogComparison(clock), time.monotonic()
    for number, cell in enumerate(chosen, 1):
        stored = document["cells"].get(" ".join(cell), [])
        expected = dict(zip(document["seeds"], stored, strict=False))
        for seed in seeds:
            if expected.get(seed) is None:
                found.not_run["not in the file"] += 1
                continue
            try:
                log = CLOCKS[clock](cell, seed, document["jobs"])
            except NotSupportedError as reason:
                found.not_run[str(reason)] += 1
            else:
                found.add(cell, seed, expected[seed], log.digest())
        if time.monotonic() - told > SAVED_S:
            told = time.monotonic()
            done = f"{number} of {len(chosen)} cells"
            print(f"{done}, {found.equal} of {found.compared} equal", file=sys.stderr, flush=True)
    return found


def _digest(cell: LogCell, clock: str, seed: int, jobs: int) -> str | None:
    """None for a simulation that the clock cannot run."""
    try:
        return CLOCKS[clock](cell, seed, jobs).digest()
    except NotSupportedError:
        return None


def _save(path: Path, document: Mapping[str, Any]) -> None:
    write_text(path, json.dumps(document, indent=1) + "\n")
