"""How far learning an index has got, in a folder: what a resumed run must know."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from agents import cpu_time
from agents.training.job_index.task import Validated
from scheduler.arrays import Floats
from scheduler.domain.errors import StateError
from scheduler.files import write_text

_FILE = "index.json"
_MAY_GROW = ("rounds", "generations")
"""Settings that may be others when a run goes on."""


@dataclass(slots=True)
class IndexRun:
    """The weights of each validated round, and what validation said of them."""

    folder: Path
    settings: list[dict[str, Any]]
    weights: list[list[float]] = field(default_factory=list)
    validated: list[dict[str, float]] = field(default_factory=list)
    """Each with mean, low, high (relative to the base), workloads, standard error and processor
    seconds; runs of older versions lack the last."""
    fitness: list[list[float]] = field(default_factory=list)
    """What an evolution strategy has tried: by generation and candidate."""
    cpu_seconds: float = 0.0
    """Processor time of all processes until the last write."""
    _since: float = field(default_factory=cpu_time.cpu_seconds, init=False, repr=False)

    @classmethod
    def open(cls, folder: Path, settings: tuple[Any, ...]) -> IndexRun:
        """A new run, or the one that the folder holds.

        Raises `StateError` if that has other settings.
        """
        asked = [
            {name: value for name, value in asdict(each).items() if name not in _MAY_GROW}
            for each in settings
        ]
        asked = json.loads(json.dumps(asked))
        file = folder / _FILE
        if not file.is_file():
            folder.mkdir(parents=True, exist_ok=True)
            return cls(folder, asked)
        kept = cls.read(folder)
        if kept.settings != asked:
            raise StateError(
                f"{folder} holds a training with other settings",
                {"folder": "another one, or the same settings"},
            )
        return kept

    @classmethod
    def read(cls, folder: Path) -> IndexRun:
        """The run that the folder holds."""
        return cls(folder, **json.loads((folder / _FILE).read_text(encoding="utf-8")))

    @property
    def rounds(self) -> int:
        """Rounds that are done."""
        return len(self.weights)

    @property
    def latest(self) -> Floats | None:
        """The weights of the last round; None before the first."""
        return np.array(self.weights[-1]) if self.weights else None

    @property
    def best(self) -> Floats | None:
        """The weights of the best validation; None if none was better than the base."""
        means = [each["mean"] for each in self.validated]
        if not means or min(means) >= 0.0:
            return None
        return np.array(self.weights[int(np.argmin(means))])

    def keep(self, weights: Floats, found: Validated) -> None:
        """Add a round."""
        difference = found.difference
        self._count_time()
        self.weights.append(weights.tolist())
        self.validated.append(
            {
                "mean": difference.mean,
                "low": difference.low,
                "high": difference.high,
                "workloads": difference.count,
                "error": found.error,
                "cpu_seconds": round(self.cpu_seconds, 1),
            }
        )
        self._write()

    def note(self, fitness: list[float]) -> None:
        """Add a generation."""
        self.fitness.append(fitness)
        self._write()

    def _count_time(self) -> None:
        now = cpu_time.cpu_seconds()
        self.cpu_seconds += now - self._since
        self._since = now

    def _write(self) -> None:
        self._count_time()
        kept = {
            each.name: getattr(self, each.name)
            for each in fields(self)
            if each.name not in ("folder", "_since")
        }
        write_text(self.folder / _FILE, json.dumps(kept) + "\n")

    def labels(self, number: int) -> Path:
        """The file of the labels of a round."""
        return self.folder / f"labels-{number}.npz"
