"""scenario ls, show, new: the worlds that policies are learned and compared in."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from api.cli.support import text_format
from api.cli.support.global_options import GlobalOptions, Json
from api.cli.support.output import err, out, print_json, table

if TYPE_CHECKING:
    from envs.scenarios import Scenario, Supply

Trace = Annotated[
    Path | None, typer.Option(metavar="FILE", help="The trace that the scenario replays.")
]


def ls(as_json: Json = False) -> None:
    """List the scenarios that come with Fulcrum.

    Example: fulcrum scenario ls
    """
    from envs.scenarios import load, names

    scenarios = [load(name) for name in names()]
    if as_json:
        print_json(
            [
                {
                    "name": one.name,
                    "version": one.version,
                    "digest": one.digest,
                    "description": one.description,
                }
                for one in scenarios
            ]
        )
        return
    result = table("!NAME", ">VERSION", "!DIGEST", ">DEVICES", "ABOUT", drop=("DIGEST", "VERSION"))
    for one in scenarios:
        devices = "drawn" if one.randomisation else str(sum(pool.count for pool in one.pools))
        result.add_row(one.name, str(one.version), one.digest, devices, escape(one.description))
    out().print(result)


def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A name, or a .toml file.")],
    trace: Trace = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Draw what is random, and a workload, by this seed.")
    ] = None,
    split: Annotated[str, typer.Option(help="train, validation, tuning or test.")] = "train",
    as_json: Json = False,
) -> None:
    """Show a scenario: its pools and prices, where jobs come from, what counts.

    Example: fulcrum scenario show mixed-cloud --seed 1
    """
    from envs.scenarios import load
    from envs.workloads.summary import describe

    one = load(name, trace=trace)
    workload = None
    if seed is not None:
        workload = one.workload(seed, split=split)
        one = one.draw(seed, split)
    figures = None if workload is None else describe(workload)
    if as_json:
        print_json(
            {
                "name": one.name,
                "version": one.version,
                "digest": one.digest,
                "description": one.description,
                "pools": [{**asdict(s.pool), **_without_pool(s)} for s in one.supplies],
                "workload": {key: value for key, value in asdict(one.source).items() if value},
                "estimates": asdict(one.estimates),
                "failures": asdict(one.failures),
                "reservations": one.mode.value,
                "placement": one.placement,
                "preemption": asdict(one.preemption) if one.preemption.weighed else None,
                "preference": one.preference,
                "objective": asdict(one.objective) if one.objective else None,
                "random": asdict(one.randomisation) if one.randomisation else None,
                "drawn": None if figures is None else asdict(figures),
            }
        )
        return
    _print(one)
    if figures is not None:
        out().print(
            f"\nworkload of seed {seed}: {figures.jobs:,} jobs over "
            f"{text_format.seconds(figures.span_s)}, median size {figures.size.p50:g}, "
            f"median runtime {text_format.seconds(figures.runtime_s.p50)}"
        )


def new(
    ctx: typer.Context,
    from_history: Annotated[
        bool, typer.Option("--from-history", help="Of the jobs this cluster has run.")
    ] = False,
    since: Annotated[
        str, typer.Option(metavar="DURATION", help="How far back: 12h, 7d, 30d.")
    ] = "7d",
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The scenario's file.")
    ] = Path("history.toml"),
    force: Annotated[bool, typer.Option("--force", help="Replace existing files.")] = False,
    as_json: Json = False,
) -> None:
    """Make a scenario of this machine and the jobs it has run; works in the data folder.

    Example: fulcrum scenario new --from-history --since 7d --output ours.toml
    """
    if not from_history:
        raise typer.BadParameter("say what to make it from", param_hint="--from-history")
    from envs.scenarios.file import detected
    from envs.scenarios.recorded import write
    from envs.workloads.traces import history
    from scheduler import bootstrap, settings
    from scheduler.clock import SystemClock
    from scheduler.domain.units import seconds

    try:
        begin = SystemClock().now() - seconds(since)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--since") from None
    shared = ctx.find_object(GlobalOptions) or GlobalOptions()
    configured = settings.load(overrides={"data_dir": shared.data})
    supplies = detected(configured)
    store = bootstrap.history(configured)
    try:
        workload = history.read(store, [supply.pool for supply in supplies], since=begin)
    finally:
        store.close()
    made = write(workload, supplies, output, preference=configured.preference, overwrite=force)
    if as_json:
        print_json(
            {
                "name": made.scenario.name,
                "digest": made.scenario.digest,
                "file": str(made.path),
                "jobs_file": str(made.jobs),
                "jobs": len(workload.jobs),
                "skipped": list(workload.skipped),
            }
        )
        return
    out().print(
        f"{escape(str(made.path))}: {len(workload.jobs):,} jobs, digest {made.scenario.digest}",
        soft_wrap=True,
    )
    if workload.skipped:
        err().print(f"[yellow]left out[/] {len(workload.skipped)} jobs (--json says why)")


def _print(one: Scenario) -> None:
    console = out()
    console.print(f"[bold]{escape(one.name)}[/] version {one.version}, digest {one.digest}")
    console.print(escape(one.description), soft_wrap=True)
    if one.supplies:
        result = table(
            *("!POOL", "MODEL", ">DEVICES", "NODES", ">$/DEVICE HOUR", "!BILLED", "PRICE FROM"),
            drop=("PRICE FROM", "BILLED", "NODES"),
        )
        for supply in one.supplies:
            pool = supply.pool
            result.add_row(
                escape(pool.name),
                escape(pool.model),
                str(pool.count),
                _nodes(supply),
                f"{pool.dollars_per_device_hour:.4g}",
                supply.billing.value,
                escape(supply.origin),
            )
        console.print()
        console.print(result)
    else:
        console.print("\npools, prices, loads and mixes are drawn by seed: --seed N shows some")
    facts: dict[str, str] = {"jobs": _jobs(one)}
    for model in ("synthetic", "lublin", "trace"):
        parameters = getattr(one.source, model)
        if parameters is not None:
            facts[model] = ", ".join(_pairs(asdict(parameters)))
    facts["estimates"] = ", ".join((one.estimates.name, *_pairs(one.estimates.parameters)))
    facts["failures"] = ", ".join(_pairs(asdict(one.failures)))
    facts["reservations"] = one.mode.value
    facts["placement"] = one.placement
    if one.preemption.weighed:
        facts["preemption"] = ", ".join(_pairs(asdict(one.preemption)))
    facts["preference"] = f"{one.preference:g}"
    if one.objective is not None:
        facts["objective"] = ", ".join(_pairs(asdict(one.objective)))
    console.print()
    for label, text in facts.items():
        console.print(f"[bold]{label:<14}[/] {escape(text)}", soft_wrap=True)


def _jobs(one: Scenario) -> str:
    """The jobs of a workload of the scenario's length."""
    count, (before, after) = one.source.jobs, one.source.around(one.source.jobs)
    if not before + after:
        return f"{count:,} in a workload"
    told = f"{count:,} that count, {before:,} before and {after:,} after them"
    if one.source.population:
        told += "; some are under way at the start"
    if one.source.backlog[1]:
        told += "; {:,} to {:,} wait then".format(*one.source.backlog)
    return told


def _nodes(supply: Supply) -> str:
    most = supply.pool.nodes
    text = f"{supply.min_nodes}..{most}" if supply.elastic else str(most)
    return f"{text} spot" if supply.spot else text


def _pairs(values: Any, prefix: str = "") -> list[str]:
    """`training.median_s 1200`: nested tables flattened, without what is empty."""
    found: list[str] = []
    for name, value in values.items():
        if isinstance(value, dict):
            found += _pairs(value, f"{prefix}{name}.")
        elif value not in (None, (), ""):
            found.append(f"{prefix}{name} {value}")
    return found


def _without_pool(supply: Supply) -> dict[str, Any]:
    values = asdict(supply)
    del values["pool"]
    return values
