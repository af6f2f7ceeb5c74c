"""Tables of a comparison's page: means, differences, and who waited."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from agents.evaluation.by_class import By, JobClass, applying
from agents.evaluation.metrics import REGIME, Metric
from agents.evaluation.statistics import Difference, Interval, Verdict
from agents.evaluation.summary import ComparisonSummary, SummaryLine
from agents.report.format import NONE, Scale, percent, scale

GROUPS = (
    ("Time", ("jct_s", "wait_s", "wait_p95_s", "longest_wait_s", "starved", "makespan_s")),
    ("Slowdown", ("bsld_mean", "bsld_median", "bsld_p95", "bsld_p99", "slowdown_mean", "fairness")),
    ("Deadlines and cost", ("missed", "misses", "failed", "dollars", "joules", "objective")),
    ("Regime", REGIME),
)
"""Measures that share a table."""
MARKS = {Verdict.BETTER: "✓", Verdict.WORSE: "✗", Verdict.OPEN: "", Verdict.EQUAL: "="}
MOST_USERS = 10
"""Users in the tables: those with most jobs."""


@dataclass(frozen=True, slots=True)
class FigureTable:
    """A cell of a table."""

    mean: str
    limits: str = ""
    """Of the interval; empty if there is none."""
    key: float = 0.0
    """What the column is sorted by."""
    style: str = ""
    """CSS class."""
    mark: str = ""
    """Says the same as the style to those who see no colours."""
    also: str = ""
    """Of a difference: its median, and on how many workloads the policy is better."""


def tables(summary: ComparisonSummary, baseline: str) -> Iterator[dict[str, Any]]:
    """Means of the distinct lines, with intervals."""
    for title, names in GROUPS:
        shown = [each for each in summary.metrics if each.name in names]
        if not shown or not summary.distinct:
            continue
        scales = [
            scale(each.unit, (line.values[each.name].mean for line in summary.distinct))
            for each in shown
        ]
        best = [summary.best(each) for each in shown]
        yield {
            "title": title,
            "columns": _columns(shown, scales),
            "rows": [
                {
                    "label": line.label,
                    "baseline": line.policy == baseline,
                    "cells": [
                        _value(line, each, one, line.label == top)
                        for each, one, top in zip(shown, scales, best, strict=True)
                    ],
                }
                for line in summary.distinct
            ],
        }


def _columns(metrics: Sequence[Metric], scales: Sequence[Scale]) -> list[dict[str, str]]:
    return [
        {"title": each.title, "unit": one.unit, "meaning": each.meaning}
        for each, one in zip(metrics, scales, strict=True)
    ]


def _value(line: SummaryLine, metric: Metric, scaled: Scale, best: bool) -> FigureTable:
    value = line.values[metric.name]
    return FigureTable(
        scaled.text(value.mean),
        _limits(value, scaled.text),
        value.mean,
        "best" if best else "",
    )


def differences(summary: ComparisonSummary) -> Iterator[dict[str, Any]]:
    """Differences to the baseline."""
    lines = [line for line in summary.lines if line.differences]
    for title, names in GROUPS:
        shown = [each for each in summary.metrics if each.compared and each.name in names]
        if shown and lines:
            yield {
                "title": title,
                "columns": [
                    {"title": each.title, "unit": "", "meaning": each.meaning} for each in shown
                ],
                "rows": [
                    {
                        "label": line.label,
                        "baseline": False,
                        "cells": [_difference(each, line.differences[each.name]) for each in shown],
                    }
                    for line in lines
                ],
            }


def classes(summary: ComparisonSummary, by: By, baseline: str) -> dict[str, Any]:
    """A table for each class, if there are several."""
    found = summary.classes(by)
    shown = dict(itertools.islice(found.items(), MOST_USERS)) if by is By.USER else found
    every = [one for rows in shown.values() for _, one in rows]
    metrics = applying(every)
    scales = [scale(each.unit, (one.values[each.name].mean for one in every)) for each in metrics]
    several = len(found) > 1
    return {
        "title": f"By {by}",
        "only": None if several else next(iter(found), None),
        "tables": [
            {
                "title": f"{by.capitalize()} {name}",
                "columns": _columns(metrics, scales),
                "rows": [
                    {
                        "label": line.label,
                        "baseline": line.policy == baseline,
                        "cells": [
                            _of_class(one, each, scaled)
                            for each, scaled in zip(metrics, scales, strict=True)
                        ],
                    }
                    for line, one in rows
                ],
            }
            for name, rows in shown.items()
            if several
        ],
        "hidden": len(found) - len(shown),
    }


def _of_class(one: JobClass, metric: Metric, scaled: Scale) -> FigureTable:
    value, held = one.values[metric.name], one.differences.get(metric.name)
    if held is None:
        return FigureTable(scaled.text(value.mean), _limits(value, scaled.text), value.mean)
    return FigureTable(
        scaled.text(value.mean),
        _limits(value, scaled.text),
        value.mean,
        held.verdict,
        MARKS[held.verdict],
        "" if math.isnan(held.relative.mean) else percent(held.relative.mean),
    )


def _difference(metric: Metric | None, one: Difference) -> FigureTable:
    """In percent of the baseline; where that is 0, in the metric's unit."""
    also = f"median {percent(one.median)}, won {one.won} of {one.count}"
    if not math.isnan(one.relative.mean) or metric is None:
        value = one.relative
        text, limits = percent(value.mean), _limits(value, percent).replace("\u2009%", "")
    else:
        value = one.value
        scaled = scale(metric.unit, (value.mean,))
        text, limits = f"{scaled.text(value.mean)} {scaled.unit}", _limits(value, scaled.text)
    return FigureTable(text, limits, value.mean, one.verdict, MARKS[one.verdict], also)


def area(policy: str, value: Interval, difference: Difference | None) -> dict[str, Any]:
    """A row of the table of hypervolumes."""

    def text(part: float) -> str:
        return f"{100 * part:.2f}"

    return {
        "policy": policy,
        "value": FigureTable(text(value.mean), _limits(value, text), value.mean),
        "difference": None if difference is None else _difference(None, difference),
    }


def _limits(value: Interval, text: Callable[[float], str]) -> str:
    """`12 to 14`; empty where one seed says nothing about others, or all say the same."""
    low, high = text(value.low), text(value.high)
    return "" if NONE in (low, high) or low == high else f"{low} to {high}"
