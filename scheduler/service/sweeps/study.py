"""Optuna's view of a sweep: what it draws next, and which trials it would stop.

Nothing is kept here that the stored trials do not hold: a study that is made of them again draws
and judges as the first one would have.
"""

from __future__ import annotations

import itertools
import json
import statistics
import warnings
import zlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from scheduler.domain.groups.sweeps import (
    Dimension,
    EpochReport,
    Pruner,
    PrunerKind,
    SweepMethod,
    SweepSpec,
    SweepTrial,
    TrialState,
)

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler
    from optuna.trial import Trial as OptunaTrial


class TrialStudy:
    """Draws the parameters of trials, and judges their reports. One thread uses it."""

    def __init__(self, spec: SweepSpec) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._spec = spec
        self._choices = {
            name: values.grid() if spec.method is SweepMethod.GRID else values.choices
            for name, values in spec.parameters.items()
        }
        self._distributions = {
            name: _distribution(values, self._choices[name])
            for name, values in spec.parameters.items()
        }
        self._study = optuna.create_study(
            direction=spec.direction.value, pruner=_pruner(spec.pruner)
        )
        self._trials: dict[int, OptunaTrial] = {}
        self._completed: dict[int, Mapping[int, float]] = {}
        """Number of each completed trial → its values by epoch."""

    def restore(self, trials: Sequence[SweepTrial]) -> None:
        """Take over the stored trials, by number."""
        for trial in trials:
            self._study.enqueue_trial(self._inside(trial.parameters))
            self._trials[trial.number] = self._study.ask(self._distributions)
            for report in trial.reports:
                self._judge(trial.number, report)
            if trial.state.final:
                self.end(trial)

    def draw(self) -> dict[str, Any]:
        """The parameters of the next trial; equal histories and seeds give equal ones."""
        number = len(self._trials) + 1
        if self._spec.method is SweepMethod.GRID:
            row = next(itertools.islice(self._grid(), number - 1, None))
            self._study.enqueue_trial(self._inside(row))
        else:
            seed = zlib.crc32(f"{self._spec.seed}/{number}".encode())
            self._study.sampler = _sampler(self._spec.method, seed)
        self._trials[number] = self._study.ask(self._distributions)
        drawn = self._trials[number].params
        return {name: self._outside(name, drawn[name]) for name in self._distributions}

    def judge(self, number: int, reports: Sequence[EpochReport]) -> str:
        """Take in new reports of a trial; why it shall be stopped, else an empty text."""
        reason = ""
        for report in reports:
            if self._judge(number, report) and not reason:
                reason = self._sentence(number, report)
        return reason

    def end(self, trial: SweepTrial) -> None:
        """Take in how a trial ended."""
        from optuna.trial import TrialState as OptunaState

        asked = self._trials[trial.number]
        if trial.state is TrialState.COMPLETED:
            assert trial.value is not None
            self._completed[trial.number] = {one.epoch: one.value for one in trial.reports}
            self._study.tell(asked, trial.value)
        elif trial.state is TrialState.PRUNED:
            self._study.tell(asked, state=OptunaState.PRUNED)
        else:
            self._study.tell(asked, state=OptunaState.FAIL)

    def _judge(self, number: int, report: EpochReport) -> bool:
        asked = self._trials[number]
        asked.report(report.value, report.epoch)
        return asked.should_prune()

    def _sentence(self, number: int, report: EpochReport) -> str:
        metric, said = self._spec.metric, f"pruned at epoch {report.epoch}: "
        said += f"{metric} {report.value:.4g}"
        if self._spec.pruner.kind is PrunerKind.ASHA:
            factor = self._spec.pruner.reduction_factor
            return f"{said} is not among the best 1/{factor} of the trials that came so far"
        others = [
            values[report.epoch]
            for other, values in self._completed.items()
            if other != number and report.epoch in values
        ]
        median = statistics.median(others)
        return f"{said}, median of {len(others)} completed trials {median:.4g}"

    def _grid(self) -> itertools.starmap[dict[str, Any]]:
        names = list(self._choices)
        rows = itertools.product(*self._choices.values())
        return itertools.starmap(lambda *row: dict(zip(names, row, strict=True)), rows)

    def _inside(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Values as Optuna has them: a choice is its position, for it may be any JSON."""
        return {
            name: _position(self._choices[name], value) if self._choices[name] else value
            for name, value in parameters.items()
        }

    def _outside(self, name: str, value: Any) -> Any:
        choices = self._choices[name]
        return choices[value] if choices else value


def _position(choices: Sequence[Any], value: Any) -> int:
    """Where a value stands; `1`, `1.0` and `true` are three values."""
    texts = [json.dumps(each, sort_keys=True) for each in choices]
    return texts.index(json.dumps(value, sort_keys=True))


def _distribution(values: Dimension, choices: Sequence[Any]) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if choices:
        return CategoricalDistribution(range(len(choices)))
    if values.whole:
        return IntDistribution(
            round(values.low), round(values.high), log=values.log, step=round(values.step or 1)
        )
    with warnings.catch_warnings():  # of a range that its step does not divide
        warnings.simplefilter("ignore", UserWarning)
        return FloatDistribution(values.low, values.high, log=values.log, step=values.step)


def _sampler(method: SweepMethod, seed: int) -> BaseSampler:
    from optuna.samplers import RandomSampler, TPESampler

    if method is SweepMethod.RANDOM:
        return RandomSampler(seed=seed)
    return TPESampler(seed=seed, multivariate=True, constant_liar=True)


def _pruner(pruner: Pruner) -> BasePruner:
    from optuna.pruners import MedianPruner, NopPruner, SuccessiveHalvingPruner

    if pruner.kind is PrunerKind.MEDIAN:
        # Optuna's steps count from 0.
        return MedianPruner(
            n_startup_trials=pruner.startup_trials, n_warmup_steps=pruner.warmup_epochs + 1
        )
    if pruner.kind is PrunerKind.ASHA:
        return SuccessiveHalvingPruner(
            min_resource=pruner.min_epochs, reduction_factor=pruner.reduction_factor
        )
    return NopPruner()
