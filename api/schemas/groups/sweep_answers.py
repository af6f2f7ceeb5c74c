"""Answers about sweeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

from pydantic import AwareDatetime, Field

from api.schemas.answer import Answer
from scheduler.domain.groups.sweeps import (
    Direction,
    PrunerKind,
    Sweep,
    SweepMethod,
    SweepState,
)

if TYPE_CHECKING:
    from scheduler.service.sweeps.views import SweepView, TrialView


class SweepOut(Answer):
    """A sweep as it stands."""

    id: int
    name: str
    user: str
    project: str
    state: SweepState
    reason: str
    final: bool = Field(description="Whether it never changes again.")
    submitted_at: AwareDatetime
    finished_at: AwareDatetime | None
    method: SweepMethod
    trials: int = Field(description="Trials in all.")
    parallel: int = Field(description="Trials that wait or run at the same time, at most.")
    metric: str
    direction: Direction
    pruner: PrunerKind
    seed: int

    @classmethod
    def of(cls, sweep: Sweep) -> Self:
        """From the domain's value."""
        return cls.from_values(sweep, sweep.spec, sweep.spec.job, **_own(sweep))


class SubmittedSweepOut(SweepOut):
    """A sweep as it was just submitted."""

    warnings: tuple[str, ...] = Field(
        (), description="What its jobs will probably not meet, such as their deadline; sentences."
    )

    @classmethod
    def submitted(cls, sweep: Sweep, warnings: Sequence[str]) -> Self:
        """From the domain's value."""
        values = (sweep, sweep.spec, sweep.spec.job)
        return cls.from_values(*values, **_own(sweep), warnings=tuple(warnings))


class TrialOut(Answer):
    """One trial."""

    number: int
    job: int | None = Field(description="Its job; null before it is submitted.")
    state: str = Field(
        description="The job's state while it is live, else COMPLETED, PRUNED, FAILED, CANCELLED."
    )
    reason: str = Field(description="Why it was pruned, failed or was cancelled.")
    parameters: Mapping[str, Any]
    value: float | None = Field(description="Its best value of the metric so far.")
    epoch: int | None = Field(description="The last epoch that it reported.")
    epochs: int | None = Field(description="Epochs that it was to take, if it said so.")
    device_s: float = Field(description="Seconds × devices so far.")
    dollars: float = Field(description="Measured, of ended attempts.")
    saved_device_s: float | None = Field(
        description="What its rest would have taken by its own epochs, if it was pruned."
    )
    curve: tuple[tuple[int, float], ...] | None = Field(
        None, description="Epoch and value of the metric, oldest first; null unless asked for."
    )

    @classmethod
    def told(cls, view: TrialView, *, curves: bool) -> Self:
        """From the service's value."""
        trial, reports = view.trial, view.trial.reports
        last = reports[-1].epoch if reports else None
        curve = tuple((one.epoch, one.value) for one in reports) if curves else None
        return cls.from_values(view, trial, job=trial.job, epoch=last, curve=curve)


class SweepDetail(SweepOut):
    """A sweep with its trials, the best first."""

    listing: tuple[TrialOut, ...] = Field(description="Its trials so far, the best first.")
    best: int | None = Field(description="Number of the best completed trial.")
    best_job: int | None = Field(description="The job of that trial.")
    counts: Mapping[str, int] = Field(description="Trials by state.")
    device_s: float = Field(description="Seconds × devices of all trials.")
    dollars: float
    saved_device_s: float = Field(description="What pruning saved, by estimate.")

    @classmethod
    def with_trials(cls, view: SweepView, *, curves: bool = False) -> Self:
        """From the service's value; `curves`: with the values of all epochs."""
        sweep, best = view.sweep, view.best
        return cls.from_values(
            sweep,
            sweep.spec,
            sweep.spec.job,
            view,
            **_own(sweep),
            listing=tuple(TrialOut.told(trial, curves=curves) for trial in view.trials),
            best=best and best.number,
            best_job=best and best.job,
        )


class SweepPage(Answer):
    """Sweeps, newest first."""

    sweeps: tuple[SweepOut, ...]
    next_cursor: str | None = Field(description="For the next page; null: this is the last.")


def _own(sweep: Sweep) -> dict[str, Any]:
    return {"final": sweep.state.final, "pruner": sweep.spec.pruner.kind}
