"""How far learning an index has got, in a folder: what a resumed run must know."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

import numpy as np

from agents.training.progress import TrainingProgress
from scheduler.arrays import Floats
from scheduler.domain.errors import InputError
from scheduler.files import write_text

STATE, START, LABELS = "index.json", "start", "labels"
"""The state, the folder of the artifact that learning starts from, and that of labels."""


@dataclass(slots=True)
class IndexRun:
    """A run after a whole number of generations or rounds."""

    folder: Path
    progress: TrainingProgress = field(default_factory=TrainingProgress)
    steps: int = 0
    """Decisions so far."""
    weights: list[float] | None = None
    """Of the last generation or round, B first; None before the first."""
    fitness: list[list[float]] = field(default_factory=list)
    """What an evolution strategy has found: by generation and candidate."""

    @classmethod
    def read(cls, folder: Path) -> IndexRun:
        """The run that the folder holds. Raises `InputError` if it holds none."""
        try:
            content = json.loads((folder / STATE).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(
                f"{folder} has no readable {STATE}: {error}",
                {"resume": "the folder of a training that got that far"},
            ) from error
        return cls(folder, TrainingProgress(**content.pop("progress")), **content)

    @property
    def latest(self) -> Floats | None:
        """The weights of the last generation or round; None before the first."""
        return None if self.weights is None else np.array(self.weights)

    def clear(self) -> None:
        """Remove labels of an earlier run in this folder."""
        shutil.rmtree(self.folder / LABELS, ignore_errors=True)

    def save(self) -> None:
        """Write all of it, or nothing."""
        kept = {each.name: getattr(self, each.name) for each in fields(self)[1:]}
        text = json.dumps({**kept, "progress": asdict(self.progress)})
        write_text(self.folder / STATE, text + "\n")

    def labels(self, number: int) -> Path:
        """The file of the labels of a round."""
        return self.folder / LABELS / f"{number}.npz"
