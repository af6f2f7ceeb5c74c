"""What a part is: it measures into plain values, and reports from them alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.policy import artifacts
from benchmarks.policy.evaluation import Kept, Results, RunTask, evaluate
from benchmarks.policy.tables import Section

Found = Mapping[str, Any]
"""JSON: what was measured."""


@dataclass(frozen=True, slots=True)
class Measuring:
    """How to measure."""

    quick: bool = False
    """Two workloads instead of all: to see that everything works."""
    workers: int = 1
    folder: Path = artifacts.FOLDER
    """Of the artifacts."""
    kept: Kept = field(default_factory=Kept)

    def find(self, *groups: str, seeds: int = artifacts.SEEDS) -> artifacts.Found:
        """Artifacts of these groups."""
        return artifacts.find(*groups, folder=self.folder, seeds=seeds)

    def evaluate(self, what: str, tasks: Sequence[RunTask]) -> Results:
        """Simulate, or look up what was simulated before."""
        return evaluate(what, tasks, self.kept, self.workers)

    def some(self, count: int) -> range:
        """Seeds of so many workloads."""
        return range(2 if self.quick else count)


@dataclass(frozen=True, slots=True)
class Part:
    """One question."""

    name: str
    measure: Callable[[Measuring], Found]
    report: Callable[[Found, Path], Section]
    """(what was measured, folder for plots)."""
    groups: tuple[str, ...]
    """Of the artifacts it looks at."""
