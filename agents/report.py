"""A comparison as one HTML page that needs nothing else: tables, plots, manifest."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import jinja2
from markupsafe import Markup

from agents.cell import Timeline
from agents.compare import Comparison
from agents.drawing import plots
from agents.drawing.style import styled, svg
from agents.drawing.timelines import horizon, timeline
from agents.figures import NONE, Scale, percent, scale
from agents.manifest import Manifest
from agents.measures import MEASURES, Measure
from agents.statistics import LEAST, Interval
from agents.summary import Difference, Line, Summary, Verdict

GROUPS = (
    ("Time", ("jct_s", "wait_s", "bsld_mean", "bsld_median", "bsld_p95", "bsld_p99")),
    ("Service", ("slowdown_mean", "misses", "longest_wait_s", "starved", "failed", "fairness")),
    ("Resources", ("dollars", "joules", "utilisation", "makespan_s", "objective")),
)
"""Measures that share a table."""


@dataclass(frozen=True, slots=True)
class Figures:
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


def report(comparison: Comparison, summaries: Sequence[Summary], manifest: Manifest) -> str:
    """The page: valid HTML without scripts, styles, fonts or pictures from elsewhere."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("agents"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    with styled():
        names = (f"plot{number}" for number in itertools.count(1))
        sections = [_section(comparison, one, names) for one in summaries]
    return environment.get_template("comparison.html").render(
        sections=sections,
        manifest=manifest,
        comparison=comparison,
        measures=MEASURES.values(),
        total=len(comparison.runs),
        least=LEAST,
    )


def _section(comparison: Comparison, summary: Summary, names: Iterator[str]) -> dict[str, Any]:
    scenario = comparison.scenarios[summary.scenario]
    several = len(comparison.preferences) > 1
    typical = summary.at(scenario.preference)
    return {
        "scenario": scenario,
        "jobs": comparison.conditions.jobs or scenario.source.jobs,
        "preference": typical.lines[0].preference if several and typical.lines else None,
        "empty": not summary.lines,
        "tables": list(_tables(typical, comparison.baseline)),
        "differences": list(_differences(typical)),
        "all_tables": list(_tables(summary, comparison.baseline)) if several else [],
        "all_differences": list(_differences(summary)) if several else [],
        "balance": [
            (line.label, *(line.count(each) for each in Verdict))
            for line in typical.lines
            if line.differences
        ],
        "areas": [_area(area.policy, area.value, area.difference) for area in summary.areas],
        "front": [line.label for line in summary.front],
        "tradeoff": _tradeoff(comparison, summary, names),
        "plots": list(_plots(comparison, typical, names)) if typical.lines else [],
        "timelines": list(_timelines(comparison, typical, names)),
    }


def _tables(summary: Summary, baseline: str) -> Iterator[dict[str, Any]]:
    for title, names in GROUPS:
        shown = [each for each in summary.measures if each.name in names]
        if not shown or not summary.distinct:
            continue
        scales = [
            scale(each.unit, (line.values[each.name].mean for line in summary.distinct))
            for each in shown
        ]
        best = [summary.best(each) for each in shown]
        yield {
            "title": title,
            "columns": [
                {"title": each.title, "unit": one.unit, "meaning": each.meaning}
                for each, one in zip(shown, scales, strict=True)
            ],
            "rows": [
                {
                    "label": line.label,
                    "baseline": line.policy == baseline,
                    "cells": [
                        _value(line, each, one, line.label in top)
                        for each, one, top in zip(shown, scales, best, strict=True)
                    ],
                }
                for line in summary.distinct
            ],
        }


def _value(line: Line, measure: Measure, scaled: Scale, best: bool) -> Figures:
    value = line.values[measure.name]
    return Figures(
        scaled.text(value.mean),
        _limits(value, scaled.text),
        value.mean,
        "best" if best else "",
    )


def _differences(summary: Summary) -> Iterator[dict[str, Any]]:
    lines = [line for line in summary.lines if line.differences]
    for title, names in GROUPS:
        shown = [each for each in summary.measures if each.name in names]
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


def _difference(measure: Measure | None, one: Difference) -> Figures:
    """In percent of the baseline; where that is 0, in the measure's unit."""
    mark = {Verdict.BETTER: "✓", Verdict.WORSE: "✗"}.get(one.verdict, "")
    if not math.isnan(one.relative.mean) or measure is None:
        value = one.relative
        text, limits = percent(value.mean), _limits(value, percent).replace("\u2009%", "")
    else:
        value = one.value
        scaled = scale(measure.unit, (value.mean,))
        text, limits = f"{scaled.text(value.mean)} {scaled.unit}", _limits(value, scaled.text)
    return Figures(text, limits, value.mean, one.verdict, mark)


def _area(policy: str, value: Interval, difference: Difference | None) -> dict[str, Any]:
    def text(part: float) -> str:
        return f"{100 * part:.2f}"

    return {
        "policy": policy,
        "value": Figures(text(value.mean), _limits(value, text), value.mean),
        "difference": None if difference is None else _difference(None, difference),
    }


def _tradeoff(
    comparison: Comparison, summary: Summary, names: Iterator[str]
) -> dict[str, Any] | None:
    """None without a reference point, which the hypervolume needs."""
    objective = comparison.scenarios[summary.scenario].objective
    if not summary.areas:
        return None
    corner = "the reference point of each drawn cluster"
    if objective is not None:
        latency, dollars = objective.reference_latency_s, objective.reference_dollars
        corner = f"the reference point ({latency:g} s, ${dollars:g} per job) of the scenario"
    return {
        "title": "Latency against cost",
        "text": "Down and to the left is better. Dashed: the Pareto front, which nobody "
        "undercuts in both; bars, if any: 95 % intervals. A curve joins a policy's preferences, "
        "from the hollow point (the first) to its name (the last). The hypervolume counts the "
        f"area between a policy's front and {corner}.",
        "svg": _drawn(plots.tradeoff(comparison, summary, objective), names, "Latency and cost"),
    }


def _plots(
    comparison: Comparison, summary: Summary, names: Iterator[str]
) -> Iterator[dict[str, Any]]:
    forest = plots.differences(summary, comparison.baseline)
    if forest is not None:
        yield {
            "title": f"Differences to {comparison.baseline}",
            "text": "On the same seeds, with 95 % intervals. Green: better; red: worse; "
            "grey: these seeds do not tell.",
            "svg": _drawn(forest, names, "Differences to the baseline"),
        }
    yield {
        "title": "Distributions over jobs",
        "text": "Share of the jobs of all seeds that stay below a value; higher is better.",
        "svg": _drawn(plots.distributions(comparison, summary), names, "Distributions"),
    }


def _timelines(
    comparison: Comparison, summary: Summary, names: Iterator[str]
) -> Iterator[dict[str, Any]]:
    found: dict[str, Timeline] = {}
    for line in summary.lines:
        runs = comparison.of(summary.scenario, line.policy, line.preference)
        for run in runs.values():
            if run.timeline is not None:
                found[line.label] = run.timeline
    until = horizon(found.values())
    for label, one in found.items():
        if until > 0:
            drawn = _drawn(timeline(one, until), names, f"Timeline of {label}")
            yield {"title": label, "svg": drawn}


def _drawn(made: Any, names: Iterator[str], title: str) -> Markup:
    return Markup(svg(made, next(names), title))


def _limits(value: Interval, text: Callable[[float], str]) -> str:
    """`12 to 14`; empty where one seed says nothing about others, or all say the same."""
    low, high = text(value.low), text(value.high)
    return "" if NONE in (low, high) or low == high else f"{low} to {high}"
