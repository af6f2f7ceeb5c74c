"""Sweeps: searches for hyper-parameters, and the trials that each consists of."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from scheduler.domain.jobs import JobSpec


class SweepMethod(StrEnum):
    """How a sweep chooses the parameters of its trials."""

    GRID = "grid"
    """Every combination, in the order of the file."""
    RANDOM = "random"
    """Independent draws (Bergstra and Bengio 2012)."""
    TPE = "tpe"
    """Tree-structured Parzen estimator: draws near the best trials so far (Bergstra et al.
    2011)."""


class PrunerKind(StrEnum):
    """Which trials a sweep stops early."""

    NONE = "none"
    MEDIAN = "median"
    """Those whose best value so far is worse than the median of the completed trials at that
    epoch (Golovin et al. 2017, "Google Vizier", sec. 3.2.2)."""
    ASHA = "asha"
    """Asynchronous successive halving (Li et al. 2020): a trial goes on at epochs m, m·η, m·η²,
    … only if it is among the best 1/η of those that came so far."""


class Direction(StrEnum):
    """Which values of a metric are better."""

    MAXIMIZE = "maximize"
    MINIMIZE = "minimize"

    def better(self, value: float, other: float) -> bool:
        """Whether `value` is better than `other`."""
        return value > other if self is Direction.MAXIMIZE else value < other

    def rank(self, value: float | None) -> float:
        """A sort key: the best value first, no value last."""
        if value is None:
            return math.inf
        return -value if self is Direction.MAXIMIZE else value


@dataclass(frozen=True, slots=True)
class Dimension:
    """The values of one parameter: `choices`, or the numbers from `low` to `high`."""

    choices: tuple[Any, ...] = ()
    """Any values of JSON; empty for a range."""
    low: float = 0.0
    high: float = 0.0
    """Inclusive."""
    log: bool = False
    """Whether equal ratios are equally likely, instead of equal differences."""
    whole: bool = False
    """Whether only whole numbers are drawn."""
    step: float | None = None
    """Distance of the values from `low` on; None: 1 for whole numbers, else any number."""
    points: int | None = None
    """Values that a grid takes from the range; None: every one of a range that has steps."""

    def grid(self) -> tuple[Any, ...]:
        """The values that a grid tries, in order; empty for a range that does not say how many."""
        if self.choices:
            return self.choices
        if self.points is None:
            step = self.step or (1.0 if self.whole and not self.log else 0.0)
            if not step:
                return ()
            count = math.floor((self.high - self.low) / step + 1e-9) + 1
            return tuple(self._number(self.low + step * at) for at in range(count))
        if self.points == 1:
            return (self._number(self.low),)
        shares = [at / (self.points - 1) for at in range(self.points)]
        if self.log:
            found = [self.low * (self.high / self.low) ** share for share in shares]
        else:
            found = [self.low + (self.high - self.low) * share for share in shares]
        return tuple(dict.fromkeys(self._number(value) for value in found))

    def probes(self) -> tuple[Any, ...]:
        """Values that must be legal so that all are: every choice, or both ends and a fraction."""
        if self.choices:
            return self.choices
        ends = (self._number(self.low), self._number(self.high))
        if self.whole or self.step is not None:
            return ends
        return (*ends, self.low + 0.382 * (self.high - self.low))

    def _number(self, value: float) -> float | int:
        return round(value) if self.whole else float(f"{value:.12g}")


@dataclass(frozen=True, slots=True)
class Pruner:
    """When a trial is stopped early."""

    kind: PrunerKind = PrunerKind.NONE
    startup_trials: int = 5
    """`median`: trials that must have completed before any is stopped."""
    warmup_epochs: int = 0
    """`median`: epochs of each trial in which it is not stopped."""
    min_epochs: int = 1
    """`asha`: the first epoch at which trials are compared (m)."""
    reduction_factor: int = 4
    """`asha`: one of so many goes on (η)."""


@dataclass(frozen=True, slots=True)
class SweepSpec:
    """A validated sweep."""

    job: JobSpec
    """The job of every trial, before the parameters are filled in."""
    parameters: Mapping[str, Dimension]
    """Field (`work.learning_rate`), or name of a `{placeholder}` in a command, → its values."""
    method: SweepMethod
    trials: int
    """Trials in all."""
    parallel: int
    """Trials that wait or run at the same time, at most."""
    metric: str
    """The number that reports of epochs tell: `validation_accuracy`, …"""
    direction: Direction
    pruner: Pruner = field(default_factory=Pruner)
    seed: int = 0


class SweepState(StrEnum):
    """States of a sweep."""

    RUNNING = "RUNNING"
    """It makes trials, or waits for their ends."""
    CANCELLING = "CANCELLING"
    """It makes no further trials; those that are live are being cancelled."""
    SUCCEEDED = "SUCCEEDED"
    """All trials have ended, at least one of them completed."""
    FAILED = "FAILED"
    """All trials have ended, and none completed."""
    CANCELLED = "CANCELLED"

    @property
    def final(self) -> bool:
        """Whether the sweep never changes again."""
        return self not in LIVE_SWEEPS


LIVE_SWEEPS = (SweepState.RUNNING, SweepState.CANCELLING)


@dataclass(frozen=True, slots=True)
class Sweep:
    """A submitted sweep as the store holds it."""

    id: int
    spec: SweepSpec
    state: SweepState
    reason: str
    submitted_at: float
    """Unix seconds."""
    nonce: str
    """Drawn at random when the sweep is stored; part of the idempotency keys of its trials."""
    finished_at: float | None = None


class TrialState(StrEnum):
    """States of a trial."""

    PLANNED = "PLANNED"
    """Its parameters are drawn; its job is not submitted yet."""
    LIVE = "LIVE"
    """Its job waits or runs."""
    PRUNING = "PRUNING"
    """It is to be stopped early; its job has not ended yet."""
    COMPLETED = "COMPLETED"
    PRUNED = "PRUNED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    """A person cancelled its job, or the sweep."""

    @property
    def final(self) -> bool:
        """Whether the trial never changes again."""
        return self not in (TrialState.PLANNED, TrialState.LIVE, TrialState.PRUNING)


@dataclass(frozen=True, slots=True)
class EpochReport:
    """What a trial told about one epoch."""

    epoch: int
    """From 1."""
    value: float
    """Of the sweep's metric."""
    seconds: float | None = None
    """How long the epoch took; None if the trial did not say."""


@dataclass(frozen=True, slots=True)
class SweepTrial:
    """One choice of parameters, and what came of it."""

    sweep: int
    number: int
    """From 1, in the order in which they were drawn."""
    parameters: Mapping[str, Any]
    state: TrialState = TrialState.PLANNED
    reason: str = ""
    """Why it was pruned, failed or was cancelled."""
    job: int | None = None
    reports: tuple[EpochReport, ...] = ()
    """By epoch; the pruner has judged all of them."""
    epochs: int | None = None
    """Epochs that it was to take; None if it did not say."""
    value: float | None = None
    """Its best value so far; of a command without epochs, the one that it reported at its end."""

    @property
    def epoch_s(self) -> float | None:
        """Mean seconds of its epochs; None if it told none."""
        told = [report.seconds for report in self.reports if report.seconds is not None]
        return math.fsum(told) / len(told) if told else None

    @property
    def saved_s(self) -> float | None:
        """Seconds that its epochs would have gone on, had it not been pruned, by its own pace.

        None unless it was pruned, and told its epochs and their times.
        """
        pace = self.epoch_s
        if self.state is not TrialState.PRUNED or self.epochs is None or pace is None:
            return None
        return max(0, self.epochs - self.reports[-1].epoch) * pace
