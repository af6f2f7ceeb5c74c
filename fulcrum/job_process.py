"""For programs that run as jobs: reports, checkpoints, artifacts, the wish to stop.

docs/commands.md describes the contract behind it, which a program in any language can follow.
Outside a job the same program works: `report` does nothing, and files are in the current folder.
"""

from __future__ import annotations

import json
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

PROGRESS_EVERY_S = 0.5
"""Progress is written at most so often; figures always."""


class _Told:
    """What the program has reported, and what it was told."""

    fraction = 0.0
    """Share of the work that is done."""
    written = -math.inf
    """When progress was written last, seconds of the monotonic clock."""
    listens = False
    stop = False

    def __init__(self) -> None:
        self.refused: set[str] = set()
        """Names of figures that were no numbers."""


_told = _Told()


def report(
    *,
    epoch: float | None = None,
    epochs: float | None = None,
    step: float | None = None,
    steps: float | None = None,
    fraction: float | None = None,
    **figures: Any,
) -> None:
    """Tell the scheduler how much is done, and figures such as `loss=0.2`.

    `epoch` of `epochs` are done, or `step` of `steps`; both: `step` of `steps` of the running
    epoch, with `epoch` done before. `fraction` (0 … 1) says it directly. Figures beside an epoch or
    a step are points of a curve; figures alone are the result of the job. A figure that is no
    number is left out, and the log says so. Never raises for a full disk.
    """
    figures = {name: value for name, value in figures.items() if _counts(name, value)}
    done = _fraction(epoch, epochs, step, steps) if fraction is None else float(fraction)
    places = {"epoch": epoch, "epochs": epochs, "step": step, "steps": steps}
    given = {name: value for name, value in places.items() if value is not None}
    if figures:
        kind = "epoch" if epoch is not None else "step" if step is not None else "test"
        _write(kind, {**given, **figures})
    if done is None or math.isnan(done):
        return
    _told.fraction = min(max(done, 0.0), 1.0)
    now = time.monotonic()
    if now - _told.written >= PROGRESS_EVERY_S or done >= 1:
        _told.written = now
        _write("progress", {"fraction": round(_told.fraction, 6), **given})


def checkpoint(name: str) -> Path | None:
    """The checkpoint of that name that an earlier attempt of the job has saved; None: none has."""
    path = _folder("FULCRUM_CHECKPOINTS") / name
    return path if path.is_file() else None


@contextmanager
def save_checkpoint(name: str) -> Iterator[Path]:
    """A path to write a checkpoint to, which replaces the one of that name when the block ends.

    So the checkpoint is there whole or not at all, whenever the program is killed. The scheduler
    hears that all that was reported is saved.
    """
    target = _folder("FULCRUM_CHECKPOINTS") / name
    draft = target.with_name(f".{target.name}.tmp")
    try:
        yield draft
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
    _write("checkpoint", {"fraction": round(_told.fraction, 6)})


def artifact(name: str) -> Path:
    """Where to write a file that others shall get (`fulcrum artifacts JOB`); its folder exists."""
    path = _folder("FULCRUM_ARTIFACTS") / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def stop_requested() -> bool:
    """Whether the job shall save its work and end, because it is preempted or cancelled.

    The first call makes SIGTERM mean this; before it, SIGTERM ends the program. Only the main
    thread can make it so: elsewhere the first call changes nothing.
    """
    if not _told.listens and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _stop)
        _told.listens = True
    return _told.stop


def _stop(_signum: int, _frame: object) -> None:
    _told.stop = True


def _fraction(
    epoch: float | None, epochs: float | None, step: float | None, steps: float | None
) -> float | None:
    within = step / steps if step is not None and steps else None
    if epochs:
        return ((epoch or 0) + (within or 0)) / epochs if (epoch, within) != (None, None) else None
    return within


def _folder(variable: str) -> Path:
    return Path(os.environ.get(variable) or ".")


def _write(kind: str, values: dict[str, Any]) -> None:
    path = os.environ.get("FULCRUM_METRICS")
    if not path:
        return
    row = {"time": round(time.time(), 3), "kind": kind}
    row |= {name: _plain(value) for name, value in values.items()}
    with suppress(OSError), Path(path).open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def _counts(name: str, value: Any) -> bool:
    """Whether a figure is a number or None; else the log gets a line, the first time."""
    if value is None:
        return True
    with suppress(TypeError, ValueError):
        if not isinstance(value, str | bytes):
            float(value)
            return True
    if name not in _told.refused:
        _told.refused.add(name)
        text = f"fulcrum.report: {name}={value!r:.100} is not a number and is left out"
        with suppress(OSError, ValueError):
            print(text, file=sys.stderr, flush=True)
    return False


def _plain(value: Any) -> Any:
    """JSON of a figure: numbers of NumPy and torch become numbers, NaN and infinity null."""
    if value is None or isinstance(value, bool | int):
        return value
    number = float(value)
    return number if math.isfinite(number) else None
