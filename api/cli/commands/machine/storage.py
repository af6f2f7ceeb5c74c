"""du, prune."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import typer
from rich.markup import escape

from api.cli.support import text_format
from api.cli.support.global_options import Json, client
from api.cli.support.output import err, out, print_json, table
from scheduler.domain.units import counted


def du(
    ctx: typer.Context,
    limit: Annotated[int, typer.Option(min=0, max=1000, help="Number of jobs shown.")] = 10,
    as_json: Json = False,
) -> None:
    """Show the disk usage by kind of file, user and project, and of the largest jobs.

    Example: fulcrum du
    """
    with client(ctx) as service:
        usage = service.usage(limit=limit)
    if as_json:
        print_json(usage.model_dump(mode="json"))
        return
    console = out()
    for title, sizes in (
        ("KIND", usage.kinds),
        ("PROJECT", usage.projects),
        ("USER", usage.users),
    ):
        console.print(_sizes(title, sizes))
    if usage.jobs:
        result = table(
            *(">JOB", "~NAME", "~USER", "~PROJECT", "!STATE", ">SIZE", "!MOST OF IT"),
            drop=("PROJECT", "USER", "MOST OF IT", "STATE", "NAME"),
        )
        for one in usage.jobs:
            most = max(one.kinds.items(), key=lambda kind: kind[1], default=("–", 0))[0]
            name, user, project = map(escape, (one.name, one.user, one.project))
            size = text_format.size(one.bytes)
            result.add_row(str(one.job), name, user, project, one.state.value, size, most)
        console.print(result)
    console.print(f"{text_format.size(usage.bytes)} in all, {text_format.size(usage.free)} free")


def prune(
    ctx: typer.Context,
    older_than: Annotated[
        str | None,
        typer.Option(metavar="DURATION", help="Least time since the job's end: 30d, 12h."),
    ] = None,
    keep_bytes: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="Remove the oldest until this much is left: 50GiB."),
    ] = None,
    what: Annotated[
        str,
        typer.Option(
            metavar="KINDS",
            help="Kinds of files; models is another one, which fulcrum infer reads.",
        ),
    ] = "logs,checkpoints,artifacts",
    dry_run: Annotated[bool, typer.Option(help="Only show what would be removed.")] = False,
    as_json: Json = False,
) -> None:
    """Remove files of ended jobs; their history stays. At least one limit is needed.

    Example: fulcrum prune --older-than 30d --dry-run
    """
    if older_than is None and keep_bytes is None:
        raise typer.BadParameter("give --older-than, --keep-bytes or both")
    kinds = [word.strip() for word in what.split(",")]
    with client(ctx) as service:
        done = service.prune(
            what=kinds, older_than=older_than, keep_bytes=keep_bytes, dry_run=dry_run
        )
    if as_json:
        print_json(done.model_dump(mode="json"))
    else:
        sizes: dict[str, int] = {}
        for item in done.items:
            sizes[item.kind] = sizes.get(item.kind, 0) + item.bytes
        if sizes:
            out().print(_sizes("KIND", sizes))
        verb = "would be removed" if done.dry_run else "removed"
        jobs = len({item.job for item in done.items})
        out().print(f"{text_format.size(done.bytes)} of {counted(jobs, 'job')} {verb}")
        for text in done.failed:
            err().print(f"[red]not removed:[/] {escape(text)}", soft_wrap=True)
    if done.failed:
        raise typer.Exit(1)


def _sizes(title: str, sizes: Mapping[str, int]) -> object:
    result = table(f"~{title}", ">SIZE")
    for name, size in sizes.items():
        result.add_row(escape(name), text_format.size(size))
    return result
