"""sweep submit, ls, show, best, cancel."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from api.cli.commands.jobs.listing import watched
from api.cli.support import text_format
from api.cli.support.exit_codes import ExitCode
from api.cli.support.global_options import Json, Timeout, client
from api.cli.support.output import err, out, print_continues, print_error, print_json, table
from api.cli.views.job_table import state as coloured
from api.cli.views.sweep_table import sweep_page, trials_table
from scheduler.domain.units import counted

if TYPE_CHECKING:
    from api.client import SweepHandle

File = Annotated[
    Path, typer.Argument(metavar="FILE", help="Job file with `sweep:` (YAML or JSON).")
]
Number = Annotated[int, typer.Argument(metavar="SWEEP", min=1, help="Number of the sweep.")]


def submit(
    ctx: typer.Context,
    file: File,
    sets: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="PATH=VALUE", help="Override a field: sweep.trials=10."),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Return when the sweep has ended.")] = False,
    timeout: Timeout = None,
    key: Annotated[
        str | None,
        typer.Option("--key", help="Idempotency key; the same key creates no second sweep."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Submit the sweep of a file.

    Example: fulcrum sweep submit examples/sweep.yaml --wait
    """
    from api.client import FileError, files

    if timeout is not None and not wait:
        raise typer.BadParameter("needs --wait", param_hint="--timeout")
    jobs = files.read(file, sets or ())
    if len(jobs) != 1:
        raise FileError(f"{file} holds {counted(len(jobs), 'job')}; a sweep takes one", "jobs")
    with client(ctx) as service:
        carry_out(service.submit_sweep(jobs[0], key=key), wait, timeout, as_json)


def carry_out(sweep: SweepHandle, wait: bool, timeout: float | None, as_json: bool) -> None:
    """Print what was submitted; wait if asked. Exit with 1 if no trial completed."""
    for warning in sweep.warnings:
        err().print(f"[yellow]warning:[/] sweep {sweep.id}: {escape(warning)}", soft_wrap=True)
    if not as_json:
        plain = not out().is_terminal
        trials = counted(sweep.info.trials, "trial")
        said = f"sweep [bold]{sweep.id}[/]: {trials} by {sweep.info.method}"
        out().print(str(sweep.id) if plain else f"{said}; fulcrum sweep show {sweep.id}")
    if wait:
        try:
            sweep.wait(timeout)
        except KeyboardInterrupt:
            print_continues("sweep", [str(sweep.id)], "fulcrum sweep cancel")
            raise typer.Exit(ExitCode.INTERRUPTED) from None
        if not as_json:
            text = f"sweep {sweep.id} {sweep.state.lower()}: {sweep.info.reason}"
            err().print(escape(text), style="dim", soft_wrap=True)
    if as_json:
        print_json((sweep.detail() if wait else sweep.info).model_dump(mode="json"))
    if wait and not sweep.succeeded:
        raise typer.Exit(ExitCode.FAILED)


def ls(
    ctx: typer.Context,
    states: Annotated[
        list[str] | None, typer.Option("--state", "-s", help="Only in this state; repeatable.")
    ] = None,
    user: Annotated[str | None, typer.Option("--user", "-u", help="Only of this user.")] = None,
    project: Annotated[str | None, typer.Option(help="Only of this project.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
    as_json: Json = False,
) -> None:
    """List sweeps, newest first.

    Example: fulcrum sweep ls --state running
    """
    with client(ctx) as service:
        wanted = [item.upper() for item in states or ()]
        found = list(service.sweeps(state=wanted, user=user, project=project, limit=limit))
    if as_json:
        print_json([sweep.info.model_dump(mode="json") for sweep in found])
        return
    result = table(
        *(">SWEEP", "~NAME", "~USER", "!STATE", "!SUBMITTED", "!METHOD", ">TRIALS", "~METRIC"),
        "~WHY",
        drop=("USER", "METHOD", "METRIC", "SUBMITTED", "TRIALS", "WHY", "NAME"),
    )
    for one in (sweep.info for sweep in found):
        result.add_row(
            str(one.id),
            escape(one.name) or "–",
            escape(one.user),
            coloured(one.state.value),
            text_format.moment(one.submitted_at),
            one.method.value,
            str(one.trials),
            escape(one.metric),
            escape(one.reason),
        )
    out().print(result if found else "[dim]no sweeps[/]")


def show(
    ctx: typer.Context,
    number: Number,
    watch: Annotated[bool, typer.Option("--watch", help="Refresh until Ctrl-C.")] = False,
    as_json: Json = False,
) -> None:
    """Show the trials of a sweep, the best first, and what pruning saved.

    Example: fulcrum sweep show 3
    """
    with client(ctx) as service:
        sweep = service.sweep(number)
        if as_json:
            print_json(sweep.detail().model_dump(mode="json"))
        elif watch:
            watched(lambda: trials_table(sweep.detail()))
        else:
            out().print(sweep_page(sweep.detail()))


def best(ctx: typer.Context, number: Number, as_json: Json = False) -> None:
    """Print the number of the best completed trial's job.

    Example: fulcrum sweep best 3

    Example: fulcrum infer $(fulcrum sweep best 3) --data digits:test
    """
    with client(ctx) as service:
        found = service.sweep(number).detail()
    trial = next((one for one in found.listing if one.number == found.best), None)
    if trial is None:
        print_error(
            f"no trial of sweep {number} has completed", hint=f"fulcrum sweep show {number}"
        )
        raise typer.Exit(ExitCode.CONFLICT)
    if as_json:
        print_json(trial.model_dump(mode="json"))
    else:
        print(trial.job)


def cancel(
    ctx: typer.Context,
    number: Number,
    reason: Annotated[str, typer.Option("--reason", "-r", help="Reason, kept with it.")] = "",
    as_json: Json = False,
) -> None:
    """Make no further trials, and cancel those that wait or run.

    Example: fulcrum sweep cancel 3
    """
    with client(ctx) as service:
        info = service.sweep(number).cancel(reason).info
    if as_json:
        print_json(info.model_dump(mode="json"))
    else:
        out().print(f"sweep [bold]{info.id}[/] {coloured(info.state.value)}: {escape(info.reason)}")
