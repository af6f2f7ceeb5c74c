"""Paths of the files of jobs and attempts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from scheduler.domain.jobs import Attempt
from scheduler.executors.base import AttemptKey


@dataclass(frozen=True, slots=True)
class Paths:
    """`<root>/<job>/` holds checkpoints/ and artifacts/, and one folder for each attempt."""

    root: Path

    def job(self, job: int) -> Path:
        """The folder of a job, for all its attempts."""
        return self.root / str(job)

    def attempt(self, job: int, number: int) -> Path:
        """The folder of one attempt: log.txt, metrics.jsonl, and work/, where a command runs."""
        return self.job(job) / f"attempt-{number}"

    def key(self, attempt: Attempt) -> AttemptKey:
        """The attempt, as an executor knows it."""
        return AttemptKey(
            attempt.id, attempt.nonce, self.attempt(attempt.job, attempt.number), attempt.nodes
        )

    def checkpoints(self, job: int) -> Path:
        """The folder of what a job's attempts save for later ones."""
        return self.job(job) / "checkpoints"

    def artifacts(self, job: int) -> Path:
        """The folder of what a job leaves for other jobs."""
        return self.job(job) / "artifacts"
