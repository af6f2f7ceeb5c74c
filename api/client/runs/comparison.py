"""What trainings have in common, what differs, and how well each of them did."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from api.client.job import JobHandle
    from api.schemas import JobDetail, MetricsOut

BY = ("validation_accuracy", "accuracy", "train_accuracy")
"""Figures of an epoch by which the best one is chosen: the first that a run has."""
NO_FIGURES = frozenset({"kind", "time", "epoch", "epochs"})
"""Numbers of an epoch's line that measure nothing."""
PLACE = ("pool", "width")
"""Of the newest attempt; they count as part of what was run."""


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """One training, or a program that reports epochs."""

    job: int
    name: str
    kind: str
    state: str
    settings: Mapping[str, Any]
    """Its work with dotted names (`augmentation.rotation`), and the pool and width it ran on."""
    curves: Mapping[str, Mapping[int, float]]
    """Figure of an epoch → epoch, from 1 → value."""
    best_epoch: int | None
    """By the accuracy of the validation, else of the epoch or of the training."""
    best: Mapping[str, float]
    """All figures of that epoch."""
    test: Mapping[str, float]
    """The metrics of its result; empty before it succeeds."""
    epochs: int
    """Epochs done."""
    seconds: float
    """All its attempts ran for so long."""
    dollars: float
    joules: float

    @property
    def accuracy(self) -> float | None:
        """Of the test; before it, of the best epoch."""
        return self.test.get("accuracy", self.best_accuracy)

    @property
    def best_accuracy(self) -> float | None:
        """The accuracy of the best epoch by which it was chosen; None without one."""
        return next((self.best[name] for name in BY if name in self.best), None)


@dataclass(frozen=True, slots=True)
class RunComparison:
    """Several trainings, in the order in which they were asked for."""

    runs: Sequence[TrainingRun]

    @property
    def differences(self) -> list[str]:
        """Names of the settings in which the runs differ, in the order of the first run's."""
        names = dict.fromkeys(name for run in self.runs for name in run.settings)
        return [
            name
            for name in names
            if any(run.settings.get(name) != self.runs[0].settings.get(name) for run in self.runs)
        ]

    @property
    def figures(self) -> list[str]:
        """Names of all figures that the runs have measured after their epochs."""
        return list(dict.fromkeys(name for run in self.runs for name in run.curves))

    @property
    def best(self) -> TrainingRun | None:
        """The run with the highest accuracy: of the test if all have one, else of the best epoch.

        None if no run has an accuracy.
        """
        tested = all("accuracy" in run.test for run in self.runs)
        scores = [
            (run.test["accuracy"] if tested else run.best_accuracy or 0.0, run)
            for run in self.runs
            if tested or run.best_accuracy is not None
        ]
        return max(scores, key=lambda one: one[0])[1] if scores else None

    def document(self) -> dict[str, Any]:
        """As JSON."""
        best = self.best
        return {
            "differences": self.differences,
            "best": None if best is None else best.job,
            "runs": [
                {name: getattr(run, name) for name in TrainingRun.__slots__} for run in self.runs
            ],
        }


def compared(jobs: Iterable[JobHandle]) -> RunComparison:
    """Read the jobs and their metrics. Raises `NotFoundError`."""
    return RunComparison([_run(job.detail(), job.metrics(kind="epoch")) for job in jobs])


def _run(job: JobDetail, attempts: Sequence[MetricsOut]) -> TrainingRun:
    epochs = _epochs(attempts)
    by = next((name for name in BY if any(name in row for row in epochs.values())), None)
    rated = {epoch: row[by] for epoch, row in epochs.items() if by in row} if by else {}
    best = max(rated, key=lambda epoch: rated[epoch], default=None)
    names = dict.fromkeys(name for row in epochs.values() for name in row)
    newest = job.history[-1] if job.history else None
    place = {name: None if newest is None else getattr(newest, name) for name in PLACE}
    metrics = (job.result or {}).get("metrics")
    return TrainingRun(
        job=job.id,
        name=job.name,
        kind=job.kind.value,
        state=job.state.value,
        settings={**dict(_flat(job.work)), **place},
        curves={
            name: {epoch: row[name] for epoch, row in epochs.items() if name in row}
            for name in names
        },
        best_epoch=best,
        best={} if best is None else epochs[best],
        test=_numbers(metrics) if isinstance(metrics, Mapping) else {},
        epochs=len(epochs),
        seconds=sum(
            (one.finished_at - one.started_at).total_seconds()
            for one in job.history
            if one.started_at is not None and one.finished_at is not None
        ),
        dollars=job.dollars,
        joules=job.joules,
    )


def _epochs(attempts: Sequence[MetricsOut]) -> dict[int, dict[str, float]]:
    """Epoch → its figures; of an epoch that was done twice, those of the later attempt."""
    found: dict[int, dict[str, float]] = {}
    for attempt in attempts:
        for line in attempt.lines:
            epoch = line.get("epoch")
            if isinstance(epoch, int | float):
                found[int(epoch)] = _numbers(line)
    return dict(sorted(found.items()))


def _numbers(line: Mapping[str, Any]) -> dict[str, float]:
    return {
        name: float(value)
        for name, value in line.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and name not in NO_FIGURES
    }


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
