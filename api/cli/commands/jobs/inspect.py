"""logs, events, metrics, explain, artifacts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from api.cli.support import text_format
from api.cli.support.global_options import JobId, Json, client
from api.cli.support.output import err, out, print_json, print_line, table
from api.cli.views.explanation import print_explanation
from api.cli.views.job_table import state
from api.cli.views.log_lines import print_log_line
from api.cli.views.status_line import StatusLine

if TYPE_CHECKING:
    from api.schemas import MetricsOut

FRACTIONS = ("progress", "checkpoint")
"""Kinds of lines that say how much of the work is done, and how much is saved."""
KINDS = (*FRACTIONS, "epoch", "step", "test")
"""Kinds of lines that Fulcrum and its SDK write; a program may write others."""

Attempt = Annotated[
    int | None, typer.Option("--attempt", min=1, help="Number of the attempt; default: the newest.")
]


def logs(
    ctx: typer.Context,
    job: JobId,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Follow the output until the job ends.")
    ] = False,
    attempt: Attempt = None,
    tail: Annotated[int | None, typer.Option("--tail", min=1, help="Only the last lines.")] = None,
    as_json: Json = False,
) -> None:
    """Show what a job wrote; a last line shows how far it is, if it is followed on a terminal.

    Example: fulcrum logs -f 17
    """
    with client(ctx) as service:
        lines = service.job(job).logs(follow=follow, attempt=attempt, tail=tail)
        if as_json:
            for line in lines:
                print_line({"line": line})
        elif follow:
            with StatusLine(service.job(job), out()) as status:
                for line in lines:
                    status.print(line)
        else:
            console = out()
            for line in lines:
                print_log_line(line, console)


def events(ctx: typer.Context, job: JobId, as_json: Json = False) -> None:
    """Show the history of a job: what happened when, by whom and why.

    Example: fulcrum events 17
    """
    with client(ctx) as service:
        history = list(service.job(job).events())
    if as_json:
        print_json([event.model_dump(mode="json") for event in history])
        return
    result = table(
        *("!TIME", "!EVENT", ">TRY", "!STATE", "~BY", "WHY"),
        drop=("BY", "TRY", "STATE"),
        least={"WHY": 30},
    )
    now = datetime.now(UTC)
    for event in history:
        result.add_row(
            text_format.moment(event.time, now),
            event.name.value,
            str(event.attempt or "–"),
            state(event.after.value),
            escape(event.actor),
            escape(event.reason),
        )
    out().print(result)


def metrics(
    ctx: typer.Context,
    job: JobId,
    kind: Annotated[str | None, typer.Option(help="Only of this kind, such as epoch.")] = None,
    tail: Annotated[
        int | None, typer.Option("--tail", min=1, help="Only the last lines of each attempt.")
    ] = None,
    tensorboard: Annotated[
        Path | None,
        typer.Option("--tensorboard", metavar="FOLDER", help="Write them for TensorBoard instead."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what a job has measured so far: loss, accuracy, … of each epoch.

    Example: fulcrum metrics 17 --tensorboard runs
    """
    with client(ctx) as service:
        if tensorboard is not None:
            run = service.job(job).tensorboard(tensorboard)
            if as_json:
                print_json(str(run))
            else:
                out().print(escape(str(run)), soft_wrap=True)
                err().print(f"[dim]show it: tensorboard --logdir {escape(str(tensorboard))}[/]")
            return
        attempts = service.job(job).metrics(kind=kind, tail=tail)
        if kind is not None and not any(attempt.lines for attempt in attempts):
            _check_kind(kind, service.job(job).metrics())
    if as_json:
        print_json([attempt.model_dump(mode="json") for attempt in attempts])
        return
    console = out()
    tables = [
        _measured(lines, f"Attempt {attempt.attempt}, {escape(title)}")
        for attempt in attempts
        for title, lines in _by_kind(attempt.lines, kind).items()
    ]
    for part in tables:
        console.print(part)
    if not tables:
        console.print("[dim]nothing measured yet[/]")


def explain(
    ctx: typer.Context,
    job: JobId,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show the figures that were compared, too.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Explain why a job waits or runs, who comes next, and what would change it.

    Example: fulcrum explain 17
    """
    with client(ctx) as service:
        explanation = service.job(job).explain()
    if as_json:
        print_json(explanation.model_dump(mode="json"))
    else:
        print_explanation(explanation, verbose=verbose)


def artifacts(
    ctx: typer.Context,
    job: JobId,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME…", help="Files to fetch; default: list them all."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", "-a", help="Fetch all files.")] = False,
    to: Annotated[
        Path, typer.Option("--to", "-o", metavar="FOLDER", help="Folder for the fetched files.")
    ] = Path(),
    as_json: Json = False,
) -> None:
    """List the files a job left, or fetch them.

    Example: fulcrum artifacts 17 model.pt --to models
    """
    with client(ctx) as service:
        handle = service.job(job)
        if not names and not everything:
            listing = handle.listing()
            found = listing.artifacts
            if listing.pruned_at is not None:
                when = text_format.moment(listing.pruned_at)
                err().print(f"[dim]artifacts were pruned on {when}[/]")
            if as_json:
                print_json([one.model_dump(mode="json") for one in found])
                return
            result = table("NAME", ">SIZE", "!CHANGED", "!TYPE", drop=("TYPE", "CHANGED"))
            for one in found:
                when = text_format.moment(one.modified_at)
                result.add_row(escape(one.name), text_format.size(one.size), when, one.media_type)
            out().print(result if found else "[dim]no files[/]")
            return
        wanted = names or [one.name for one in handle.artifacts()]
        fetched = [str(handle.download(name, to / name)) for name in wanted]
    if as_json:
        print_json(fetched)
    else:
        for path in fetched:
            out().print(escape(path), soft_wrap=True)


def _check_kind(kind: str, attempts: Sequence[MetricsOut]) -> None:
    """Raise `typer.BadParameter` for a kind that no line has and none will ever have."""
    found = {str(line.get("kind")) for attempt in attempts for line in attempt.lines}
    known = sorted(found.union(KINDS))
    if kind not in known:
        raise typer.BadParameter(
            f"nothing is of kind {kind!r}; there are: {', '.join(known)}", param_hint="--kind"
        )


def _by_kind(
    lines: Sequence[Mapping[str, Any]], wanted: str | None
) -> dict[str, list[Mapping[str, Any]]]:
    """The lines of each kind, in their order; how much is done and saved only if it is wanted."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for line in lines:
        groups.setdefault(str(line.get("kind", "measured")), []).append(line)
    return {kind: group for kind, group in groups.items() if wanted or kind not in FRACTIONS}


def _measured(lines: Sequence[Mapping[str, Any]], title: str) -> Table:
    names = {
        name: None
        for line in lines
        for name, value in line.items()
        if name not in ("kind", "time", "epochs") and isinstance(value, int | float | str)
    }
    # Long names break at the underscore, so that a line of figures fits a terminal.
    headers = (name.replace("validation_", "val_").replace("_", " ") for name in names)
    result = table(*(f">{escape(header)}" for header in headers), title=title)
    for line in lines:
        result.add_row(*(_figure(line.get(name)) for name in names))
    return result


def _figure(value: Any) -> str:
    return (
        f"{value:.4g}" if isinstance(value, float) else escape(str("–" if value is None else value))
    )
