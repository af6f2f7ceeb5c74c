"""A comparison on the terminal: per scenario the metrics, the differences, the front."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

from rich.console import Console
from rich.markup import escape
from rich.rule import Rule

from agents.evaluation.by_class import By, applying
from agents.evaluation.compare import Comparison
from agents.evaluation.metrics import REGIME, Metric
from agents.evaluation.statistics import LEAST, Difference, Interval, Verdict
from agents.evaluation.summary import ComparisonSummary
from agents.report.format import percent, scale
from api.cli.support import text_format
from api.cli.support.output import table
from api.cli.support.tables import WIDE

WIDTH = 15
"""Columns of the terminal that a column of a table takes at most, intervals below the means."""
RULE = 100
"""Characters of a heading with its line; a pipe has no width of its own."""
WIDER = 20
"""The same of a difference, with its median and the workloads won."""
HEADLINES = ("jct_s", "bsld_mean", "bsld_p95", "misses", "dollars", "joules", "objective")
"""Metrics whose differences are shown."""
MOST_USERS = 10
"""Users in the table: those with most jobs."""
MARKS = {
    Verdict.BETTER: ("green", " ✓"),
    Verdict.WORSE: ("red", " ✗"),
    Verdict.OPEN: ("dim", "  "),
    Verdict.EQUAL: ("dim", " ="),
}


def show(
    comparison: Comparison, summaries: Sequence[ComparisonSummary], by: By, console: Console
) -> None:
    """Print everything; plain and one line per policy when piped."""
    for whole in summaries:
        scenario = comparison.scenarios[whole.scenario]
        jobs = comparison.conditions.jobs or scenario.source.jobs
        counted = "jobs" if sum(scenario.source.around(jobs)) == 0 else "counted jobs"
        count = len(comparison.seeds)
        seeds = f"{count} seed{'s' * (count > 1)}"
        heading = Rule(f"[bold]{escape(whole.scenario)}[/]", align="left")
        console.print(heading, width=min(console.width, RULE))
        console.print(
            f"[dim]version {scenario.version} {scenario.digest}, {jobs} {counted} × {seeds} "
            f"({comparison.conditions.split}), reservations {scenario.mode}; "
            "means over seeds, below them 95 % intervals[/]",
            soft_wrap=True,
        )
        if whole.regime:
            figures = (whole.regime[name] for name in REGIME)
            text = f"under {escape(comparison.baseline)}: {text_format.regime(*figures)}"
            console.print(f"[dim]{text}[/]", soft_wrap=True)
        for warning in whole.warnings:
            console.print(f"[yellow]{escape(warning)}[/]", soft_wrap=True)
        if not whole.lines:
            console.print("[red]every run failed[/]")
            continue
        summary = whole.at(scenario.preference)
        if len(comparison.preferences) > 1:
            console.print(
                f"[dim]at preference {summary.lines[0].preference}; "
                "all of them: --csv, --html, --json[/]"
            )
        longest = max(len(line.label) for line in summary.lines)
        width = console.width - max(longest, len("AGAINST ") + 8)
        for shown in _chunks(summary.metrics, width // WIDTH):
            console.print()
            _values(summary, shown, console)
        if any(line.differences for line in summary.lines):
            headlines = [each for each in summary.metrics if each.name in HEADLINES]
            for shown in _chunks(headlines, width // WIDER):
                console.print()
                _differences(summary, shown, comparison.baseline, console)
            console.print(
                "[dim]✓ better, ✗ worse: the interval of the mean difference on the same workloads "
                f"excludes 0; fewer than {LEAST} workloads show no difference. Below: the median "
                "difference, and on how many workloads the policy is better[/]",
                soft_wrap=True,
            )
            console.print()
            _balance(summary, console)
        console.print()
        _classes(summary, by, console)
        if whole.areas:
            console.print()
            _front(whole, console)
        console.print()


def _values(summary: ComparisonSummary, metrics: Sequence[Metric], console: Console) -> None:
    scales = {
        each.name: scale(each.unit, (line.values[each.name].mean for line in summary.lines))
        for each in metrics
    }
    best = {each.name: summary.best(each) for each in metrics}
    units = {name: f" {one.unit}" if one.unit else "" for name, one in scales.items()}
    result = table("!POLICY", *(f">{each.title}{units[each.name]}" for each in metrics))
    for line in summary.lines:
        cells = []
        for each in metrics:
            one, value = scales[each.name], line.values[each.name]
            mean = one.text(value.mean)
            if line.label == best[each.name]:
                mean = f"[bold green]{mean}[/]"
            limits = _limits(value, one.text)
            between = _between(console)
            cells.append(f"{mean}{between}[dim]{limits}[/]" if limits else mean)
        result.add_row(escape(line.label), *cells)
    console.print(result)


def _differences(
    summary: ComparisonSummary, metrics: Sequence[Metric], baseline: str, console: Console
) -> None:
    result = table(f"!AGAINST {baseline}", *(f">{each.title}" for each in metrics))
    for line in summary.lines:
        if line.differences:
            cells = [_difference(line.differences[each.name], console) for each in metrics]
            result.add_row(escape(line.label), *cells)
    console.print(result)


def _balance(summary: ComparisonSummary, console: Console) -> None:
    """Wins and losses of every policy."""
    compared = sum(each.compared for each in summary.metrics)
    result = table(f"!OF {compared} METRICS", *(f">{each.value.upper()}" for each in Verdict))
    for line in summary.lines:
        if line.differences:
            counts = (f"[{MARKS[each][0]}]{line.count(each)}[/]" for each in Verdict)
            result.add_row(escape(line.label), *counts)
    console.print(result)


def _difference(one: Difference, console: Console) -> str:
    style, mark = MARKS[one.verdict]
    scaled = one.relative
    if math.isnan(scaled.mean):
        return f"[{style}]–{mark}[/]"
    limits = _limits(scaled, lambda part: percent(part).removesuffix("\u2009%"))
    between = _between(console)
    also = "" if math.isnan(one.median) else f"med {percent(one.median)} {one.won}/{one.count}"
    tail = "".join(f"{between}[dim]{part}  [/]" for part in (limits, also) if part)
    return f"[{style}]{percent(scaled.mean)}{mark}[/]{tail}"


def _classes(summary: ComparisonSummary, by: By, console: Console) -> None:
    """Who waited: a row for each class and policy, with marks as in the differences."""
    found = summary.classes(by)
    if len(found) < 2:
        console.print(f"[dim]by {by}: all jobs are of one class, {escape(next(iter(found)))}[/]")
        return
    shown = list(found.items())[:MOST_USERS] if by is By.USER else list(found.items())
    every = [one for _, rows in shown for _, one in rows]
    metrics = applying(every)
    scales = [scale(each.unit, (one.values[each.name].mean for one in every)) for each in metrics]
    titles = (
        f">{each.title} {one.unit}".rstrip() for each, one in zip(metrics, scales, strict=True)
    )
    result = table(f"~BY {by.upper()}", "!POLICY", *titles)
    for name, rows in shown:
        for place, (line, one) in enumerate(rows):
            cells = []
            for each, scaled in zip(metrics, scales, strict=True):
                held = one.differences.get(each.name)
                style, mark = MARKS[held.verdict] if held else ("default", "  ")
                cells.append(f"[{style}]{scaled.text(one.values[each.name].mean)}{mark}[/]")
            result.add_row("" if place else escape(name), escape(line.label), *cells)
    console.print(result)
    if len(found) > len(shown):
        console.print(f"[dim]{len(found) - len(shown)} more with fewer jobs: --json[/]")


def _front(summary: ComparisonSummary, console: Console) -> None:
    names = " → ".join(escape(line.label) for line in summary.front)
    console.print(f"[bold]Pareto front[/] (fastest → cheapest): {names}", soft_wrap=True)
    result = table("!HYPERVOLUME", ">SHARE %", ">95 %", ">AGAINST BASELINE")
    for area in summary.areas:
        result.add_row(
            escape(area.policy),
            f"{100 * area.value.mean:.2f}",
            _limits(area.value, lambda part: f"{100 * part:.2f}"),
            "" if area.difference is None else _difference(area.difference, console),
        )
    console.print(result)


def _between(console: Console) -> str:
    """Intervals stand below their means, but beside them where lines have no end."""
    return " " if console.width >= WIDE else "\n"


def _chunks(metrics: Sequence[Metric], most: int) -> Iterator[Sequence[Metric]]:
    """As few groups as can be, about equally long."""
    groups = -(-len(metrics) // max(1, most))
    for number in range(groups):
        yield metrics[number * len(metrics) // groups : (number + 1) * len(metrics) // groups]


def _limits(value: Interval, text: Callable[[float], str]) -> str:
    """`12 … 14`; empty where one seed says nothing about others, or all say the same."""
    low, high = text(value.low), text(value.high)
    return "" if math.isnan(value.low) or low == high else f"{low}…{high}"
