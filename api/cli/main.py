"""`fulcrum`: the command line. HTTP but for the service's own machine, simulation, training."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Annotated

import typer

from api.cli.commands import cluster
from api.cli.commands.jobs import cancel, inspect, listing, submit
from api.cli.commands.machine import backup, doctor, serve, storage, tokens
from api.cli.commands.policies import active, registry, train, tune
from api.cli.commands.simulation import compare, scenario, trace
from api.cli.support.failures import CommandGroup
from api.cli.support.global_options import GlobalOptions

app = typer.Typer(
    cls=CommandGroup,
    name="fulcrum",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 ok, 1 job failed, 2 usage, 3 not found, 4 refused, 5 unreachable, "
    "6 conflict, 7 other, 124 timeout, 130 interrupted.",
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"fulcrum {version('fulcrum-scheduler')}")
        raise typer.Exit


@app.callback()
def doors(
    ctx: typer.Context,
    url: Annotated[
        str | None,
        typer.Option(help="The service; default: $FULCRUM_URL, else the one of the data folder."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="The service's data folder, for its address and token."),
    ] = None,
    _: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and leave.", is_eager=True, callback=_version
        ),
    ] = False,
) -> None:
    """Fulcrum schedules CNN training and inference jobs on a team's own GPUs and CPUs."""
    ctx.obj = GlobalOptions(url, data)


_ARGV = {"allow_interspersed_args": False}
_SUBMIT, _WATCH, _SHARE, _LAB = "Submit", "Look", "Cluster", "Simulation"

app.command(rich_help_panel="Service")(serve.serve)
app.command(rich_help_panel="Service")(doctor.doctor)
app.command(rich_help_panel="Service")(backup.backup)
app.command(rich_help_panel="Service")(backup.restore)
app.add_typer(tokens.token, name="token", rich_help_panel="Service")
app.command(rich_help_panel=_SUBMIT)(submit.submit)
app.command(rich_help_panel=_SUBMIT)(submit.train)
app.command(rich_help_panel=_SUBMIT)(submit.infer)
app.command(rich_help_panel=_SUBMIT, context_settings=_ARGV)(submit.run)
app.command(rich_help_panel=_SUBMIT)(submit.plan)
app.command(rich_help_panel=_SUBMIT)(listing.update)
app.command(rich_help_panel=_SUBMIT)(cancel.cancel)
app.command(rich_help_panel=_SUBMIT)(listing.retry)
app.command(rich_help_panel=_WATCH)(listing.ls)
app.command(rich_help_panel=_WATCH)(listing.show)
app.command(rich_help_panel=_WATCH)(inspect.logs)
app.command(rich_help_panel=_WATCH)(inspect.events)
app.command(rich_help_panel=_WATCH)(inspect.explain)
app.command(rich_help_panel=_WATCH)(inspect.metrics)
app.command(rich_help_panel=_WATCH)(inspect.artifacts)
app.command(rich_help_panel=_SHARE)(cluster.cluster)
app.command(rich_help_panel=_SHARE)(cluster.cost)
app.command(rich_help_panel=_SHARE)(cluster.estimates)
app.command(rich_help_panel=_SHARE)(storage.du)
app.command(rich_help_panel=_SHARE)(storage.prune)
cluster.policy.command("active")(active.active)
cluster.policy.command("fit")(active.fit)
cluster.policy.command("shadow")(active.shadow)
cluster.policy.command("train")(train.train)
cluster.policy.command("tune")(tune.hyperparameters)
cluster.policy.command("show")(registry.show)
cluster.policy.command("compare")(registry.compare)
cluster.policy.command("promote")(registry.promote)
cluster.policy.command("export")(registry.export)
cluster.policy.command("import")(registry.take)
app.add_typer(cluster.policy, name="policy", rich_help_panel=_SHARE)
scenario.scenario.command("tune")(tune.heuristics)
app.add_typer(scenario.scenario, name="scenario", rich_help_panel=_LAB)
app.add_typer(trace.trace, name="trace", rich_help_panel=_LAB)
app.command(rich_help_panel=_LAB)(compare.compare)


def main() -> None:
    """Entry point of the `fulcrum` command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # whatever the terminal cannot show
    app(prog_name="fulcrum")


if __name__ == "__main__":
    main()
