"""Where the files of jobs and attempts lie."""

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
        """Of all attempts of a job."""
        return self.root / str(job)

    def attempt(self, job: int, number: int) -> Path:
        """log.txt and metrics.jsonl of one attempt, and work/, where a command runs."""
        return self.job(job) / f"attempt-{number}"

    def key(self, attempt: Attempt) -> AttemptKey:
        """The attempt, as an executor knows it."""
        return AttemptKey(attempt.id, attempt.nonce, self.attempt(attempt.job, attempt.number))

    def artifacts(self, job: int) -> Path:
        """What the job's work leaves for others."""
        return self.job(job) / "artifacts"
