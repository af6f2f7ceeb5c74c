"""A sweep and its trials as a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.markup import escape
from rich.table import Table

from api.cli.support import text_format
from api.cli.support.output import table
from api.cli.views.job_table import state
from scheduler.domain.units import counted

if TYPE_CHECKING:
    from api.schemas.groups.sweep_answers import SweepDetail

_STYLES = {"COMPLETED": "green", "PRUNED": "yellow", "PLANNED": "yellow", "PRUNING": "magenta"}


def sweep_page(sweep: SweepDetail) -> Group:
    """Return the table of trials, with a summary below it."""
    return Group(trials_table(sweep), "", *_summary(sweep))


def trials_table(sweep: SweepDetail) -> Table:
    """Return the trials as a table, in their order."""
    names = list(dict.fromkeys(name for one in sweep.listing for name in one.parameters))
    metric = sweep.metric.upper().replace("_", " ")
    settings = [_short(name) for name in names]
    result = table(
        *(">TRIAL", ">JOB", *(f">{name}" for name in settings), f">{metric}", ">EPOCH", "!STATE"),
        *(">DEVICE TIME", ">COST", "~WHY"),
        drop=("DEVICE TIME", "WHY", "EPOCH", "COST", "JOB", *reversed(settings)),
    )
    for one in sweep.listing:
        style = _STYLES.get(one.state)
        shown = f"[{style}]{one.state.lower()}[/]" if style else state(one.state)
        result.add_row(
            str(one.number),
            str(one.job or "–"),
            *(escape(_value(one.parameters.get(name, "–"))) for name in names),
            "–" if one.value is None else f"{one.value:.4g}",
            f"{one.epoch or 0}/{one.epochs or '?'}",
            f"{shown} [green]best[/]" if one.number == sweep.best else shown,
            text_format.seconds(one.device_s),
            text_format.dollars(one.dollars),
            escape(one.reason) or "–",
            style="bold" if one.number == sweep.best else None,
        )
    return result


def _summary(sweep: SweepDetail) -> list[str]:
    counts = ", ".join(f"{count} {name.lower()}" for name, count in sorted(sweep.counts.items()))
    lines = [
        f"sweep {sweep.id} {state(sweep.state.value)}: {escape(sweep.reason or counts)}",
        f"{len(sweep.listing)} of {counted(sweep.trials, 'trial')} made by {sweep.method.value}, "
        f"{sweep.direction.value} {escape(sweep.metric)}, pruner {sweep.pruner.value}",
        f"spent {text_format.seconds(sweep.device_s)} of devices, "
        f"{text_format.dollars(sweep.dollars)}",
    ]
    if sweep.saved_device_s:
        whole = sweep.saved_device_s + sweep.device_s
        lines.append(
            f"pruning saved about {text_format.seconds(sweep.saved_device_s)} of devices, "
            f"{text_format.share(sweep.saved_device_s / whole)} of what all epochs would have taken"
        )
    return lines


def _short(name: str) -> str:
    return escape(name.removeprefix("work.").upper().replace("_", " "))


def _value(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
