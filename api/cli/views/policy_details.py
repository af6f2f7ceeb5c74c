"""A learned policy on the terminal: where it comes from, how it learned, how it was tested."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape

from agents.evaluation.statistics import LEAST
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
    """Everything that its manifest and the registry know."""
    state = f" ({facts['state']})" if "state" in facts else ""
    console.print(f"[bold]{escape(facts['name'])}[/]{state}", soft_wrap=True)
    console.print(
        f"{escape(manifest.scenario)} ({manifest.scenario_digest}), seed {manifest.seed}, "
        f"{manifest.steps:,} decisions, {'averaged' if manifest.averaged else 'raw'} weights"
    )
    console.print(f"encoding {manifest.encoding}, {manifest.rows} rows, mode {manifest.mode}")
    if manifest.command:
        commit = f" at {escape(manifest.commit)}" if manifest.commit else ""
        console.print(f"made by {escape(manifest.command)}{commit}", soft_wrap=True)
    reference = str(manifest.config.get("baseline") or manifest.config.get("reference", "wgc"))
    if manifest.curve:
        _curve(manifest.curve, reference, console)
    if manifest.evaluation.get("policy"):
        _evaluation(manifest.evaluation, reference, console)
    if events:
        console.print()
        for event in events:
            forced = ", forced" if event["forced"] else ""
            console.print(
                f"{event['at']} {event['deed']}{forced} by {escape(event['by'])}: "
                f"[dim]{escape(event['command'])}[/]",
                soft_wrap=True,
            )


def tell(trial: PromotionTest, console: Console) -> None:
    """The table of a test for promotion."""
    dial = ", ".join(f"{w:g}" for w in trial.preferences)
    console.print(
        f"[dim]{trial.workloads} workloads of {escape(trial.scenario)} ({trial.scenario_digest}, "
        f"{trial.split}), each at w = {dial}; objective ÷ wgc's, less is better[/]",
        soft_wrap=True,
    )
    console.print(
        f"[dim]under wgc: {text_format.regime(*trial.regime.values())}[/]", soft_wrap=True
    )
    if trial.evidence:
        console.print(f"[yellow]{escape(trial.evidence)}[/]", soft_wrap=True)
    result = table(
        "RIVAL", ">OBJECTIVE", ">DIFFERENCE", ">95 %", ">MEDIAN", ">WON", ">UPPER END", ""
    )
    for duel in trial.duels:
        name = escape(duel.rival) + (" (incumbent)" if duel.incumbent else "")
        result.add_row(
            name,
            f"{duel.score:.4f}",
            f"{duel.difference.mean:+.4f}",
            f"{duel.difference.low:+.4f}…{duel.difference.high:+.4f}",
            percent(duel.median),
            f"{duel.won} of {duel.difference.count}",
            "< 0" if duel.incumbent else f"≤ {duel.margin:g}",
            "[green]passed[/]" if duel.passed else "[red]not passed[/]",
        )
    result.add_row(f"[bold]{escape(trial.candidate)}[/]", f"[bold]{trial.score:.4f}[/]")
    console.print(result)
    console.print(
        "[dim]the 95 % interval is of the mean paired difference, over at least "
        f"{LEAST} distinct workloads; won: those on which the candidate is better[/]",
        soft_wrap=True,
    )


def _curve(curve: Sequence[Mapping[str, Any]], reference: str, console: Console) -> None:
    """The better of raw and averaged weights at each validation, as bars from 0."""
    points = [
        (
            int(point["steps"]),
            min(score["mean"] for score in point.values() if isinstance(score, Mapping)),
        )
        for point in curve
    ]
    most = max(mean for _, mean in points) or 1.0
    console.print()
    result = table(">DECISIONS", f">÷ {reference}", "")
    for steps, mean in points:
        bar = "█" * max(1, round(WIDTH * mean / most))
        result.add_row(f"{steps:,}", f"{mean:.3f}", f"[dim]{bar}[/]")
    console.print(result)


def _evaluation(evaluation: Mapping[str, Any], reference: str, console: Console) -> None:
    dial = sorted(evaluation["policy"]["at"], key=float)
    console.print()
    result = table("POLICY", *(f">w = {w}" for w in dial), ">MEAN")
    for name, score in evaluation.items():
        figures = [f"{score['at'][w]:.3f}" for w in dial]
        style = "bold" if name == "policy" else None
        result.add_row(escape(name), *figures, f"{score['mean']:.3f}", style=style)
    console.print(result)
    console.print(
        f"[dim]objective ÷ {reference}'s on validation workloads, which may have chosen these "
        "weights; less is better. `fulcrum compare` tells what it is worth elsewhere[/]",
        soft_wrap=True,
    )
