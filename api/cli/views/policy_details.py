"""A learned policy on the terminal: its origin, its training, its promotion test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape

from agents.evaluation.statistics import LEAST, regime_warnings
from agents.report.format import percent
from api.cli.support import text_format
from api.cli.support.output import table

if TYPE_CHECKING:
    from agents.evaluation.promotion import PromotionTest
    from agents.serving.artifact import ArtifactManifest

WIDTH = 40
"""Columns of the longest bar of the training curve."""


def show(
    manifest: ArtifactManifest,
    facts: Mapping[str, str],
    events: Sequence[Mapping[str, Any]],
    console: Console,
) -> None:
    """Print its manifest and its events in the audit log."""
    state = f" ({facts['state']})" if "state" in facts else ""
    console.print(f"[bold]{escape(facts['name'])}[/]{state}", soft_wrap=True)
    console.print(
        f"{escape(manifest.scenario)} ({manifest.scenario_digest}), seed {manifest.seed}, "
        f"{manifest.steps:,} decisions, {'averaged' if manifest.averaged else 'raw'} weights"
    )
    if manifest.base:
        console.print(f"corrects the order of {escape(manifest.base)}, mode {manifest.mode}")
        if manifest.kept_base:
            console.print(
                f"[yellow]no weights were better than {escape(manifest.started_from)} on "
                "validation: it is kept[/]",
                soft_wrap=True,
            )
    else:
        console.print(f"encoding {manifest.encoding}, {manifest.rows} rows, mode {manifest.mode}")
    if manifest.command:
        commit = f" at {escape(manifest.commit)}" if manifest.commit else ""
        console.print(f"made by {escape(manifest.command)}{commit}", soft_wrap=True)
    if manifest.curve:
        _curve(manifest.curve, manifest.baseline, console)
    if manifest.evaluation.get("policy"):
        _evaluation(manifest.evaluation, manifest.baseline, console)
    if events:
        console.print()
        for event in events:
            forced = ", forced" if event["forced"] else ""
            console.print(
                f"{event['at']} {event['deed']}{forced} by {escape(event['by'])}: "
                f"[dim]{escape(event['command'])}[/]",
                soft_wrap=True,
            )


def show_test(test: PromotionTest, console: Console) -> None:
    """Print the table of a promotion test."""
    preferences = ", ".join(f"{preference:g}" for preference in test.preferences)
    console.print(
        f"[dim]{test.workloads} workloads of {escape(test.scenario)} ({test.scenario_digest}, "
        f"{test.split}), each at preference {preferences}; objective ÷ wgc's, less is better[/]",
        soft_wrap=True,
    )
    console.print(f"[dim]under wgc: {text_format.regime(*test.regime.values())}[/]", soft_wrap=True)
    told = (test.evidence, *regime_warnings(test.regime["waiting"]))
    for warning in filter(None, told):
        console.print(f"[yellow]{escape(warning)}[/]", soft_wrap=True)
    result = table(
        *("~AGAINST", ">OBJECTIVE", ">DIFFERENCE", ">95 %", ">MEDIAN", ">WON", ">UPPER END", "!"),
        drop=("UPPER END", "MEDIAN", "OBJECTIVE", "95 %"),
    )
    for paired in test.duels:
        name = escape(paired.rival) + (" (incumbent)" if paired.incumbent else "")
        result.add_row(
            name,
            f"{paired.score:.4f}",
            f"{paired.difference.mean:+.4f}",
            f"{paired.difference.low:+.4f}…{paired.difference.high:+.4f}",
            percent(paired.median),
            f"{paired.won} of {paired.difference.count}",
            "< 0" if paired.incumbent else f"≤ {paired.margin:g}",
            "[green]passed[/]" if paired.passed else "[red]not passed[/]",
        )
    result.add_row(f"[bold]{escape(test.candidate)}[/]", f"[bold]{test.score:.4f}[/]")
    console.print(result)
    console.print(
        "[dim]the 95 % interval is that of the mean paired difference, over at least "
        f"{LEAST} distinct workloads; won: those on which the candidate is better[/]",
        soft_wrap=True,
    )


def _curve(curve: Sequence[Mapping[str, Any]], baseline: str, console: Console) -> None:
    """Print the better of raw and averaged weights at each validation, as bars from 0."""
    points = [
        (
            int(point["steps"]),
            min(score["mean"] for score in point.values() if isinstance(score, Mapping)),
        )
        for point in curve
    ]
    most = max(mean for _, mean in points) or 1.0
    console.print()
    result = table(">DECISIONS", f">÷ {baseline}", "!")
    for steps, mean in points:
        bar = "█" * max(1, round(WIDTH * mean / most))
        result.add_row(f"{steps:,}", f"{mean:.3f}", f"[dim]{bar}[/]")
    console.print(result)


def _evaluation(evaluation: Mapping[str, Any], baseline: str, console: Console) -> None:
    preferences = sorted(evaluation["policy"]["at"], key=float)
    console.print()
    doubts = ("±", "MEDIAN", "WON") if "error" in evaluation["policy"] else ()
    result = table(
        "~POLICY", *(f">w = {w}" for w in preferences), ">MEAN", *(f">{d}" for d in doubts)
    )
    for name, score in evaluation.items():
        figures = [f"{score['at'][w]:.3f}" for w in preferences]
        figures.append(f"{score['mean']:.3f}")
        if "error" in score:
            won = f"{score['won']:.0%} of {score['workloads']}"
            figures += [f"{score['error']:.4f}", f"{score['median']:.3f}", won]
        style = "bold" if name == "policy" else None
        result.add_row(escape(name), *figures, style=style)
    console.print(result)
    console.print(
        f"[dim]objective ÷ {baseline}'s on validation workloads, which may have chosen these "
        "weights; less is better. `fulcrum compare` tells what it is worth elsewhere[/]",
        soft_wrap=True,
    )
