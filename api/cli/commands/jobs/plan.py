"""plan: what would happen to jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from api.cli.support import text_format
from api.cli.support.global_options import Json, client
from api.cli.support.output import err, out, print_json, table
from scheduler.domain.jobs import ASSUMED

if TYPE_CHECKING:
    from api.schemas import OutlookOut

File = Annotated[Path, typer.Argument(metavar="FILE", help="Job file (YAML or JSON).")]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Override a field, such as work.epochs=3."),
]


def plan(ctx: typer.Context, file: File, sets: Sets = None, as_json: Json = False) -> None:
    """Show what would happen to each job of a file, for each preference; submit nothing.

    Example: fulcrum plan examples/digits.yaml --set work.model=resnet18
    """
    from api.client import files

    show_plan(ctx, files.read(file, sets or ()), as_json=as_json)


def show_plan(ctx: typer.Context, jobs: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    """Print what would happen to each job if it were the only one that is submitted.

    Of a sweep it is one trial, of an array one index.
    """
    jobs = [_single(job) for job in jobs]
    with client(ctx) as service:
        plans = [service.plan(jobs[0])] if len(jobs) == 1 else service.plan_batch(jobs)
    if as_json:
        dumped = [[outlook.model_dump(mode="json") for outlook in plan] for plan in plans]
        print_json(dumped if len(dumped) > 1 else dumped[0])
        return
    for place, (job, plan) in enumerate(zip(jobs, plans, strict=True), 1):
        title = str(job.get("name") or f"job {place} of the file") if len(jobs) > 1 else None
        out().print(outlook_table(plan, title))


def _single(job: Mapping[str, Any]) -> dict[str, Any]:
    """One trial of a sweep or one index of an array; any other job itself."""
    for name, one in (("sweep", "trial"), ("array", "index")):
        if job.get(name):
            err().print(f"[dim]of one {one}[/]")
    return {key: value for key, value in job.items() if key not in ("sweep", "array", "parallel")}


def outlook_table(outlooks: Sequence[OutlookOut], title: str | None = None) -> Table:
    """Return a table with a line for each preference."""
    result = table(
        *("!PREFERENCE", "!POOL", ">WIDTH", ">WAIT", ">RUN", ">COST", ">ENERGY", "!DEADLINE"),
        "FROM",
        title=title and escape(title),
        drop=("ENERGY", "DEADLINE", "WIDTH"),
    )
    for one in outlooks:
        met = {None: "–", True: "[green]met[/]", False: "[red]missed[/]"}[one.meets_deadline]
        result.add_row(
            one.preference,
            escape(one.pool),
            str(one.width),
            text_format.seconds(one.wait_s) + _between(one.wait_low_s, one.wait_high_s),
            text_format.seconds(one.runtime_s),
            text_format.dollars(one.dollars),
            text_format.joules(one.joules),
            met,
            "unknown, assumed" if one.source == ASSUMED else one.source,
        )
    return result


def _between(low_s: float | None, high_s: float | None) -> str:
    """The interval of 80 % behind a wait; nothing if it is not known or has no width."""
    if low_s is None or low_s == high_s:
        return ""
    high = "later" if high_s is None else text_format.seconds(high_s)
    return f" ({text_format.seconds(low_s)} … {high})"
