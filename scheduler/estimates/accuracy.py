"""Errors of past estimates."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from scheduler.domain.records import Measurement

ALL = "all"


def source(measurement: Measurement) -> str:
    """Where the estimate came from."""
    return measurement.source


def kind(measurement: Measurement) -> str:
    """Kind of the job: what its profile's key begins with."""
    return measurement.key.partition(":")[0]


@dataclass(frozen=True, slots=True)
class ErrorRow:
    """Errors of the estimates of one group of attempts."""

    group: str
    count: int
    median_error: float
    """Median of |estimate − truth| / truth; 0.1 is 10 %."""
    p90_error: float
    """90th percentile of the same."""
    bias: float
    """Median of estimate / truth, minus 1: above 0 the estimates are too long."""
    coverage: float | None = None
    """Share of runtimes inside the interval of 80 %; None: no interval was known for any."""


def errors(
    measurements: Iterable[Measurement],
    by: Callable[[Measurement], str] = source,
    covered: Mapping[tuple[int, int], bool] | None = None,
) -> list[ErrorRow]:
    """One row per group (`by`: `source`, `kind` or a function), largest first, then `all`.

    `covered`: (job, attempt) → whether its runtime was inside the interval of 80 %. Attempts
    without an estimate or a duration are left out; nothing measured gives no rows.
    """
    ratios: dict[str, list[float]] = defaultdict(list)
    inside: dict[str, list[bool]] = defaultdict(list)
    covered = covered or {}
    for measurement in measurements:
        if measurement.estimated_s > 0 and measurement.seconds > 0:
            group = by(measurement)
            ratios[group].append(measurement.estimated_s / measurement.seconds)
            attempt = measurement.job, measurement.attempt
            if attempt in covered:
                inside[group].append(covered[attempt])
    groups = sorted(ratios.items(), key=lambda item: (-len(item[1]), item[0]))
    if groups:
        groups.append((ALL, [ratio for _, values in groups for ratio in values]))
        inside[ALL] = [one for values in inside.values() for one in values]
    return [_row(group, values, inside[group]) for group, values in groups]


def _row(group: str, ratios: list[float], inside: list[bool]) -> ErrorRow:
    error = np.abs(np.asarray(ratios) - 1)
    return ErrorRow(
        group=group,
        count=len(ratios),
        median_error=float(np.median(error)),
        p90_error=float(np.percentile(error, 90)),
        bias=float(np.median(ratios)) - 1,
        coverage=sum(inside) / len(inside) if inside else None,
    )
