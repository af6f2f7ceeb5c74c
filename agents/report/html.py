"""A comparison as one HTML page that needs nothing else: tables, plots, manifest."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import jinja2
from markupsafe import Markup

from agents.evaluation.by_class import By
from agents.evaluation.compare import Comparison
from agents.evaluation.metrics import METRICS
from agents.evaluation.provenance import Provenance
from agents.evaluation.run import Timeline
from agents.evaluation.statistics import LEAST, Verdict
from agents.evaluation.summary import ComparisonSummary
from agents.report import plots, tables
from agents.report.style import styled, svg
from agents.report.timelines import horizon, timeline


def report(
    comparison: Comparison, summaries: Sequence[ComparisonSummary], manifest: Provenance
) -> str:
    """The page: valid HTML without scripts, styles, fonts or pictures from elsewhere."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("agents.report"),
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
        metrics=METRICS.values(),
        total=len(comparison.runs),
        least=LEAST,
    )


def _section(
    comparison: Comparison, summary: ComparisonSummary, names: Iterator[str]
) -> dict[str, Any]:
    scenario = comparison.scenarios[summary.scenario]
    several = len(comparison.preferences) > 1
    typical = summary.at(scenario.preference)
    return {
        "scenario": scenario,
        "jobs": comparison.conditions.jobs or scenario.source.jobs,
        "preference": typical.lines[0].preference if several and typical.lines else None,
        "empty": not summary.lines,
        "regime": summary.regime,
        "baseline": summary.baseline,
        "warnings": summary.warnings,
        "tables": list(tables.tables(typical, comparison.baseline)),
        "differences": list(tables.differences(typical)),
        "all_tables": list(tables.tables(summary, comparison.baseline)) if several else [],
        "all_differences": list(tables.differences(summary)) if several else [],
        "balance": [
            (line.label, *(line.count(each) for each in Verdict))
            for line in typical.lines
            if line.differences
        ],
        "classes": [tables.classes(typical, by, comparison.baseline) for by in By]
        if typical.lines
        else [],
        "areas": [tables.area(area.policy, area.value, area.difference) for area in summary.areas],
        "front": [line.label for line in summary.front],
        "tradeoff": _tradeoff(comparison, summary, names),
        "plots": list(_plots(comparison, typical, names)) if typical.lines else [],
        "timelines": list(_timelines(comparison, typical, names)),
    }


def _tradeoff(
    comparison: Comparison, summary: ComparisonSummary, names: Iterator[str]
) -> dict[str, Any] | None:
    """None without a reference point, which the hypervolume needs."""
    objective = comparison.scenarios[summary.scenario].objective
    if not summary.areas:
        return None
    corner = "the reference point of each drawn cluster"
    if objective is not None:
        latency, dollars = objective.reference_latency_s, objective.reference_dollars
        corner = f"the reference point ({latency:g} s, ${dollars:g} per job) of the scenario"
    area = f"The hypervolume counts the area between a policy's front and {corner}."
    if plots.one_cost(summary):
        return {
            "title": "Latency, at one cost",
            "text": "Every policy costs the same here, to the percent: this cluster has one price, "
            "so only latency tells policies apart. Further left is better; bars: 95 % intervals. "
            + area,
            "svg": _drawn(plots.latencies(comparison, summary, objective), names, "Latency"),
        }
    return {
        "title": "Latency against cost",
        "text": "Down and to the left is better. Dashed: the Pareto front, which nobody "
        "undercuts in both; bars, if any: 95 % intervals. A curve joins a policy's preferences, "
        "from the hollow point (the first) to its name (the last). " + area,
        "svg": _drawn(plots.tradeoff(comparison, summary, objective), names, "Latency and cost"),
    }


def _plots(
    comparison: Comparison, summary: ComparisonSummary, names: Iterator[str]
) -> Iterator[dict[str, Any]]:
    forest = plots.differences(summary, comparison.baseline)
    if forest is not None:
        yield {
            "title": f"Differences to {comparison.baseline}",
            "text": "On the same seeds, with 95 % intervals. Green: better; red: worse; "
            "grey: these workloads show no difference.",
            "svg": _drawn(forest, names, "Differences to the baseline"),
        }
    if len(summary.classes(By.PRIORITY)) > 1:
        yield {
            "title": "Mean wait by priority",
            "text": "Of the jobs of each class, with 95 % intervals; lower is better. Where a "
            "policy heeds priorities, its line falls to the right.",
            "svg": _drawn(plots.waits(comparison, summary), names, "Mean wait by priority"),
        }
    yield {
        "title": "Distributions over jobs",
        "text": "Share of the jobs of all seeds that stay below a value; higher is better.",
        "svg": _drawn(plots.distributions(comparison, summary), names, "Distributions"),
    }


def _timelines(
    comparison: Comparison, summary: ComparisonSummary, names: Iterator[str]
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
