"""policy active, fit, shadow: who decides here, and whether that is for the better."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from api.cli.support import text_format
from api.cli.support.global_options import Json, client
from api.cli.support.output import out, print_json

if TYPE_CHECKING:
    from api.schemas import FitOut, PolicyOut

POLL_S = 0.5


def active(ctx: typer.Context, as_json: Json = False) -> None:
    """Who decides, how often the guard had to, and how well it fits this cluster.

    Example: fulcrum policy active
    """
    with client(ctx) as service:
        policy = service.policy()
    if as_json:
        print_json(policy.model_dump(mode="json"))
    else:
        print_policy(policy)


def fit(
    ctx: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(metavar="POLICY", help="Default: the one that was wanted last."),
    ] = None,
    wait: Annotated[bool, typer.Option(help="Until it is known which one is better.")] = True,
    as_json: Json = False,
) -> None:
    """Replay jobs with a policy and with wgc on this cluster's pools; the better will decide.

    The jobs of the last 7 days are replayed; where there were fewer than 50, made-up ones.

    Example: fulcrum policy fit learned:fulcrum
    """
    with client(ctx) as service:
        policy = service.fit_policy(name)
        while wait and policy.fit is not None and policy.fit.state == "running":
            time.sleep(POLL_S)
            policy = service.policy()
    if as_json:
        print_json(policy.model_dump(mode="json"))
    else:
        print_policy(policy)
    if wait and policy.fit is not None and policy.fit.state != "done":
        raise typer.Exit(7)


def shadow(
    ctx: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="POLICY", help="Default: show the one there is.")
    ] = None,
    off: Annotated[bool, typer.Option("--off", help="No longer any.")] = False,
    score: Annotated[
        bool, typer.Option("--score", help="Replay the jobs since it began, with both policies.")
    ] = False,
    as_json: Json = False,
) -> None:
    """A candidate that sees every decision and changes none: how often it would agree.

    `--score` replays made-up jobs where fewer than 50 succeeded since it began.
    Restarts do not end it. Naming the same one again starts it over.

    Example: fulcrum policy shadow learned:our-lab
    """
    if off and (name or score):
        raise typer.BadParameter("goes without POLICY and --score", param_hint="--off")
    with client(ctx) as service:
        policy = service.shadow_policy(name) if name or off else service.policy()
        if score:
            policy = service.score_shadow()
            while _scoring(policy):
                time.sleep(POLL_S)
                policy = service.policy()
    if as_json:
        print_json(None if policy.shadow is None else policy.shadow.model_dump(mode="json"))
        return
    if policy.shadow is None:
        out().print("[dim]no shadow[/]")
        return
    found = policy.shadow
    share = "–" if found.agreement is None else text_format.share(found.agreement)
    out().print(
        f"[bold]{escape(found.name)}[/] looks on since {text_format.moment(found.since)}: "
        f"{found.rounds} decisions, agreement {share} ({found.agreed} of {found.placements} "
        f"placements), {found.dropped} dropped, {found.failed} failed",
        soft_wrap=True,
    )
    if found.fit is not None:
        print_fit(found.fit)


def _scoring(policy: PolicyOut) -> bool:
    fit = None if policy.shadow is None else policy.shadow.fit
    return fit is not None and fit.state == "running"


def print_policy(policy: PolicyOut) -> None:
    """Who decides, and why."""
    console = out()
    console.print(f"[bold]{escape(policy.name)}[/] decides ({text_format.decides(policy)})")
    if policy.nominee not in ("", policy.name):
        console.print(f"{escape(policy.nominee)} was wanted")
    counts = ", ".join(f"{count} {fault}" for fault, count in policy.faults.items() if count)
    console.print(f"fallbacks: {policy.fallbacks}{f' ({counts})' if counts else ''}")
    if policy.fit is not None:
        print_fit(policy.fit)


def print_fit(fit: FitOut) -> None:
    """What a replay found."""
    console, found = out(), fit.verdict
    when = text_format.moment(fit.time)
    console.print(
        f"replay of {when}: {escape(fit.nominee)} against {escape(fit.rival)}, "
        f"{fit.state} {escape(fit.error)}".rstrip(),
        soft_wrap=True,
    )
    if found is None:
        return
    interval = ""
    if found.low is not None and found.high is not None:
        interval = f" (95 %: {100 * found.low:+.1f} to {100 * found.high:+.1f} %)"
    console.print(
        f"  objective at preference {fit.preference:g}: {found.nominee:.4g} against "
        f"{found.rival:.4g}, {100 * found.difference:+.1f} %{interval}, median "
        f"{100 * found.median:+.1f} %, better on {found.won} of {found.windows} workloads",
        soft_wrap=True,
    )
    if None not in (found.nominee_latency_s, found.nominee_dollars, found.rival_dollars):
        console.print(
            f"  mean of a job: {text_format.seconds(found.nominee_latency_s)} against "
            f"{text_format.seconds(found.rival_latency_s)} from submission to end, "
            f"{text_format.dollars(found.nominee_dollars)} against "
            f"{text_format.dollars(found.rival_dollars)}",
            soft_wrap=True,
        )
    if fit.better is not None:
        console.print(f"  {escape(fit.better)} is better", soft_wrap=True)
    else:
        console.print(
            f"  no difference is shown; the lower mean is {escape(fit.ahead or '')}'s",
            soft_wrap=True,
        )
    regime = text_format.regime(found.utilisation, found.queue_mean, found.queue_max, found.waiting)
    console.print(
        f"  on {found.windows} workloads: {escape(found.about)}; under {escape(fit.rival)}: "
        f"{regime}",
        soft_wrap=True,
    )
