"""cancel."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.commands.jobs.changes import each
from api.cli.support.global_options import Json, client
from api.cli.support.output import out, print_error, print_json
from scheduler.domain.units import counted

if TYPE_CHECKING:
    from api.client import Client


def cancel(
    ctx: typer.Context,
    jobs: Annotated[
        list[str] | None,
        typer.Argument(metavar="JOB…", help="Numbers or names of jobs."),
    ] = None,
    reason: Annotated[
        str, typer.Option("--reason", "-r", help="Reason, kept in the job's history.")
    ] = "",
    everything: Annotated[bool, typer.Option("--all", "-a", help="Cancel all live jobs.")] = False,
    states: Annotated[
        list[str] | None,
        typer.Option("--state", "-s", help="Cancel jobs in this state; repeatable."),
    ] = None,
    kinds: Annotated[
        list[str] | None, typer.Option("--kind", "-k", help="Cancel jobs of this kind; repeatable.")
    ] = None,
    user: Annotated[
        str | None,
        typer.Option(
            "--user", "-u", help="Cancel jobs of this user; default: you; for admins: all."
        ),
    ] = None,
    project: Annotated[str | None, typer.Option(help="Cancel jobs of this project.")] = None,
    name: Annotated[
        str | None, typer.Option("--name", "-n", help="Cancel jobs with this in their name.")
    ] = None,
    array: Annotated[
        int | None,
        typer.Option(metavar="JOB", min=1, help="Cancel the array with this first job."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Cancel jobs by number, or all live jobs that match.

    Example: fulcrum cancel 17 18 --reason "wrong learning rate"

    Example: fulcrum cancel --state queued --project vision
    """
    filters = {"kind": kinds or [], "user": user, "project": project, "name": name}
    wanted = {**filters, "state": [item.upper() for item in states or ()], "array": array}
    if bool(jobs) == (any(wanted.values()) or everything):
        raise typer.BadParameter(
            "give numbers or names of jobs, or filters, or --all", param_hint="JOB…"
        )
    with client(ctx) as service:
        if jobs:
            each(jobs, lambda one: service.job(one).cancel(reason), as_json)
        else:
            _cancel_all(service, {**wanted, "everything": everything}, reason, yes, as_json)


def _cancel_all(
    service: Client, wanted: dict[str, Any], reason: str, yes: bool, as_json: bool
) -> None:
    """Cancel all live jobs that match `wanted`, the arguments of `Client.cancel_jobs`."""
    if not yes:
        _ask(service.cancel_jobs(**wanted, dry_run=True).count)
    done = service.cancel_jobs(**wanted, reason=reason)
    if as_json:
        print_json(done.model_dump(mode="json"))
    else:
        out().print(f"{counted(done.count, 'job')} cancelled")


def _ask(count: int) -> None:
    """Exit unless a person says yes."""
    if not sys.stdin.isatty():
        print_error(
            f"this would cancel {counted(count, 'job')}, and there is no terminal to ask on",
            hint="--yes",
        )
        raise typer.Exit(2)
    if count and not typer.confirm(f"Cancel {counted(count, 'job')}?", err=True):
        raise typer.Exit(0)
