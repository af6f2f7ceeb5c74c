"""project ls, show, set."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from api.cli.support.global_options import Json, client
from api.cli.support.output import out, print_json, table
from scheduler.domain.units import counted, money

if TYPE_CHECKING:
    from api.schemas import ProjectOut, QuotaOut

Name = Annotated[str, typer.Argument(help="Name of the project.")]
_LIMITS: dict[str, Callable[[float], str]] = {
    "devices": lambda most: counted(most, "device") + " at once",
    "queued": lambda most: counted(most, "waiting job"),
    "dollars_per_day": lambda most: f"{money(most)} a day",
    "dollars_per_month": lambda most: f"{money(most)} a month",
}


def _limit(help_: str) -> Any:
    return typer.Option(metavar="N|none", help=help_)


Devices = Annotated[str | None, _limit("Devices that its jobs hold at once.")]
Queued = Annotated[str | None, _limit("Jobs that wait.")]
PerDay = Annotated[str | None, _limit("Dollars a day (UTC).")]
PerMonth = Annotated[str | None, _limit("Dollars a calendar month (UTC).")]
SoftDevices = Annotated[str | None, _limit("As --devices, but it only warns.")]
SoftQueued = Annotated[str | None, _limit("As --queued, but it only warns.")]
SoftPerDay = Annotated[str | None, _limit("As --dollars-per-day, but it only warns.")]
SoftPerMonth = Annotated[str | None, _limit("As --dollars-per-month, but it only warns.")]


def ls(ctx: typer.Context, as_json: Json = False) -> None:
    """List the projects with their shares, usage and quotas.

    Example: fulcrum project ls
    """
    with client(ctx) as service:
        found = service.projects()
    if as_json:
        print_json([one.model_dump(mode="json") for one in found])
        return
    result = table(
        *("~PROJECT", ">SHARE", ">USED", ">FACTOR", ">DEVICES", ">QUEUED", ">TODAY", ">MONTH"),
        "LIMITS",
        drop=("FACTOR", "LIMITS", "QUEUED", "DEVICES", "TODAY", "SHARE"),
    )
    for one in found:
        result.add_row(
            escape(one.name),
            f"{one.share:g}",
            f"{one.ratio:.2f} ×",
            f"{one.factor:.2f}",
            str(one.devices),
            str(one.queued),
            money(one.dollars_today),
            money(one.dollars_this_month),
            _words(one.hard) or "–",
            style="yellow" if one.warnings else None,
        )
    out().print(result if found else "[dim]no projects; a job names one with --project[/]")


def show(ctx: typer.Context, name: Name, as_json: Json = False) -> None:
    """Show a project: what it may use, and what it uses.

    Example: fulcrum project show vision
    """
    with client(ctx) as service:
        _show(service.project(name), as_json=as_json)


def set_(
    ctx: typer.Context,
    name: Name,
    share: Annotated[
        float | None, typer.Option(help="Part of the cluster, beside the shares of others.")
    ] = None,
    devices: Devices = None,
    queued: Queued = None,
    dollars_per_day: PerDay = None,
    dollars_per_month: PerMonth = None,
    soft_devices: SoftDevices = None,
    soft_queued: SoftQueued = None,
    soft_dollars_per_day: SoftPerDay = None,
    soft_dollars_per_month: SoftPerMonth = None,
    as_json: Json = False,
) -> None:
    """Change a project's share and limits; `none` lifts a limit. It takes an admin.

    Example: fulcrum project set vision --share 3 --devices 4 --soft-dollars-per-day 5
    """
    hard = _named(devices, queued, dollars_per_day, dollars_per_month)
    soft = _named(soft_devices, soft_queued, soft_dollars_per_day, soft_dollars_per_month)
    if share is None and not hard and not soft:
        raise typer.BadParameter("name what to change, such as --share 3")
    with client(ctx) as service:
        found = service.set_project(name, share=share, hard=hard, soft=soft)
    _show(found, as_json=as_json)


def _named(*values: str | None) -> dict[str, float | None]:
    """The limits that were given. Raises `typer.BadParameter`."""
    found: dict[str, float | None] = {}
    for name, text in zip(_LIMITS, values, strict=True):
        if text is None:
            continue
        kind = float if name.startswith("dollars") else int
        try:
            found[name] = None if text == "none" else kind(text)
        except ValueError:
            legal = "a number or none" if kind is float else "a whole number or none"
            raise typer.BadParameter(f"{name}: {text!r} is not {legal}") from None
    return found


def _words(quota: QuotaOut) -> str:
    named = ((text, getattr(quota, name)) for name, text in _LIMITS.items())
    return ", ".join(text(value) for text, value in named if value is not None)


def _show(project: ProjectOut, *, as_json: bool) -> None:
    if as_json:
        print_json(project.model_dump(mode="json"))
        return
    lines = {
        "share": f"{project.share:g}",
        "used": f"{project.ratio:.2f} × its share lately, so its jobs count {project.factor:.2g} ×",
        "now": f"{counted(project.devices, 'device')}, {counted(project.queued, 'waiting job')}",
        "spent": f"{money(project.dollars_today)} today, {money(project.dollars_this_month)} this "
        f"month; its running jobs will cost {money(project.committed)}",
        "limits": _words(project.hard) or "none",
        "soft limits": _words(project.soft) or "none",
    }
    out().print(f"[bold]project {escape(project.name)}[/]")
    for title, text in lines.items():
        out().print(f"  {title:<12} {text}")
    for warning in project.warnings:
        out().print(f"  [yellow]{'over':<12} {escape(warning)}[/]")
