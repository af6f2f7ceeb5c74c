"""How far a running attempt is, by the newest line that its work has written about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from scheduler.files import regular
from scheduler.json_values import finite
from scheduler.jsonlines import record

TAIL = 64 * 1024
"""Bytes read from the end of the file: the reports of several minutes."""
ACCURACIES = ("validation_accuracy", "accuracy")
"""What an epoch's line may call the accuracy that counts, the better name first."""


@dataclass(frozen=True, slots=True)
class WorkReport:
    """The newest progress line of an attempt."""

    fraction: float
    """Share of the job that is done, 0 … 1."""
    time: float
    """Unix seconds."""
    samples_per_s: float = 0.0
    epoch: int | None = None
    """The epoch that it works on, from 1; None: the work has none, or does not tell."""
    epochs: int | None = None
    batch: int | None = None
    """Batches done of that epoch; of the whole job if it has no epochs."""
    batches: int | None = None
    best_accuracy: float | None = None
    """The best of the validated epochs so far, 0 … 1."""
    best_epoch: int | None = None


def newest_report(metrics: Path) -> WorkReport | None:
    """The last progress line of a metrics.jsonl; None if its end holds none.

    A program that does not tell its best accuracy has that of the epochs in the file's end.
    """
    lines = _newest_first(metrics)
    for value in lines:
        found = _report(value) if value.get("kind") == "progress" else None
        if found is None:
            continue
        if "best_accuracy" in value:
            return found
        best = max(_epochs(metrics), default=None, key=lambda one: one[0])
        return found if best is None else replace(found, best_accuracy=best[0], best_epoch=best[1])
    return None


def _epochs(metrics: Path) -> Iterator[tuple[float, int | None]]:
    """Accuracy and number of the epochs in the file's end."""
    for value in _newest_first(metrics, b"accuracy"):
        accuracy = _accuracy(value)
        if value.get("kind") == "epoch" and accuracy is not None:
            yield accuracy, _count(value.get("epoch"))


def _newest_first(metrics: Path, having: bytes = b"") -> Iterator[Mapping[str, Any]]:
    """The lines of the file's end that hold these bytes; one that is cut is left out."""
    try:
        with regular(metrics) as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - TAIL))
            lines = file.read().splitlines()
    except OSError:
        return
    for line in reversed(lines):
        value = record(line) if having in line else None
        if value is not None:
            yield value


def _report(value: Mapping[str, Any]) -> WorkReport | None:
    """None for a line whose numbers nobody can count with."""
    fraction, at = finite(value.get("fraction")), finite(value.get("time"))
    rate = finite(value.get("samples_per_s", 0.0))
    if fraction is None or at is None or rate is None:
        return None
    return WorkReport(
        fraction=min(max(fraction, 0.0), 1.0),
        time=at,
        samples_per_s=rate,
        epoch=_count(value.get("epoch")),
        epochs=_count(value.get("epochs")),
        batch=_count(value.get("batch")),
        batches=_count(value.get("batches")),
        best_accuracy=finite(value.get("best_accuracy")),
        best_epoch=_count(value.get("best_epoch")),
    )


def _accuracy(value: Mapping[str, Any]) -> float | None:
    """Of an epoch's line, by the first name that it has."""
    return next((one for name in ACCURACIES if (one := finite(value.get(name))) is not None), None)


def _count(value: Any) -> int | None:
    number = finite(value)
    return int(number) if number is not None and number >= 0 else None
