"""node join, leave."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from api.cli.support.global_options import GlobalOptions, Json
from api.cli.support.output import out, print_json
from scheduler.domain.units import counted

if TYPE_CHECKING:
    from scheduler.node.local_nodes import LocalNode


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
    """Make this machine a node of a cluster, until `fulcrum node leave`.

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


def leave(
    name: Annotated[
        str | None, typer.Argument(help="Of the node; default: the only one here.")
    ] = None,
    everything: Annotated[
        bool,
        typer.Option("--all", help="All nodes here, and the head if `serve --ray` started it."),
    ] = False,
    cluster: Annotated[
        str | None,
        typer.Option(help="HOST:PORT of its head; default: the only one with nodes here."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Even if jobs run here; they go on as a lost node's do.")
    ] = False,
    as_json: Json = False,
) -> None:
    """End a node of this machine; without --force, only if none of its jobs run.

    Example: fulcrum node leave gpu-a
    """
    from scheduler.domain.errors import InputError
    from scheduler.node.local_nodes import local_nodes

    here = [node for node in local_nodes() if cluster is None or node.belongs_to(cluster)]
    if everything and name is not None:
        raise InputError("NAME and --all were given", {"name": "none with --all"})
    leaving = _all(here) if everything else [_one(here, name, cluster)]
    if not force:
        for node in leaving:
            _check_idle(node)
    for node in leaving:
        node.end()
    if as_json:
        rows = [{"node": node.name or None, "cluster": node.address} for node in leaving]
        print_json({"left": rows})
        return
    for node in leaving:
        what = f"node {node.name} has left" if node.name else "the head has ended:"
        out().print(f"{escape(what)} {escape(node.address)}")


def _all(here: Sequence[LocalNode]) -> Sequence[LocalNode]:
    """Raises `MissingError`, and `InputError` if they are of several clusters."""
    from scheduler.domain.errors import InputError, MissingError

    if not here:
        raise MissingError("no node and no head that Fulcrum started is on this machine")
    clusters = {node.session: node.address for node in here}
    if len(clusters) > 1:
        raise InputError(
            "this machine has nodes of several clusters",
            {"cluster": f"one of {', '.join(sorted(clusters.values()))}"},
        )
    return here


def _one(here: Sequence[LocalNode], name: str | None, cluster: str | None) -> LocalNode:
    """Raises `MissingError`, and `InputError` if there are several."""
    from scheduler.domain.errors import InputError, MissingError

    nodes = [node for node in here if node.name]
    found = [node for node in nodes if name in (None, node.name)]
    if not found:
        names = ", ".join(node.name for node in nodes)
        what = "no node" if name is None else f"no node {name}"
        what += "" if cluster is None else f" of {cluster}"
        raise MissingError(f"{what} is on this machine", {"name": names} if names else None)
    if len(found) > 1:
        these = ", ".join(f"{node.name} of {node.address}" for node in found)
        raise InputError(f"which node? here are {these}", {"name": "one of them, with --cluster"})
    return found[0]


def _check_idle(node: LocalNode) -> None:
    """Raises `StateError` if attempts run there."""
    from scheduler.domain.errors import StateError

    running = node.attempts
    if running:
        raise StateError(
            f"{counted(len(running), 'job')} on {node.name}, attempts {', '.join(running)}",
            {
                "force": f"first `fulcrum nodes drain {node.name}` and wait for them; with --force "
                "they go on, and start elsewhere after ray.lost_after_s if it does not join again"
            },
        )
