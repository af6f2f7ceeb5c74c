"""What a piece of work knows of its attempt, and how it reports."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from scheduler.executors.base import LaunchSpec
from scheduler.files import append_text, with_room, write_text
from scheduler.text import shown

METRICS = "metrics.jsonl"

_PROGRESS_EVERY_S = 0.5


class Context:
    """One attempt's folders, its share of the machine and its measurements.

    Made once per process, before the work begins: from then on time counts.
    """

    def __init__(self, spec: LaunchSpec) -> None:
        self.spec = spec
        self.begun = time.monotonic()
        self.folder = spec.folder
        """Of this attempt."""
        self.checkpoints = spec.shared / "checkpoints"
        """Kept from attempt to attempt."""
        self.artifacts = spec.shared / "artifacts"
        """What the job is for."""
        self.device_kind = spec.device_kind
        self.width = max(1, len(spec.devices))
        """CPU cores or GPUs."""
        self.samples = 0
        """Images worked through by this attempt."""
        self._first: float | None = None
        self._told = -math.inf
        for folder in (self.folder, self.checkpoints, self.artifacts):
            with_room(partial(folder.mkdir, parents=True, exist_ok=True))

    def emit(self, kind: str, **values: Any) -> None:
        """Append one line to metrics.jsonl, once the disk has room; null for NaN and infinity."""
        line = json.dumps(finite({"time": round(time.time(), 3), "kind": kind, **values}))
        with_room(lambda: append_text(self.folder / METRICS, line + "\n"))

    def begin(self) -> None:
        """The first sample is about to be worked on: what came before was overhead."""
        if self._first is None:
            self._first = time.monotonic()

    def advance(self, samples: int, fraction: float) -> None:
        """`samples` more are done, `fraction` (0…1) of the job; reported about twice a second."""
        self.samples += samples
        now = time.monotonic()
        if now - self._told >= _PROGRESS_EVERY_S or fraction >= 1:
            self._told = now
            self.emit(
                "progress",
                fraction=round(min(fraction, 1.0), 4),
                samples=self.samples,
                samples_per_s=round(self.rate(), 3),
            )

    def rate(self) -> float:
        """Samples per second since the first."""
        return self.samples / max(time.monotonic() - (self._first or self.begun), 1e-6)

    def summary(self) -> dict[str, Any]:
        """The part of the result that every kind has."""
        now = time.monotonic()
        first = now if self._first is None else self._first
        return {
            "samples": self.samples,
            "seconds": round(now - self.begun, 4),
            "overhead_s": round(first - self.begun, 4),
            "samples_per_s": round(self.samples / max(now - first, 1e-6), 3) if self.samples else 0,
        }


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write the file whole or not at all; it survives a power cut."""
    write_text(path, json.dumps(finite(value), indent=1) + "\n")


def finite(value: Any) -> Any:
    """The same as JSON can say it: null for NaN and infinity, text without lone surrogates."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return shown(value)
    if isinstance(value, Mapping):
        return {shown(str(key)): finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value
