"""Figures of a run by the priority, the preference and the user of its jobs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from agents.evaluation.metrics import METRICS, Metric, MetricView, Unit
from agents.evaluation.statistics import Difference, Interval, difference, interval
from scheduler.arrays import Bools, Floats

BANDS = ("0–33", "34–66", "67–100")
"""Thirds of 0 … 100."""


class By(StrEnum):
    """Attribute that classes of jobs are formed by."""

    PRIORITY = "priority"
    PREFERENCE = "preference"
    """In hundredths, 0 cheapest … 100 fastest; the cluster's for jobs that name none."""
    USER = "user"


Breakdown = Mapping[str, Mapping[str, Mapping[str, float]]]
"""`By` → class → metric → figure of one run."""

JOBS = Metric(
    "jobs",
    "Jobs",
    Unit.JOBS,
    lambda view: float(len(view.outcome.job)),
    "Jobs of the class in a workload.",
)
CLASS_METRICS = {
    each.name: each
    for each in (
        JOBS,
        *(
            METRICS[name]
            for name in ("wait_s", "wait_p95_s", "longest_wait_s", "bsld_mean", "missed", "misses")
        ),
    )
}
"""Metrics of each class, name → metric, in the order of the columns."""


@dataclass(frozen=True, slots=True)
class JobClass:
    """The jobs of one class under one policy, over all workloads."""

    name: str
    values: Mapping[str, Interval]
    """By metric, over the workloads that have such jobs."""
    differences: Mapping[str, Difference]
    """By metric, to the same class under the baseline; empty for the baseline."""


def classify(view: MetricView) -> Breakdown:
    """The figures of one run by class, in ascending order, without empty classes."""
    outcome = view.outcome
    named = outcome.preference
    wanted = np.where(np.isnan(named), view.preference, named)
    users = np.asarray(outcome.user, dtype=np.str_)
    classes: dict[By, dict[str, Bools]] = {
        By.PRIORITY: _bands(outcome.priority),
        By.PREFERENCE: _bands(100 * wanted),
        By.USER: {str(user): users == user for user in np.unique(users)},
    }
    return {
        str(by): {
            name: _figures(replace(view, outcome=outcome.of(rows)))
            for name, rows in masks.items()
            if rows.any()
        }
        for by, masks in classes.items()
    }


def summarised(
    runs: Sequence[Breakdown],
    pairs: Sequence[tuple[Breakdown, Breakdown]],
    by: By,
    *,
    distinct: int,
) -> tuple[JobClass, ...]:
    """Classes over the runs of a policy; `pairs`: with the baseline's on the same workloads.

    `distinct` as for `difference`. Users with most jobs come first.
    """
    names = dict.fromkeys(name for run in runs for name in run.get(by, {}))
    found = [
        JobClass(
            name,
            {
                each: interval([_figure(run, by, name, each) for run in runs])
                for each in CLASS_METRICS
            },
            {
                each.name: difference(
                    [_figure(one, by, name, each.name) for one, _ in pairs],
                    [_figure(other, by, name, each.name) for _, other in pairs],
                    distinct=distinct,
                    less=each.less,
                )
                for each in CLASS_METRICS.values()
                if pairs and each is not JOBS
            },
        )
        for name in names
    ]
    if by is By.USER:
        return tuple(sorted(found, key=lambda one: (-_total(one), one.name)))
    return tuple(sorted(found, key=lambda one: BANDS.index(one.name)))


def applying(classes: Iterable[JobClass]) -> list[Metric]:
    """The metrics that apply to any of the classes."""
    found = {name for one in classes for name, value in one.values.items() if value.count}
    return [each for each in CLASS_METRICS.values() if each.name in found]


def _bands(values: Floats) -> dict[str, Bools]:
    places = np.minimum(values * len(BANDS) // 100, len(BANDS) - 1)
    return {name: places == place for place, name in enumerate(BANDS)}


def _figures(view: MetricView) -> dict[str, float]:
    return {each.name: float(each.of(view)) for each in CLASS_METRICS.values()}


def _figure(run: Breakdown, by: By, name: str, metric: str) -> float:
    """nan: the workload has no such job."""
    return run.get(by, {}).get(name, {}).get(metric, np.nan)


def _total(one: JobClass) -> float:
    jobs = one.values[JOBS.name]
    return jobs.mean * jobs.count
