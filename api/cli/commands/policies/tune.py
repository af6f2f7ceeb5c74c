"""scenario tune: constants of wgc for a scenario; policy tune: hyper-parameters of training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from api.cli.support.global_options import Json
from api.cli.support.output import err, out, print_json, table
from api.cli.support.processes import Workers, processes
from api.cli.support.training_options import Options

if TYPE_CHECKING:
    from agents.tuning.wgc import TunedPoint


def heuristics(
    name: Annotated[str, typer.Argument(metavar="SCENARIO", help="A name, or a .toml file.")],
    trials: Annotated[int, typer.Option(min=1, help="Candidates at each preference.")] = 40,
    workloads: Annotated[
        int, typer.Option(min=2, help="One half to search on, one half to report.")
    ] = 24,
    jobs: Annotated[int, typer.Option(min=1, help="Of each workload.")] = 400,
    preferences: Annotated[
        str | None, typer.Option(metavar="LIST", help="Default: 0,.05,.1,.2,.3,.5,.7,.8,.9,1.")
    ] = None,
    rivals: Annotated[
        str | None, typer.Option(metavar="NAMES", help="Reported beside; default: all heuristics.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the sampler.")] = 0,
    workers: Workers = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "--out", "-o", metavar="FILE", help="The schedule's file."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Tune the heuristic wgc (weighted greedy under congestion) for a scenario.

    On workloads of the split `tuning`. Scores are objectives divided by those of the untuned wgc
    on the same workloads; the column HELD OUT is of workloads that the search did not see. The
    policy `wgc:FILE` uses what is found.

    Example: fulcrum scenario tune mixed-cloud --trials 40 --output ours.toml
    """
    from agents.tuning.search import PREFERENCES, Search
    from agents.tuning.workflow import HeuristicTuning, tune_heuristic
    from api.cli.commands.policies.registry import command_line
    from api.cli.support.progress_bar import ProgressBar
    from api.cli.views.training_progress import copy_artifact, emit_share
    from scheduler.policies.heuristics import HEURISTICS

    names = tuple(HEURISTICS) if rivals is None else tuple(filter(None, rivals.split(",")))
    chosen = PREFERENCES if preferences is None else _numbers(preferences)
    search = Search(chosen, trials, workloads, jobs, seed, names)
    request = HeuristicTuning(name, search, output)
    with ProgressBar("tuning", search.steps, err()) as progress:
        steps = count(1)

        def step() -> None:
            progress.step()
            emit_share(next(steps), search.steps)

        points = tune_heuristic(
            request, command=command_line(), step=step, workers=processes(workers)
        )
    if output is not None:
        copy_artifact(output)
        err().print(f"[dim]policy:[/] wgc:{output}", soft_wrap=True)
    if as_json:
        print_json([asdict(point) for point in points])
    else:
        _show(points)


def hyperparameters(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Of the study.")],
    scenario: Annotated[
        str, typer.Option("--scenario", "-s", metavar="NAME|FILE", help="What to train on.")
    ] = "mixed-cloud",
    trials: Annotated[int, typer.Option(min=1, help="Trainings, earlier ones included.")] = 20,
    steps: Annotated[
        int | None,
        typer.Option(min=1, help="Decisions of each training; default: a fifth of a training's."),
    ] = None,
    algo: Annotated[
        Literal["ppo", "ars", "cmaes", "search"],
        typer.Option(help="Maskable PPO, random search, CMA-ES, or search and distillation."),
    ] = "ppo",
    seed: Annotated[int, typer.Option(min=0)] = 0,
    preference: Annotated[
        str, typer.Option(metavar="random|W", help="0 cheapest … 1 fastest; random: all of them.")
    ] = "random",
    options: Options = None,
    workers: Workers = None,
    as_json: Json = False,
) -> None:
    """Search hyper-parameters of `fulcrum policy train`.

    Each trial is a training in FOLDER/trials; trials with bad validations stop early. The same
    command continues a study that was interrupted, or adds trials with a greater --trials. The best
    settings are in FOLDER/best.json.

    Example: fulcrum policy tune studies/first -s mixed-cloud --trials 20 --steps 200000
    """
    from agents.tuning.hyperparameters import BEST, Trial
    from agents.tuning.workflow import HyperparameterTuning, tune_hyperparameters
    from api.cli.commands.policies.registry import command_line
    from api.cli.support.training_options import training_values
    from api.cli.views.training_progress import TrainingBar, copy_artifact

    own = {"scenario": scenario, "algo": algo, "seed": seed, "preference": preference}
    own |= {} if steps is None else {"steps": steps}
    values, _ = training_values(own, None, options or [])

    def done(trial: Trial) -> None:
        figure = "" if trial.score is None else f", {trial.score:.3f} of the baseline's objective"
        err().print(f"trial {trial.number}: {trial.state}{figure}")

    with TrainingBar() as bar:
        found = tune_hyperparameters(
            HyperparameterTuning(folder, values, trials),
            command=command_line(),
            tell=bar.tell,
            done=done,
            workers=processes(workers),
        )
    if (best := folder / BEST).is_file():
        copy_artifact(best)
    if as_json:
        print_json([asdict(trial) for trial in found])
        return
    result = table(">TRIAL", "!STATE", ">SCORE", "PARAMETERS")
    for trial in sorted(found, key=lambda trial: (trial.score is None, trial.score)):
        parameters = ", ".join(
            f"{name} {value:.3g}" for name, value in sorted(trial.parameters.items())
        )
        score = "" if trial.score is None else f"{trial.score:.4f}"
        result.add_row(str(trial.number), trial.state, score, parameters)
    out().print(result)
    out().print(f"\nfulcrum policy train RUN --config {folder / BEST}", soft_wrap=True)


def _numbers(text: str) -> tuple[float, ...]:
    try:
        found = tuple(sorted({float(word) for word in text.split(",")}))
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is not a list of numbers", param_hint="--preferences"
        ) from None
    return found


def _show(points: Sequence[TunedPoint]) -> None:
    console = out()
    result = table(
        ">W",
        ">PREFERENCE",
        ">CONGESTION",
        ">PATIENCE",
        ">AGEING",
        ">SOFTENING",
        "!COST BY",
        ">SCORE",
        ">HELD OUT",
    )
    for point in points:
        one = point.constants
        result.add_row(
            f"{point.w:g}",
            "own" if one.preference is None else f"{one.preference:g}",
            f"{one.congestion:g}",
            f"{one.patience:g}",
            f"{one.ageing:g}",
            f"{one.softening_s:g} s",
            f"{one.dollars}",
            f"{point.score:.3f}",
            f"[bold]{point.held_out:.3f}[/]",
        )
    console.print(result)
    names = list(points[0].rivals)
    if not names:
        return
    rivals = table("!RIVAL", *(f">w = {point.w:g}" for point in points))
    for name in names:
        rivals.add_row(name, *(f"{point.rivals[name]:.2f}" for point in points))
    console.print()
    console.print(rivals)
    console.print("[dim]objective ÷ the untuned wgc's; less is better; rivals: held out[/]")
