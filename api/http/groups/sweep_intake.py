"""From a submitted sweep to its spec: checks that every trial can be legal."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import islice, product
from typing import Any

from api.schemas.groups.sweep_requests import (
    LOWER_IS_BETTER,
    MAX_TRIALS,
    AnySweep,
    RangeIn,
    SweepIn,
)
from scheduler.domain.errors import InputError
from scheduler.domain.groups.sweeps import Dimension, Direction, Pruner, SweepMethod, SweepSpec
from scheduler.domain.jobs import JobKind, JobSpec
from scheduler.service.sweeps.trial_jobs import trial_work
from scheduler.validation import summary
from scheduler.workloads.spec.paths import PathLook

TPE_PARALLEL = 4
"""Trials of `tpe` at the same time, unless the sweep says otherwise."""
TRAINING_METRICS = tuple(
    f"{part}_{name}"
    for part, names in (
        ("validation", ("accuracy", "loss", "precision", "recall", "f1")),
        ("train", ("loss", "accuracy")),
    )
    for name in names
)
"""What a training reports after each epoch."""


def sweep_spec(sweep: AnySweep, job: JobSpec, look: PathLook) -> SweepSpec:
    """The spec of a sweep whose job became `job`. Raises `InputError` naming every wrong field."""
    asked, wrong = sweep.sweep, dict[str, str]()
    dimensions = {name: _dimension(values) for name, values in asked.parameters.items()}
    if sweep.array:
        wrong["array"] = "a sweep makes its own jobs; remove `array`, or the sweep"
    trials = _trials(asked, dimensions, wrong)
    metric = _metric(asked, job, wrong)
    if not wrong:
        _check_parameters(asked.method, dimensions, job, look, wrong)
    if wrong:
        raise InputError(summary(wrong), wrong)
    spread = TPE_PARALLEL if asked.method is SweepMethod.TPE else trials
    return SweepSpec(
        job=job,
        parameters=dimensions,
        method=asked.method,
        trials=trials,
        parallel=min(asked.parallel or spread, trials),
        metric=metric,
        direction=asked.direction or _direction(metric),
        pruner=Pruner(**asked.pruner.model_dump()),
        seed=asked.seed,
    )


def _dimension(values: Any) -> Dimension:
    return values.dimension if isinstance(values, RangeIn) else Dimension(choices=tuple(values))


def _trials(asked: SweepIn, dimensions: Mapping[str, Dimension], wrong: dict[str, str]) -> int:
    if asked.method is not SweepMethod.GRID:
        if asked.trials is None:
            wrong["sweep.trials"] = f"is required with {asked.method}: 1 to {MAX_TRIALS}"
        return asked.trials or 0
    counts = {name: len(values.grid()) for name, values in dimensions.items()}
    for name, count in counts.items():
        if not count:
            wrong[f"sweep.parameters.{name}"] = "a grid needs a list, or `points` of the range"
    size = math.prod(counts.values())
    if asked.trials is None and size > MAX_TRIALS:
        wrong["sweep.parameters"] = (
            f"the grid has {size} points; legal: up to {MAX_TRIALS}, or `trials` to try the first"
        )
    return min(asked.trials or size, size)


def _metric(asked: SweepIn, job: JobSpec, wrong: dict[str, str]) -> str:
    if job.kind is JobKind.COMMAND:
        if asked.metric is None:
            wrong["sweep.metric"] = "is required: a number that the program reports of each epoch"
        return asked.metric or ""
    metric = asked.metric or TRAINING_METRICS[0]
    if metric not in TRAINING_METRICS:
        legal = ", ".join(TRAINING_METRICS)
        wrong["sweep.metric"] = f"a training does not report {metric!r} of epochs; legal: {legal}"
    elif metric.startswith("validation") and not job.work.get("validation_fraction"):
        folder = str(job.work.get("dataset", "")).startswith("folder:")
        if not folder:  # which may have a part of its own for validation
            wrong["work.validation_fraction"] = f"should be above 0, to measure {metric}"
    return metric


def _direction(metric: str) -> Direction:
    return Direction.MINIMIZE if metric.endswith(LOWER_IS_BETTER) else Direction.MAXIMIZE


def _check_parameters(
    method: SweepMethod,
    dimensions: Mapping[str, Dimension],
    job: JobSpec,
    look: PathLook,
    wrong: dict[str, str],
) -> None:
    for parameters in _samples(method, dimensions):
        try:
            trial_work(job, parameters, look)
        except InputError as error:
            for name, text in error.fields.items():
                at = f"sweep.parameters.{name}" if name in dimensions else name
                said = f"{text} (with {_shown(parameters)})" if method is SweepMethod.GRID else text
                wrong.setdefault(at, said)


def _samples(
    method: SweepMethod, dimensions: Mapping[str, Dimension]
) -> Iterator[Mapping[str, Any]]:
    """Parameters that must be legal: all of a grid, else each value beside the first others."""
    if method is SweepMethod.GRID:
        rows = product(*(values.grid() for values in dimensions.values()))
        for row in islice(rows, MAX_TRIALS):
            yield dict(zip(dimensions, row, strict=True))
        return
    first = {name: values.probes()[0] for name, values in dimensions.items()}
    for name, values in dimensions.items():
        for value in values.probes():
            yield {**first, name: value}


def _shown(parameters: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in parameters.items())
