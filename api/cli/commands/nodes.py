"""nodes ls, events, drain, resume, retire."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from api.cli.support import text_format
from api.cli.support.global_options import Json, client
from api.cli.support.output import out, print_json, table

if TYPE_CHECKING:
    from api.schemas import NodesOut

Name = Annotated[str, typer.Argument(help="As in `fulcrum nodes ls`.")]

_STYLES = {
    "up": "green",
    "booting": "cyan",
    "draining": "yellow",
    "unreachable": "red",
    "down": "red",
}


def ls(ctx: typer.Context, as_json: Json = False) -> None:
    """List the nodes with their states, pools and jobs.

    Example: fulcrum nodes ls
    """
    with client(ctx) as service:
        found = service.nodes()
    _show(found, as_json=as_json)


def events(
    ctx: typer.Context,
    node: Annotated[str | None, typer.Argument(help="Of this node only.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 1000,
    as_json: Json = False,
) -> None:
    """Show what happened to nodes, oldest first.

    Example: fulcrum nodes events gpu-a
    """
    with client(ctx) as service:
        page = service.node_events(node, limit=limit)
    if as_json:
        print_json(page.model_dump(mode="json"))
        return
    result = table("!TIME", "!NODE", "!EVENT", "!BY", "REASON", drop=("BY",))
    for event in page.events:
        result.add_row(
            text_format.moment(event.time),
            escape(event.node),
            event.name.value,
            escape(event.actor),
            escape(event.reason) or "–",
        )
    out().print(result)


def drain(
    ctx: typer.Context,
    name: Name,
    reason: Annotated[str, typer.Option(help="Shown to those whose jobs wait.")] = "",
    as_json: Json = False,
) -> None:
    """Let no further job start on a node; those that run there go on.

    Example: fulcrum nodes drain gpu-a --reason "new fans"
    """
    with client(ctx) as service:
        _show(service.drain_node(name, reason), as_json=as_json)


def resume(ctx: typer.Context, name: Name, as_json: Json = False) -> None:
    """Let jobs start on a drained node again.

    Example: fulcrum nodes resume gpu-a
    """
    with client(ctx) as service:
        _show(service.resume_node(name), as_json=as_json)


def retire(ctx: typer.Context, name: Name, as_json: Json = False) -> None:
    """Forget a node that is gone for good. Its history stays.

    Example: fulcrum nodes retire gpu-a
    """
    with client(ctx) as service:
        _show(service.retire_node(name), as_json=as_json)


def _show(found: NodesOut, *, as_json: bool) -> None:
    if as_json:
        print_json(found.model_dump(mode="json"))
        return
    result = table(
        *("!NODE", "!STATE", "!SINCE", "POOLS", ">CPUS", "GPUS", "JOBS", "REASON"),
        drop=("CPUS", "SINCE", "GPUS", "POOLS", "REASON"),
    )
    for node in found.nodes:
        style = _STYLES.get(node.state.value, "dim")
        result.add_row(
            escape(node.name),
            f"[{style}]{node.state.value}[/]",
            text_format.moment(node.since),
            escape(" ".join(node.pools)) or "–",
            str(node.cpus or "–"),
            escape(_counted(node.gpus)) or "–",
            " ".join(map(str, node.jobs)) or "–",
            escape(node.reason) or "–",
            style="dim" if node.state.value == "off" else None,
        )
    out().print(result)


def _counted(models: Iterable[str]) -> str:
    counts = Counter(models)
    return ", ".join(f"{count} × {model}" for model, count in counts.items())
