"""compare-runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.cli.support.global_options import JobIds, Json, client
from api.cli.support.output import out, print_json
from api.cli.views.run_comparison import runs_table, settings_table, sparklines, verdict

FORMATS = (".png", ".svg", ".pdf")


def compare_runs(
    ctx: typer.Context,
    jobs: JobIds,
    figures: Annotated[
        list[str] | None,
        typer.Option(
            "--metric",
            "-m",
            metavar="NAME",
            help="Curve to show, such as validation_f1; repeatable. Default: accuracy and loss.",
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot", metavar="FILE", help=f"Draw the curves into a file ({', '.join(FORMATS)})."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Compare trainings: what differs, accuracy, time, cost, and their curves.

    Example: fulcrum compare-runs 12 13 14 --plot curves.png
    """
    if plot is not None and plot.suffix.lower() not in FORMATS:
        raise typer.BadParameter(f"must end in {', '.join(FORMATS)}", param_hint="--plot")
    with client(ctx) as service:
        comparison = service.compare_runs(jobs)
    known = comparison.figures
    for name in figures or ():
        if name not in known:
            legal = ", ".join(known) or "none, as no epoch has ended yet"
            raise typer.BadParameter(f"no run measured {name}; there are: {legal}", param_hint="-m")
    if plot is not None:
        from api.cli.views.run_curves import draw

        draw(comparison, plot, figures)
    if as_json:
        print_json(comparison.document())
        return
    console = out()
    if comparison.differences:
        console.print(settings_table(comparison))
        console.print()
    console.print(runs_table(comparison))
    if len(comparison.runs) > 1 and verdict(comparison):
        console.print(verdict(comparison), style="bold")
    for picture in sparklines(comparison, figures, console.width):
        console.print()
        console.print(picture)
    if plot is not None:
        console.print(f"curves are in {plot}", markup=False, soft_wrap=True)
