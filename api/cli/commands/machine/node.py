"""node join."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from api.cli.support.global_options import GlobalOptions, Json
from api.cli.support.output import out, print_json


def join(
    ctx: typer.Context,
    address: Annotated[str, typer.Argument(help="Of the head, HOST:PORT, as `serve` says it.")],
    token: Annotated[
        Path | None,
        typer.Option(
            help="A copy of the service's `ray/token`; default: that of the data folder.",
            metavar="FILE",
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Of the node; default: the host's.")] = None,
    host: Annotated[
        str | None, typer.Option(help="Address on which others reach this machine.")
    ] = None,
    pool: Annotated[
        str | None, typer.Option(help="Of its devices; default: by their model and number.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Make this machine a node of a cluster; `ray stop` ends that, and jobs go on.

    Example: fulcrum node join 10.0.0.5:6379 --token ~/fulcrum/ray/token
    """
    from scheduler.files import expanded
    from scheduler.node import engine
    from scheduler.settings import load

    if token is None:
        options = ctx.find_object(GlobalOptions) or GlobalOptions()
        token = load(None, {"data_dir": options.data}).data_dir / engine.TOKEN_FILE
    known = name or socket.gethostname().partition(".")[0]
    engine.join(address, known, expanded(token).absolute(), host, pool)
    if as_json:
        print_json({"node": known, "address": address})
    else:
        out().print(f"node {escape(known)} has joined {escape(address)}")
