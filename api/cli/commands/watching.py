"""logs, events, metrics, explain, artifacts."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from api.cli import human
from api.cli.door import JobId, Json, client
from api.cli.jobtable import state
from api.cli.output import out, print_json, print_line, table

if TYPE_CHECKING:
    from api.schemas import ExplanationOut

Attempt = Annotated[
    int | None, typer.Option("--attempt", min=1, help="Of this attempt; default: the newest.")
]


def logs(
    ctx: typer.Context,
    job: JobId,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until it ends.")] = False,
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
    """The history of a job: what happened when, by whom and why.

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
            human.moment(event.time, now),
            event.name.value,
            str(event.attempt or "–"),
            state(event.after.value),
            escape(event.actor),
            escape(event.reason),
        )
    out().print(result)


def metrics(ctx: typer.Context, job: JobId, as_json: Json = False) -> None:
    """What a job has measured so far: loss, accuracy, … epoch by epoch.

    Example: fulcrum metrics 17 --json
    """
    with client(ctx) as service:
        attempts = service.job(job).metrics()
    if as_json:
        print_json([attempt.model_dump(mode="json") for attempt in attempts])
        return
    console = out()
    for attempt in attempts:
        for names, lines in _alike([dict(line) for line in attempt.lines]):
            console.print(_measured(names, lines, f"Attempt {attempt.attempt}"))
    if not any(attempt.lines for attempt in attempts):
        console.print("[dim]nothing measured yet[/]")


def explain(ctx: typer.Context, job: JobId, as_json: Json = False) -> None:
    """Why a job is where it is, when it is expected to start, what else it could do.

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
        list[str] | None, typer.Argument(metavar="NAME…", help="Fetch these; none: list them.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", "-a", help="Fetch all.")] = False,
    to: Annotated[
        Path, typer.Option("--to", "-o", metavar="FOLDER", help="Where they are put.")
    ] = Path(),
    as_json: Json = False,
) -> None:
    """List the files a job left, or fetch them.

    Example: fulcrum artifacts 17 model.pt --to models
    """
    with client(ctx) as service:
        handle = service.job(job)
        if not names and not everything:
            found = handle.artifacts()
            if as_json:
                print_json([one.model_dump(mode="json") for one in found])
                return
            result = table("NAME", ">SIZE", "CHANGED", "TYPE")
            for one in found:
                when = human.moment(one.modified_at)
                result.add_row(escape(one.name), human.size(one.size), when, one.media_type)
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
    """The reason, its evidence and the alternatives."""
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
        end = human.moment(explanation.end)
        place = f" on {explanation.pool} × {explanation.width}" if explanation.pool else ""
        facts.append(("expected", f"{human.moment(explanation.start)} to {end}{escape(place)}"))
    if explanation.dollars is not None:
        facts.append(("cost", human.dollars(explanation.dollars)))
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
        when = human.moment(decision.time)
        console.print(
            f"  [dim]{when} {decision.policy} {decision.action}:[/] {escape(decision.reason)}"
        )


def _alternatives(explanation: ExplanationOut) -> Table:
    result = table("  INSTEAD", ">WIDTH", ">START IN", ">RUN", ">COST", ">SLOWDOWN")
    for one in explanation.alternatives:
        result.add_row(
            f"  {escape(one.pool)}",
            str(one.width),
            human.seconds(one.start_delay_s),
            human.seconds(one.runtime_s),
            human.dollars(one.dollars),
            f"{one.slowdown:.1f} ×",
        )
    return result


def _alike(lines: list[dict[str, Any]]) -> list[tuple[list[str], list[dict[str, Any]]]]:
    """Runs of lines with equal names, in their order: each makes one table."""
    groups: list[tuple[list[str], list[dict[str, Any]]]] = []
    for line in lines:
        names = [name for name, value in line.items() if isinstance(value, int | float | str)]
        if groups and groups[-1][0] == names:
            groups[-1][1].append(line)
        else:
            groups.append((names, [line]))
    return groups


def _measured(names: list[str], lines: list[dict[str, Any]], title: str) -> Table:
    shown = [name for name in names if name != "time"]
    result = table(*(f">{name}" for name in shown), title=title)
    for line in lines:
        values = (line[name] for name in shown)
        result.add_row(*(f"{v:.4g}" if isinstance(v, float) else escape(str(v)) for v in values))
    return result
