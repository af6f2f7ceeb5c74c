"""How far a training is: a bar and lines for people, and lines of metrics in a job."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from api.cli.support.output import err

if TYPE_CHECKING:
    from agents.training.progress import TrainingEvent
    from api.cli.support.progress_bar import ProgressBar

PERCENT = 100
"""Steps of the progress bar."""
_METRICS, _ARTIFACTS = "FULCRUM_METRICS", "FULCRUM_ARTIFACTS"


class TrainingBar:
    """A bar for each stage; validations as lines between."""

    def __init__(self) -> None:
        self._bar: ProgressBar | None = None
        self._stage = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def tell(self, event: TrainingEvent) -> None:
        """Show an event."""
        if event.stage == "validated":
            _show_validation(event)
            return
        if event.fraction is not None:
            emit("progress", fraction=round(event.fraction, 4))
        done = int(PERCENT * event.done)
        if event.stage != self._stage:
            from api.cli.support.progress_bar import ProgressBar

            self._end()
            self._stage = event.stage
            self._bar = ProgressBar(event.stage, PERCENT, err(), already=done)
            self._bar.__enter__()
        assert self._bar is not None
        self._bar.reach(done)

    def _end(self) -> None:
        if self._bar is not None:
            self._bar.__exit__(None, None, None)
            self._bar = None


def _show_validation(event: TrainingEvent) -> None:
    found: dict[str, float] = {}
    for name, score in event.scores.items():
        found[name] = round(score.mean, 4)
        doubt = ""
        if score.error is not None and score.median is not None and score.won is not None:
            found[f"{name}_error"] = round(score.error, 4)
            doubt = (
                f" ± {score.error:.3f} (standard error; median {score.median:.3f}, "
                f"better on {score.won:.0%} of {score.workloads} workloads)"
            )
        at = ", ".join(f"{ratio:.3f} at w = {w:g}" for w, ratio in score.at.items())
        err().print(
            f"{event.steps:,} decisions, {name} weights: "
            f"[bold]{score.mean:.3f}[/]{doubt} of the baseline's objective ({at})",
            soft_wrap=True,
        )
    emit("validation", steps=event.steps, **found)


def in_job() -> bool:
    """Whether this process is a job of the kind `command`."""
    return _METRICS in os.environ


def emit(kind: str, **values: Any) -> None:
    """Append a line to the job's metrics; does nothing outside of a job."""
    if in_job():
        line = json.dumps({"time": round(time.time(), 3), "kind": kind, **values})
        with Path(os.environ[_METRICS]).open("a", encoding="utf-8") as file:
            file.write(line + "\n")


def emit_share(done: int, of: int) -> None:
    """Append how much is done to the job's metrics, once per hundredth."""
    if PERCENT * done // of > PERCENT * (done - 1) // of:
        emit("progress", fraction=round(done / of, 4))


def copy_artifact(path: Path) -> None:
    """Copy a file, or the artifact in a folder, to the job's artifacts, if this is a job."""
    if _ARTIFACTS not in os.environ:
        return
    artifacts = Path(os.environ[_ARTIFACTS])
    if path.is_dir():
        shutil.copytree(path, artifacts / "policy", dirs_exist_ok=True)
    else:
        shutil.copy(path, artifacts)
