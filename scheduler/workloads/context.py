"""What a piece of work knows of its attempt, and how it reports."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from scheduler.executors.base import LaunchSpec
from scheduler.files import append_text, wait_for_space
from scheduler.json_values import plain
from scheduler.ownership import fences
from scheduler.workloads.distributed.ranks import ALONE, Rank
from scheduler.workloads.resumption import CHECKPOINTS
from scheduler.workloads.stop_signal import StopSignal

METRICS = "metrics.jsonl"

_PROGRESS_EVERY_S = 0.5


class Context:
    """One attempt's folders, its share of the machine and its measurements.

    Made once per process, before the work begins: from then on time counts.
    """

    def __init__(self, spec: LaunchSpec, rank: Rank = ALONE) -> None:
        self.spec = spec
        self.rank = rank
        """Which of the attempt's processes this is."""
        self.begun = time.monotonic()
        self.folder = spec.part_folder
        """Of this attempt, or of this rank of it."""
        self.checkpoints = spec.shared / CHECKPOINTS
        """Kept from attempt to attempt."""
        self.artifacts = spec.shared / "artifacts"
        """What the job is for."""
        self.device_kind = spec.part.device_kind
        self.width = max(1, len(spec.part.devices))
        """CPU cores or GPUs of this part."""
        self.stop = StopSignal()
        """Whether and when it should end early."""
        self.fraction = 0.0
        """Of the job (0…1) that is done, by the newest `advance`."""
        self.samples = 0
        """Images worked through by this attempt."""
        self.left: Mapping[str, Any] = {}
        """What an attempt that does not end well adds to its result: what it leaves."""
        self._first: float | None = None
        self._told = -math.inf
        self._metrics = self.folder / METRICS if rank.leads else None
        for folder in (self.folder, self.checkpoints, self.artifacts):
            wait_for_space(partial(folder.mkdir, parents=True, exist_ok=True))

    def check_owner(self) -> None:
        """Before each change of checkpoints or artifacts.

        Raises `SupersededError` if a newer attempt of the job was launched meanwhile.
        """
        fences.check(self.spec.shared, self.spec.attempt, self.spec.nonce)

    def emit(self, kind: str, **values: Any) -> None:
        """Append a line to metrics.jsonl, once the disk has space; NaN and infinity become null.

        The first rank speaks for all; the others write nothing.
        """
        if self._metrics is None:
            return
        path = self._metrics
        line = json.dumps(plain({"time": round(time.time(), 3), "kind": kind, **values}))
        wait_for_space(lambda: append_text(path, line + "\n"))

    def begin(self) -> None:
        """The first sample is about to be worked on: what came before was overhead."""
        if self._first is None:
            self._first = time.monotonic()

    def advance(self, samples: int, fraction: float, **where: float | None) -> None:
        """`samples` more are done, `fraction` (0…1) of the job; reported about twice a second.

        `where`: what the report says besides, as `epoch` 3 of `epochs`, `batch` 7 of `batches`.
        """
        self.samples += samples
        self.fraction = min(fraction, 1.0)
        now = time.monotonic()
        if now - self._told >= _PROGRESS_EVERY_S or fraction >= 1:
            self._told = now
            self.emit(
                "progress",
                fraction=round(self.fraction, 4),
                samples=self.samples,
                samples_per_s=round(self.rate(), 3),
                **where,
            )

    def saved(self, fraction: float | None = None) -> None:
        """A checkpoint holds `fraction` (0…1) of the job; by default all that is done."""
        self.emit("checkpoint", fraction=round(self.fraction if fraction is None else fraction, 6))

    def rate(self) -> float:
        """Samples per second since the first."""
        return self.samples / max(time.monotonic() - (self._first or self.begun), 1e-6)

    def summary(self) -> dict[str, Any]:
        """The part of the result that every kind has."""
        now = time.monotonic()
        first = now if self._first is None else self._first
        times = {
            "seconds": round(now - self.begun, 4),
            "overhead_s": round(first - self.begun, 4),
        }
        if not self.samples:  # programs have none that Fulcrum could count
            return times
        rate = self.samples / max(now - first, 1e-6)
        return {"samples": self.samples, **times, "samples_per_s": round(rate, 3)}
