"""The metrics of a job as event files of TensorBoard."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from api.client.errors import MissingPackageError

if TYPE_CHECKING:
    from api.schemas import MetricsOut

_SUFFIX = ".fulcrum"
"""At the end of the names of files that this module writes."""
_NO_CURVE = ("progress", "checkpoint")
_NO_FIGURE = ("time", "kind", "epoch", "epochs")
_PARTS = ("train", "validation")
"""Beginnings of names that become curves of one chart: `loss/train`, `loss/validation`."""


@dataclass(frozen=True, slots=True)
class Point:
    """One figure of one step."""

    tag: str
    """Name of its curve."""
    step: int
    """The epoch; for lines without one, their number among the lines of their kind."""
    time: float
    """Unix seconds."""
    value: float


def write(attempts: Sequence[MetricsOut], run: str, folder: Path) -> Path:
    """Write the event file of one job to `folder / run`, in place of an earlier one.

    Returns that folder. Raises `MissingPackageError` without the package tensorboard, `OSError`.
    """
    try:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.summary.writer.event_file_writer import EventFileWriter
    except ImportError:
        raise MissingPackageError("files for TensorBoard", "tensorboard") from None
    target = folder / re.sub(r"[^\w.-]+", "_", run)
    target.mkdir(parents=True, exist_ok=True)
    for old in target.glob(f"events.out.tfevents.*{_SUFFIX}"):
        old.unlink()
    writer = EventFileWriter(str(target), filename_suffix=_SUFFIX)
    for point in points(attempts):
        value = Summary.Value(tag=point.tag, simple_value=point.value)
        summary = Summary(value=[value])
        writer.add_event(Event(wall_time=point.time, step=point.step, summary=summary))
    writer.close()
    return target


def points(attempts: Sequence[MetricsOut]) -> Iterator[Point]:
    """The figures of all attempts in order; of an epoch that was done again, the newer ones."""
    found: dict[tuple[str, int], Point] = {}
    counts: dict[str, int] = {}
    last_epoch = 0
    for line in (line for attempt in attempts for line in attempt.lines):
        kind = str(line.get("kind", ""))
        if kind in _NO_CURVE:
            continue
        counts[kind] = counts.get(kind, 0) + 1
        epoch = line.get("epoch")
        if isinstance(epoch, int):
            last_epoch = step = epoch
        else:
            step = last_epoch or counts[kind]
        for name, value in _figures(line):
            tag = _tag(kind, name)
            found[tag, step] = Point(tag, step, float(line.get("time") or 0.0), value)
    yield from found.values()


def _figures(line: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for name, value in line.items():
        if name not in _NO_FIGURE and isinstance(value, int | float):
            yield name, float(value)


def _tag(kind: str, name: str) -> str:
    if kind == "epoch":
        part, _, figure = name.partition("_")
        return f"{figure}/{part}" if part in _PARTS and figure else name
    return f"{name}/{kind}" if kind else name
