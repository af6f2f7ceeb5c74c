"""cluster, cost, estimates; policy ls, use, prefer."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.markup import escape

from api.cli.support import text_format
from api.cli.support.flags import pairs
from api.cli.support.global_options import GlobalOptions, Json, client, dial
from api.cli.support.output import err, out, print_json, table
from scheduler.domain.records import CostGroup

if TYPE_CHECKING:
    from api.schemas import PolicySummary
from scheduler.domain.units import seconds
from scheduler.policies import SIMULATED


def _past(text: str) -> datetime:
    """A time as typed: so long ago (`1h`), or ISO 8601, local without a zone."""
    with suppress(ValueError):
        return datetime.now().astimezone() - timedelta(seconds=seconds(text.removeprefix("-")))
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError:
        legal = "so long ago (1h, 7d), or local time (2026-01-31, 2026-01-31T18:00)"
        raise typer.BadParameter(f"{text!r} is no time; legal: {legal}") from None


Day = Annotated[
    datetime | None,
    typer.Option(
        parser=_past, metavar="TIME", help="When attempts ended: 1h or 7d ago, or 2026-01-31."
    ),
]


def cluster(ctx: typer.Context, as_json: Json = False) -> None:
    """Show the pools, their devices with prices and jobs, and the active policy.

    Example: fulcrum cluster
    """
    with client(ctx) as service:
        view = service.cluster()
    if as_json:
        print_json(view.model_dump(mode="json"))
        return
    console = out()
    columns = ("!POOL", "!KIND", "MODEL", "!STATE", ">BUSY", ">MEMORY", ">$/DEVICE HOUR", ">WATTS")
    result = table(*columns, "JOBS", drop=("KIND", "WATTS", "MEMORY", "MODEL"))
    for pool in view.pools:
        jobs = sorted({device.job for device in pool.devices if device.job is not None})
        total = pool.memory_per_node * pool.nodes
        result.add_row(
            escape(pool.name),
            pool.kind.value,
            escape(pool.model),
            "up" if pool.available else "[yellow]unavailable[/]",
            f"{pool.busy} of {pool.count}",
            f"{text_format.size(pool.memory_used)} of {text_format.size(total)}" if total else "–",
            f"{pool.dollars_per_device_hour:.4g}",
            f"{pool.watts_per_device:.4g}",
            " ".join(map(str, jobs)) or "–",
        )
    console.print(result)
    for pool in view.pools:
        about = "; ".join(filter(None, (pool.note, f"prices and watts: {pool.source}")))
        console.print(f"[dim]{escape(pool.name)}: {escape(about)}[/]", soft_wrap=True)
    active = view.policy
    console.print(
        f"\n{view.queued} queued, {view.active} active; {escape(active.name)} decides "
        f"({text_format.decides(active)})"
    )
    if view.leader is not None:
        console.print(escape(text_format.leads(view.leader)), soft_wrap=True)


def cost(
    ctx: typer.Context,
    by: Annotated[CostGroup, typer.Option(help="Group by.")] = "user",
    since: Day = None,
    until: Day = None,
    as_json: Json = False,
) -> None:
    """Show the measured dollars and energy of ended attempts.

    Example: fulcrum cost --by project --since 2026-01-01
    """
    with client(ctx) as service:
        costs = service.costs(by, since=since, until=until)
    if as_json:
        print_json(costs.model_dump(mode="json"))
        return
    result = table(
        *(f"~{by.upper()}", ">JOBS", ">ATTEMPTS", ">DEVICE TIME", ">LOST", ">COST", ">ENERGY"),
        drop=("ATTEMPTS", "ENERGY", "LOST", "JOBS"),
    )
    for group in (*costs.groups, costs.total):
        result.add_row(
            escape(group.group),
            str(group.jobs),
            str(group.attempts),
            text_format.seconds(group.device_seconds),
            text_format.seconds(group.lost_device_seconds),
            text_format.dollars(group.dollars),
            text_format.joules(group.joules),
            style="bold" if group is costs.total else None,
        )
    for pool in costs.idle:
        time, price = text_format.seconds(pool.device_seconds), text_format.dollars(pool.dollars)
        result.add_row(f"idle: {escape(pool.pool)}", "–", "–", time, "–", price, "–", style="dim")
    out().print(result)


def estimates(
    ctx: typer.Context,
    by: Annotated[Literal["source", "kind"], typer.Option(help="Group errors by.")] = "source",
    limit: Annotated[int, typer.Option(min=0, max=10_000, help="Number of attempts shown.")] = 15,
    as_json: Json = False,
) -> None:
    """Show how far the estimated runtimes were from the measured ones.

    Example: fulcrum estimates --by kind
    """
    with client(ctx) as service:
        answer = service.estimates(by, limit=limit)
    if as_json:
        print_json(answer.model_dump(mode="json"))
        return
    console = out()
    if not answer.errors:
        console.print("[dim]nothing measured yet[/]")
        return
    columns = (">ATTEMPTS", ">MEDIAN ERROR", ">90 % BELOW", ">BIAS", ">IN 80 %")
    errors = table(f"!{by.upper()}", *columns)
    for row in answer.errors:
        errors.add_row(
            escape(row.group),
            str(row.count),
            text_format.share(row.median_error),
            text_format.share(row.p90_error),
            f"{100 * row.bias:+.1f} %",
            "–" if row.coverage is None else text_format.share(row.coverage),
            style="bold" if row.group == "all" else None,
        )
    console.print(errors)
    if answer.measurements:
        console.print()
        single = table(
            *("!ATTEMPT", "~WORK", "!ON", ">EXPECTED", ">TRUE", ">ERROR", "!FROM"),
            drop=("FROM", "WORK", "ON"),
        )
        for one in answer.measurements:
            single.add_row(
                f"{one.job}.{one.attempt}",
                escape(one.key),
                f"{escape(one.pool)} × {one.width}",
                text_format.seconds(one.estimated_s),
                text_format.seconds(one.seconds),
                f"{100 * (one.estimated_s / max(one.seconds, 1e-3) - 1):+.0f} %",
                one.source,
            )
        console.print(single)


def policy_ls(ctx: typer.Context, as_json: Json = False) -> None:
    """List the policies, learned ones with their state; the active one is marked.

    Without a service it lists those of the data folder. Textbook orders may be named with where
    their jobs run, such as sjf@fastest, and most policies with +search.

    Example: fulcrum policy ls
    """
    from api.client.errors import UnreachableError

    active = None
    try:
        with client(ctx) as service:
            answer = service.policies()
        policies, active = answer.policies, answer.active
    except UnreachableError:
        options = ctx.find_object(GlobalOptions) or GlobalOptions()
        if options.url is not None or find_spec("numpy") is None:
            raise  # a plain install has no policies
        policies = _offline(ctx)
    if as_json:
        dumped = [one.model_dump(mode="json") for one in policies]
        print_json({"active": active and active.model_dump(mode="json"), "policies": dumped})
        return
    result = table("!", "!POLICY", "!STATE", "PREFERS")
    for one in policies:
        mark = "[green]●[/]" if one.active else " "
        style = "bold" if one.active else None if one.usable else "red"
        result.add_row(mark, escape(one.name), one.state, escape(one.summary), style=style)
    out().print(result)
    if active is not None:
        out().print(f"\n{escape(active.name)} decides ({text_format.decides(active)})")
    else:
        err().print("[dim]no service answers: these are the policies of the data folder[/]")
    others = ", ".join(SIMULATED)
    out().print(f"[dim]in the simulator only (fulcrum compare): {others}[/]", soft_wrap=True)


def policy_use(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="As in `fulcrum policy ls`.")],
    mode: Annotated[
        str | None,
        typer.Option(
            metavar="MODE", help="Mode, which says what happens when the best job does not fit."
        ),
    ] = None,
    preference: Annotated[
        str | None,
        typer.Option(help="cheap, balanced, fast, or 0 to 1, for jobs without a preference."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Change the active policy.

    Example: fulcrum policy use sjf --preference cheap
    """
    with client(ctx) as service:
        active = service.use_policy(
            name, mode=mode, preference=None if preference is None else dial(preference)
        )
    if as_json:
        print_json(active.model_dump(mode="json"))
    else:
        out().print(f"[bold]{escape(active.name)}[/] decides ({text_format.decides(active)})")


