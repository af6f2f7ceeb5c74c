"""The command line `fulcrum`; most of its commands speak HTTP to a service."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from api.cli.command_table import OTHER_TOOLS, PANELS
from api.cli.streams import discard, piped
from api.cli.support.command_group import CommandGroup, commands
from api.cli.support.global_options import GlobalOptions


class Fulcrum(CommandGroup):
    """All commands."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**(options | {"commands": commands(PANELS)}))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find a command; one of another tool's is a usage error that names the right one."""
        if args[0] in OTHER_TOOLS and not ctx.resilient_parsing:
            ctx.fail(f"There is no command {args[0]!r}. {OTHER_TOOLS[args[0]]}.")
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=Fulcrum,
    name="fulcrum",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 ok, 1 job failed, 2 usage, 3 not found, 4 refused, 5 unreachable, "
    "6 conflict, 7 service failed, 8 not installed, 9 files or output, 124 timeout, "
    "130 interrupted, 141 nobody reads the output.",
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"fulcrum {version('fulcrum-scheduler')}")
        raise typer.Exit


@app.callback()
def global_options(
    ctx: typer.Context,
    url: Annotated[
        str | None,
        typer.Option(
            help="Address of the service; default: $FULCRUM_URL, else that of the data folder."
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Data folder of the service, with its address and token."),
    ] = None,
    _: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and exit.", is_eager=True, callback=_version
        ),
    ] = False,
) -> None:
    """Fulcrum schedules CNN training and inference jobs on a team's own GPUs and CPUs."""
    ctx.obj = GlobalOptions(url, data)


def main() -> None:
    """Entry point of the `fulcrum` command."""
    sys.stdout, sys.stderr = piped(sys.stdout), piped(sys.stderr)
    try:
        try:
            app(prog_name="fulcrum")
        finally:
            sys.stdout.flush()
    except OSError as error:  # a full disk, found when the last lines are written
        from api.cli.support.failures import told

        discard(sys.stdout)
        raise SystemExit(told(error)) from None
