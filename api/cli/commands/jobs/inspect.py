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
from api.cli.views.job_table import state

if TYPE_CHECKING:
    from api.schemas import ExplanationOut

Attempt = Annotated[
    int | None, typer.Option("--attempt", min=1, help="Number of the attempt; default: the newest.")
]

TERMS = 8
"""Columns of a learned decision that are shown."""
INTERACTIONS = "interactions"


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
    """Show what a job wrote.

    Example: fulcrum logs -f 17
    """
    with client(ctx) as service:
        for line in service.job(job).logs(follow=follow, attempt=attempt, tail=tail):
            if as_json:
                print_line({"line": line})
            else:
                print(line, flush=follow)


def events(ctx: typer.Context, job: JobId, as_json: Json = False) -> None:
    """Show the history of a job: what happened when, by whom and why.

    Example: fulcrum events 17
    """
    with client(ctx) as service:
        history = list(service.job(job).events())
    if as_json:
        print_json([event.model_dump(mode="json") for event in history])
        return
    result = table("TIME", "EVENT", ">TRY", "STATE", "BY", "WHY")
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
    if as_json:
        print_json([attempt.model_dump(mode="json") for attempt in attempts])
        return
    console = out()
    for attempt in attempts:
        for title, lines in _by_kind(attempt.lines).items():
            console.print(_measured(lines, f"Attempt {attempt.attempt}, {title}"))
    if not any(attempt.lines for attempt in attempts):
        console.print("[dim]nothing measured yet[/]")


def explain(ctx: typer.Context, job: JobId, as_json: Json = False) -> None:
    """Explain why a job waits or runs, its expected start, and its alternatives.

    Example: fulcrum explain 17
    """
    with client(ctx) as service:
        explanation = service.job(job).explain()
    if as_json:
        print_json(explanation.model_dump(mode="json"))
    else:
        print_explanation(explanation)


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
            result = table("NAME", ">SIZE", "CHANGED", "TYPE")
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


def print_explanation(explanation: ExplanationOut) -> None:
    """Print the reason, its evidence and the alternatives."""
    console = out()
    job = explanation.job
    name = f" ({escape(job.name)})" if job.name else ""
    console.print(
        f"job [bold]{job.id}[/]{name} {state(job.state.value)}: {escape(explanation.text)}"
    )
    facts: list[tuple[str, str]] = []
    if explanation.position is not None:
        facts.append(("queue position", f"{explanation.position} of {explanation.depth}"))
    if explanation.start is not None:
        end = text_format.moment(explanation.end)
        place = f" on {explanation.pool} × {explanation.width}" if explanation.pool else ""
        facts.append(
            ("expected", f"{text_format.moment(explanation.start)} to {end}{escape(place)}")
        )
    if explanation.start_low is not None:
        high = text_format.moment(explanation.start_high) if explanation.start_high else "later"
        low = text_format.moment(explanation.start_low)
        facts.append(("start, with 80 % chance", f"{low} to {high}"))
    if explanation.dollars is not None:
        facts.append(("cost", text_format.dollars(explanation.dollars)))
    if explanation.blockers:
        facts.append(("waits for jobs", ", ".join(map(str, explanation.blockers))))
    if facts:
        result = table("", "", show_header=False)
        for left, right in facts:
            result.add_row(f"  [dim]{left}[/]", right)
        console.print(result)
    if explanation.alternatives:
        console.print(_alternatives(explanation))
    for decision in explanation.decisions[:3]:
        when = text_format.moment(decision.time)
        # The reason begins with the policy's name.
        console.print(f"  [dim]{when} {decision.action}:[/] {escape(decision.reason)}")
    told = next((one.chosen for one in explanation.decisions if one.chosen.terms), None)
    if told is not None:
        console.print(_terms(told.terms))


def _terms(terms: Mapping[str, float]) -> Table:
    result = table("  COLUMN", ">FOR THE CHOICE")
    named = [item for item in terms.items() if item[0] != INTERACTIONS][:TERMS]
    shown = dict(named)
    shown["all others, and interactions"] = sum(terms.values()) - sum(shown.values())
    for name, term in shown.items():
        result.add_row(f"  {escape(name)}", f"{term:+.3f}")
    return result


def _alternatives(explanation: ExplanationOut) -> Table:
    result = table("  INSTEAD", ">WIDTH", ">START IN", ">RUN", ">COST", ">SLOWDOWN")
    for one in explanation.alternatives:
        result.add_row(
            f"  {escape(one.pool)}",
            str(one.width),
            text_format.seconds(one.start_delay_s),
            text_format.seconds(one.runtime_s),
            text_format.dollars(one.dollars),
            f"{one.slowdown:.1f} ×",
        )
    return result


def _by_kind(lines: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """The lines of each kind, in their order; progress is left out, it is in every other line."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for line in lines:
        groups.setdefault(str(line.get("kind", "measured")), []).append(line)
    if len(groups) > 1:
        groups.pop("progress", None)
    return groups


def _measured(lines: Sequence[Mapping[str, Any]], title: str) -> Table:
    names = {
        name: None
        for line in lines
        for name, value in line.items()
        if name not in ("kind", "time", "epochs") and isinstance(value, int | float | str)
    }
    # Long names break at the underscore, so that a line of figures fits a terminal.
    headers = (name.replace("validation_", "val_").replace("_", " ") for name in names)
    result = table(*(f">{header}" for header in headers), title=title)
    for column in result.columns:
        column.no_wrap, column.min_width = False, 6
    for line in lines:
        result.add_row(*(_figure(line.get(name)) for name in names))
    return result


def _figure(value: Any) -> str:
    return (
        f"{value:.4g}" if isinstance(value, float) else escape(str("–" if value is None else value))
    )
