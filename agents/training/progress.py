"""How far a training is: what it tells while it runs, and what a resumed one must know."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from agents.serving.artifact import CurvePoint, Judged
from agents.training.config import Training
from agents.training.scores import Score
from scheduler.domain.errors import InputError
from scheduler.files import write_text

CHECKPOINT, CURVE = "checkpoint", "curve.json"
DEMONSTRATIONS = "demonstrations"
"""Before the first checkpoint: finished parts of the demonstrations, and `TrainingProgress`."""
PROGRESS = "progress.json"
REPLACED_CHECKPOINT = f"{CHECKPOINT}.old"
_OLD_DEMONSTRATIONS = "lessons"


@dataclass(frozen=True, slots=True)
class TrainingEvent:
    """How far a training is."""

    stage: str
    """`demonstrations`, `imitation` (the policy is fitted to them), `heuristics` (they play the
    validation workloads), `learning`, `validated`, or `test` (for the promotion)."""
    done: float
    """Share of the stage that is done; of `validated`: share of `learning`."""
    scores: Mapping[str, Score] = field(default_factory=dict)
    """`raw` and `averaged` weights, where the stage is `validated`; an index has raw ones."""
    steps: int = 0
    """Decisions that were learned from."""
    fraction: float | None = None
    """Share of the whole training that is done; None in stages that take little of its time."""


Tell = Callable[[TrainingEvent], None]


@dataclass(slots=True)
class TrainingProgress:
    """What a resumed training must know beside the weights."""

    rollouts: int = 0
    best: float = float("inf")
    """Least mean ratio to the baseline of any validation."""
    stale: int = 0
    """Validations since the best."""
    seconds: float = 0.0
    """Duration of all so far, demonstrations and validations included."""
    cpu_seconds: float = 0.0
    """Processor time of all processes in that time."""
    curve: list[CurvePoint] = field(default_factory=list)
    heuristics: dict[str, Judged] = field(default_factory=dict)
    command: str = ""
    """All command lines that took part, in order."""
    commit: str = ""
    """The commit of the code that each of them ran, in order: files may change meanwhile."""

    def over(self, config: Training) -> bool:
        """Whether patience has run out, which ends the training."""
        return self.stale >= config.patience

    def save(self, folder: Path) -> None:
        """Write it into a folder: all of it, or nothing."""
        write_text(folder / PROGRESS, json.dumps(asdict(self)))


def progress_in(run: Path) -> TrainingProgress:
    """How far a run has got: of its checkpoint, or of its demonstrations if it has none yet.

    A checkpoint that was just being replaced by the next is put back. Raises `InputError` if
    there is nothing.
    """
    for now, before in ((CHECKPOINT, REPLACED_CHECKPOINT), (DEMONSTRATIONS, _OLD_DEMONSTRATIONS)):
        if (run / before).is_dir() and not (run / now).is_dir():
            (run / before).rename(run / now)
    for folder in (run / CHECKPOINT, run / DEMONSTRATIONS):
        if (folder / PROGRESS).is_file():
            return TrainingProgress(**json.loads((folder / PROGRESS).read_text()))
    raise InputError(
        f"{run} has neither a checkpoint nor demonstrations",
        {"resume": "the folder of a training that got that far"},
    )
