"""Where the files of jobs and attempts lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Folders:
    """`<root>/<job>/` holds checkpoints/ and artifacts/, and one folder for each attempt."""

    root: Path

    def job(self, job: int) -> Path:
        """Of all attempts of a job."""
        return self.root / str(job)

    def attempt(self, job: int, number: int) -> Path:
        """order.json, log.txt, metrics.jsonl, result.json and exit.json of one attempt."""
        return self.job(job) / f"attempt-{number}"

    def artifacts(self, job: int) -> Path:
        """What the job's work leaves for others."""
        return self.job(job) / "artifacts"
