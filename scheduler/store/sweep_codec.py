"""Sweeps and trials ⇄ plain JSON: what is kept inside the JSON columns of a store.

As in `scheduler.store.codec`, fields that were added later take their defaults when older rows
are read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from scheduler.domain.groups.sweeps import (
    Dimension,
    Direction,
    EpochReport,
    Pruner,
    PrunerKind,
    SweepMethod,
    SweepSpec,
)
from scheduler.store import codec


def stored(spec: SweepSpec) -> SweepSpec:
    """The spec as a store gives it back. Raises `InputError` naming what cannot be stored."""
    job = codec.stored(spec.job)
    return sweep_spec(codec.exact(sweep_spec_json(replace(spec, job=job)), "sweep"))


def sweep_spec_json(spec: SweepSpec) -> dict[str, Any]:
    """All fields of the spec."""
    return {
        "job": codec.job_spec_json(spec.job),
        "parameters": {name: asdict(values) for name, values in spec.parameters.items()},
        "method": spec.method.value,
        "trials": spec.trials,
        "parallel": spec.parallel,
        "metric": spec.metric,
        "direction": spec.direction.value,
        "pruner": asdict(spec.pruner) | {"kind": spec.pruner.kind.value},
        "seed": spec.seed,
    }


def sweep_spec(data: Mapping[str, Any]) -> SweepSpec:
    """Inverse of `sweep_spec_json`."""
    values = {
        **data,
        "job": codec.job_spec(data["job"]),
        "parameters": {name: _dimension(one) for name, one in data["parameters"].items()},
        "method": SweepMethod(data["method"]),
        "direction": Direction(data["direction"]),
        "pruner": Pruner(**{**data["pruner"], "kind": PrunerKind(data["pruner"]["kind"])}),
    }
    return SweepSpec(**values)


def reports_json(reports: Sequence[EpochReport]) -> list[list[float | None]]:
    """Epoch, value and seconds of each."""
    return [[report.epoch, report.value, report.seconds] for report in reports]


def reports(data: Sequence[Sequence[Any]]) -> tuple[EpochReport, ...]:
    """Inverse of `reports_json`."""
    return tuple(EpochReport(epoch, value, seconds) for epoch, value, seconds in data)


def _dimension(data: Mapping[str, Any]) -> Dimension:
    return Dimension(**{**data, "choices": tuple(data["choices"])})