def policy_prefer(
    ctx: typer.Context,
    preference: Annotated[
        str | None,
        typer.Argument(
            metavar="W", help="Preference of the cluster: cheap, balanced, fast, or 0 to 1."
        ),
    ] = None,
    project: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=W", help="Preference of a project; none: the cluster's. Repeatable."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Set or show the preference of jobs that name none: 0 is cheapest, 1 is fastest.

    It also applies to waiting jobs. The active policy stays as it is.

    Example: fulcrum policy prefer 0.3 --project vision=fast --project nlp=none
    """
    projects = {
        name: None if w == "none" else dial(w)
        for name, w in pairs(project or (), "--project").items()
    }
    with client(ctx) as service:
        if preference is None and not projects:
            found = service.preferences()
        else:
            cluster_w = None if preference is None else dial(preference)
            found = service.prefer(cluster_w, projects=projects)
    if as_json:
        print_json(found.model_dump(mode="json"))
        return
    out().print(f"preference {found.cluster:g} (0 cheapest … 1 fastest)")
    if found.projects:
        result = table("~PROJECT", ">PREFERENCE")
        for name, w in sorted(found.projects.items()):
            result.add_row(escape(name), f"{w:g}")
        out().print(result)


def _offline(ctx: typer.Context) -> tuple[PolicySummary, ...]:
    from api.cli.commands.policies.registry import registry_of, schedules_of
    from api.schemas import PolicySummary
    from scheduler.policies import lookup

    heuristics = (
        PolicySummary(name=name, summary=summary, active=False)
        for name, summary in sorted(lookup.names().items())
    )
    tuned = map(PolicySummary.tuned, schedules_of(ctx).names())
    return (*heuristics, *tuned, *map(PolicySummary.learned, registry_of(ctx).entries()))
