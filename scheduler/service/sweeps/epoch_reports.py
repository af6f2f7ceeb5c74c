"""What trials report about their epochs, as it is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scheduler import jsonlines
from scheduler.domain.groups.sweeps import EpochReport
from scheduler.files import regular
from scheduler.json_values import finite
from scheduler.service.paths import Paths

METRICS = "metrics.jsonl"


@dataclass(slots=True)
class ReportReader:
    """Reads the reports of one job, each line of its attempts' metrics once.

    A line of kind `epoch` tells `epoch` (from 1) and the metric; `seconds` and `epochs` (how many
    there will be) if the program knows them. Of an epoch that a resumed attempt repeats the first
    report counts.
    """

    paths: Paths
    job: int
    metric: str
    reports: dict[int, EpochReport] = field(default_factory=dict)
    """By epoch."""
    epochs: int | None = None
    """Epochs that it will take, if it said so."""
    final: float | None = None
    """The metric in its last line of kind `test`."""
    _offsets: dict[int, int] = field(default_factory=dict)
    """Attempt → bytes of its file that have been read."""

    def read(self, attempts: int) -> None:
        """Take in what attempts 1 to `attempts` have written since the last look."""
        for attempt in range(1, attempts + 1):
            for row in self._new_rows(attempt, self.paths.attempt(self.job, attempt) / METRICS):
                self._take(row)

    def in_order(self) -> tuple[EpochReport, ...]:
        """All reports, by epoch."""
        return tuple(self.reports[epoch] for epoch in sorted(self.reports))

    def _new_rows(self, attempt: int, path: Path) -> Iterator[Mapping[str, Any]]:
        try:
            with regular(path) as file:
                file.seek(self._offsets.get(attempt, 0))
                for line in jsonlines.lines(file):
                    if not line.endswith(b"\n"):  # it is being written
                        return
                    self._offsets[attempt] = file.tell()
                    yield jsonlines.record(line) or {}
        except OSError:
            return

    def _take(self, row: Mapping[str, Any]) -> None:
        value = finite(row.get(self.metric))
        if row.get("kind") == "test" and value is not None:
            self.final = value
        if row.get("kind") != "epoch":
            return
        total, epoch = _whole(row.get("epochs")), _whole(row.get("epoch"))
        self.epochs = total or self.epochs
        if epoch is not None and value is not None:
            self.reports.setdefault(epoch, EpochReport(epoch, value, finite(row.get("seconds"))))


def _whole(value: Any) -> int | None:
    number = finite(value)
    return int(number) if number is not None and 1 <= number <= 2**31 else None
