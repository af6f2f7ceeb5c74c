"""ls, show."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import RenderableType
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from api.cli.commands.jobs.changes import again
from api.cli.commands.jobs.job_list import JobList
from api.cli.support import text_format
from api.cli.support.global_options import JobId, Json, client
from api.cli.support.output import facts, out, print_json, table
from api.cli.views.job_table import jobs_table, ran, state, waited
from api.cli.views.result import flat, tables, text
from api.cli.views.run_progress import accuracy, sentence
from scheduler.domain.jobs import ASSUMED
from scheduler.domain.nodes import LOCAL

if TYPE_CHECKING:
    from api.client import Client
    from api.schemas import JobDetail, JobOut


LEAST_LOST_S = 0.05
"""Less lost work is not worth a word."""


def ls(
    ctx: typer.Context,
    states: Annotated[
        list[str] | None, typer.Option("--state", "-s", help="Only in this state; repeatable.")
    ] = None,
    kinds: Annotated[
        list[str] | None, typer.Option("--kind", "-k", help="Only of this kind; repeatable.")
    ] = None,
    user: Annotated[str | None, typer.Option("--user", "-u", help="Only of this user.")] = None,
    project: Annotated[str | None, typer.Option(help="Only of this project.")] = None,
    name: Annotated[
        str | None, typer.Option("--name", "-n", help="Only with this in the name.")
    ] = None,
    array: Annotated[
        int | None,
        typer.Option(metavar="JOB", min=1, help="Only the array with this first job."),
    ] = None,
    sweep: Annotated[
        int | None, typer.Option(metavar="SWEEP", min=1, help="Only trials of this sweep.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="List at most this many.")] = None,
    everything: Annotated[bool, typer.Option("--all", "-a", help="List all jobs.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Refresh until Ctrl-C.")] = False,
    as_json: Json = False,
) -> None:
    """List jobs, newest first: live ones and the latest ended ones, a page of them.

    With --json it lists all live ones; with --all it lists all jobs.

    Example: fulcrum ls --state failed --project vision --all
    """
    filters = {"kind": kinds or (), "user": user, "project": project, "name": name}
    wanted = JobList(
        {**filters, "array": array, "sweep": sweep},
        [item.upper() for item in states or ()],
        limit,
        everything,
        complete=as_json,
    )
    with client(ctx) as service:
        if watch and not as_json:
            watched(lambda: _listed(service, wanted.read(service)))
            return
        found = wanted.read(service)
        more = wanted.left_out(service, found)
        shown = None if as_json or not found else _listed(service, found)
    if as_json:
        print_json([job.model_dump(mode="json") for job in found])
        return
    out().print(shown or "[dim]no jobs[/]")
    if more > 0:
        out().print(f"[dim]… {more:,} more: --limit N, or --all[/]")


def _listed(service: Client, jobs: Sequence[JobOut]) -> Table:
    """The jobs as a table; if some wait, with when they start."""
    from api.client import UnavailableError

    forecast = None
    if any(job.state.value == "QUEUED" for job in jobs):
        with suppress(UnavailableError):  # the jobs are worth showing without it
            forecast = service.forecast()
    return jobs_table(jobs, forecast)


def show(ctx: typer.Context, job: JobId, as_json: Json = False) -> None:
    """Show everything about a job: its request, attempts and result.

    Example: fulcrum show 17
    """
    with client(ctx) as service:
        detail = service.job(job).detail()
    if as_json:
        print_json(detail.model_dump(mode="json"))
        return
    console = out()
    console.print(_facts(detail))
    if detail.history:
        console.print()
        console.print(_attempts(detail))
    for part in tables(detail.result, detail.work) if detail.result else ():
        console.print()
        console.print(part)


def watched(view: Callable[[], RenderableType]) -> None:
    """Show a view again every second until Ctrl-C; only once without a terminal."""
    console = out()
    if not console.is_terminal:
        console.print(view())
        return
    with Live(view(), console=console, auto_refresh=False, vertical_overflow="ellipsis") as live:
        while True:
            time.sleep(1.0)
            live.update(view(), refresh=True)


def _facts(job: JobDetail) -> Table:
    now = datetime.now(UTC)
    request = job.request
    width = f"{request.min_width}..{request.max_width}"
    known: list[tuple[str, str]] = [
        ("job", f"[bold]{job.id}[/] {escape(job.name)}"),
        ("kind", job.kind.value),
        ("state", f"{state(job.state.value)}: {escape(job.reason)}"),
        ("user, project", f"{escape(job.user)}, {escape(job.project)}"),
        ("submitted", text_format.moment(job.submitted_at, now)),
        *([("not before", text_format.moment(job.eligible_at, now))] if job.eligible_at else ()),
        ("started", _starts(job, now)),
        ("finished", text_format.moment(job.finished_at, now)),
        (
            "waited, ran",
            f"{text_format.seconds(waited(job, now))}, {text_format.seconds(ran(job, now))}"
            + (", all attempts together" if len(job.history) > 1 else ""),
        ),
        (
            "asks for",
            f"{width if request.min_width < request.max_width else request.min_width} × "
            f"{escape(' or '.join(request.devices))}"
            + (f", {text_format.size(request.memory_bytes)}" if request.memory_bytes else ""),
        ),
        ("priority", str(job.priority)),
        ("spent", f"{text_format.dollars(job.dollars)}, {text_format.joules(job.joules)}"),
        *([("progress", escape(sentence(job.running, _assumed(job))))] if job.running else ()),
        *([("accuracy", accuracy(job))] if job.accuracy is not None else ()),
    ]
    if job.preemptions:
        known.append(("preempted", f"{job.preemptions} ×, {_lost(job.lost_s)}"))
    if job.progress:
        known.append(("saved", f"{job.progress:.0%} of the work, by the last checkpoint"))
    if job.preference is not None:
        known.append(("preference", f"{job.preference:g} (0 cheapest … 1 fastest)"))
    if job.deadline is not None:
        known.append(("deadline", text_format.moment(job.deadline, now)))
    if job.budget is not None:
        known.append(("budget", text_format.dollars(job.budget)))
    if job.after:
        known.append(("after", ", ".join(map(str, job.after))))
    if job.array is not None:
        known.append(("array", f"{job.array}, index {job.index}" + _at_once(job)))
    if job.sweep is not None:
        known.append(("sweep", f"{job.sweep}, trial {job.index}"))
    if job.retry_of:
        known.append(("repeats", again(job).removeprefix(", again for ")))
    known += [(f"work.{name}", escape(text(value))) for name, value in flat(job.work)]
    result = facts()
    for name, fact in known:
        result.add_row(f"[dim]{escape(name)}[/]", fact)
    return result


def _assumed(job: JobDetail) -> float | None:
    """The runtime that is assumed of the newest attempt, if nothing is known of such work."""
    newest = job.history[-1].estimate if job.history else None
    return newest.runtime_s if newest is not None and newest.source == ASSUMED else None


def _starts(job: JobDetail, now: datetime) -> str:
    """When the first attempt started, and the newest if it is another."""
    begun = [one for one in job.history if one.started_at is not None]
    if not begun:
        return text_format.moment(job.started_at, now)
    first, newest = begun[0], begun[-1]
    text = text_format.moment(first.started_at, now)
    if newest.number == first.number:
        return text
    return f"{text}, again {text_format.moment(newest.started_at, now)} (attempt {newest.number})"


def _at_once(job: JobDetail) -> str:
    return "" if job.parallel is None else f", {job.parallel} at the same time"


def _nodes(names: Sequence[str]) -> str:
    """Where it ran, unless there is one machine only."""
    return "" if tuple(names) in ((), (LOCAL,)) else escape(f" ({', '.join(names)})")


def _attempts(job: JobDetail) -> Table:
    result = table(
        *(">TRY", "!STATE", "ON", ">RUN", "EXPECTED", ">COST", ">ENERGY", "EXIT"),
        title="Attempts",
        drop=("ENERGY", "EXPECTED", "COST", "ON", "RUN"),
    )
    now = datetime.now(UTC)
    for attempt in job.history:
        begun, ended = attempt.started_at, attempt.finished_at or now
        result.add_row(
            str(attempt.number),
            state(attempt.state.value),
            f"{escape(attempt.pool)} × {attempt.width}{_nodes(attempt.nodes)}",
            text_format.seconds(None if begun is None else (ended - begun).total_seconds()),
            text_format.estimated(attempt.estimate.runtime_s, attempt.estimate.source),
            text_format.dollars(attempt.dollars),
            text_format.joules(attempt.joules),
            escape(attempt.exit_reason or "–")
            + (f" ({_lost(attempt.lost_s)})" if attempt.lost_s >= LEAST_LOST_S else ""),
        )
    return result


def _lost(seconds: float) -> str:
    return f"{text_format.seconds(seconds)} of work lost"
