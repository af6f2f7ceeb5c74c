"""policy train: learned policies, made on this machine or as a job of the cluster."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.markup import escape

from api.cli.commands.jobs.submit_options import Follow, SubmitOptions, Wait
from api.cli.commands.policies import registry as registered
from api.cli.commands.policies import series
from api.cli.support.global_options import GlobalOptions, Json
from api.cli.support.output import out, print_json
from api.cli.support.processes import Workers, processes
from api.cli.support.training_options import Options, given, training_values
from api.cli.views.training_progress import TrainingBar, copy_artifact, emit, in_job

if TYPE_CHECKING:
    from agents.training.workflow import TrainingRequest, TrainingResult
    from scheduler.settings import Settings


def train(
    ctx: typer.Context,
    run: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of the run.")],
    scenario: Annotated[
        str | None,
        typer.Option(
            "--scenario", "-s", metavar="NAME|FILE", help="Training scenario; default: mixed-cloud."
        ),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Decisions to learn from; default: 1,000,000; cmaes: 10,000,000; search: 30,000.",
        ),
    ] = None,
    algo: Annotated[
        Literal["ppo", "ars", "cmaes", "search"],
        typer.Option(help="Maskable PPO, random search, CMA-ES, or search and distillation."),
    ] = "ppo",
    seed: Annotated[int, typer.Option(min=0)] = 0,
    preference: Annotated[
        str,
        typer.Option(
            metavar="random|W", help="cheap, balanced, fast or 0 … 1; random: all of them."
        ),
    ] = "random",
    options: Options = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "--config", metavar="FILE", help="Settings of a run, or of `fulcrum policy tune`."
        ),
    ] = None,
    from_history: Annotated[
        bool, typer.Option("--from-history", help="Train on the jobs that this cluster has run.")
    ] = False,
    since: Annotated[
        str | None,
        typer.Option(metavar="DURATION", help="How far back the history goes; default: 30d."),
    ] = None,
    workloads: Annotated[
        int | None,
        typer.Option(min=6, help="Workloads of the test on the history's last part; default: 24."),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            "--name",
            metavar="NAME",
            help="Register the policy; needed for neither "
            "--from-history nor --as-job, which take the folder's name.",
        ),
    ] = None,
    as_job: Annotated[
        bool, typer.Option("--as-job", help="Train as a job of the cluster.")
    ] = False,
    every: Annotated[
        str | None,
        typer.Option(
            metavar="DURATION",
            help="With --from-history and --as-job: train again after this time.",
        ),
    ] = None,
    resume: Annotated[bool, typer.Option(help="Resume the training in FOLDER.")] = False,
    workers: Workers = None,
    wait: Wait = False,
    follow: Follow = False,
    as_json: Json = False,
) -> None:
    """Train a policy in the simulator; it needs no service.

    With --algo ppo or ars, a network imitates wgc (weighted greedy under congestion), then learns.
    With cmaes or search, the order of the baseline is corrected. Validation workloads compare the
    policy with the baseline. The best weights are in FOLDER/best: `learned:./FOLDER/best` names
    that policy. --resume continues a training that was interrupted and needs no other option; a
    greater --steps prolongs it, others must be as they were.

    With --from-history the scenario consists of this cluster's pools and of the jobs that it has
    run, split by time: the first ones train, later ones validate. The policy is registered, and
    promoted if it passes the test of `fulcrum policy promote` on the last ones.

    With --every 1d the next training waits as a job for its time, and trains in a folder of its own
    in FOLDER. It is skipped if no further job has succeeded by then. Cancelling it ends the series.

    Example: fulcrum policy train runs/first -s mixed-cloud --steps 300000 --seed 1
    """
    from agents.training import workflow

    if (wait or follow) and not as_job:
        raise typer.BadParameter(
            "goes with --as-job", param_hint="--follow" if follow else "--wait"
        )
    options_of_command = {
        "scenario": scenario, "steps": steps, "algo": algo, "seed": seed, "preference": preference
    }  # fmt: skip
    given_options = {
        option: value for option, value in options_of_command.items() if given(ctx, option)
    }
    values, sources = training_values(given_options, file, options or [])
    request = workflow.TrainingRequest(
        run, values, sources, name, from_history, since, workloads, resume, every
    )
    settings = _settings(ctx)
    if every is not None and not (as_job or in_job()):
        raise typer.BadParameter("goes with --as-job", param_hint="--every")
    if as_job:
        import agents.registry.resolve  # noqa: F401 - so that policies are found

        request = replace(request, name=name or workflow.default_name(run))
        workflow.check(request, settings)
        _submit(ctx, request, settings, workers, wait=wait, follow=follow, as_json=as_json)
        return
    if every is not None:
        workflow.check(request, settings)
        newest = series.newest(settings)
        if newest <= series.seen(run):
            out().print("skipped: no further job has succeeded since the last training")
            emit("skipped", reason="the history has not grown")
            return
        run = series.folder(run)
        request = replace(request, folder=run, name=request.registered_name)
    if in_job() and (run / "config.json").is_file():
        # A further attempt of the job continues the training of the last one.
        request = replace(request, resume=True)
    with TrainingBar() as bar:
        result = workflow.train_and_register(
            request,
            settings,
            command=registered.command_line(),
            tell=bar.tell,
            workers=processes(workers),
        )
    if every is not None:
        series.note(run.parent, newest)
    emit("validated", best=result.progress.best)
    copy_artifact(result.best)
    if result.entry is not None:
        emit("registered", policy=result.entry.reference)
    if result.test is not None and result.entry is not None:
        verdict = {"promoted": result.entry.promoted, "trial": result.test.plain()}
        emit("promotion", policy=result.entry.reference, **verdict)
        score = round(result.test.score, 4)
        emit("test", objective=score, promoted=int(result.entry.promoted))
    if as_json:
        print_json(_plain(result))
    else:
        _show(result)


def _plain(result: TrainingResult) -> dict[str, Any]:
    progress, entry, test = result.progress, result.entry, result.test
    answer: dict[str, Any] = {
        "policy": f"learned:{result.best}", "best": progress.best, "curve": progress.curve
    }  # fmt: skip
    if entry is not None:
        answer |= {"policy": entry.reference, "promoted": entry.promoted}
    return answer if test is None else {**answer, "trial": test.plain()}


def _show(result: TrainingResult) -> None:
    from agents.serving.artifact import load
    from api.cli.views import policy_details

    if result.test is not None:
        policy_details.show_test(result.test, out())
    if result.entry is not None:
        state = "promoted" if result.entry.promoted else "a candidate, not promoted"
        name = escape(result.entry.reference)
        out().print(f"[bold]{name}[/] registered: {state}", soft_wrap=True)
    facts = {"name": f"learned:{result.best}"}
    policy_details.show(load(result.best).manifest, facts, (), out())


def _submit(
    ctx: typer.Context,
    request: TrainingRequest,
    settings: Settings,
    workers: int | None,
    *,
    wait: bool,
    follow: bool,
    as_json: bool,
) -> None:
    """Submit the same request as a job."""
    from agents.training.workflow import default_name
    from api.client.files import here
    from api.policy_jobs import policy_job

    body = policy_job(
        default_name(request.folder),
        request.arguments(),
        data_dir=settings.data_dir,
        cwd=here(),
        config=os.environ.get("FULCRUM_CONFIG"),
        workers=workers,
    )
    SubmitOptions(wait=wait, follow=follow, as_json=as_json).carry_out(ctx, body)


def _settings(ctx: typer.Context) -> Settings:
    from scheduler import settings

    shared = ctx.find_object(GlobalOptions) or GlobalOptions()
    return settings.load(overrides={"data_dir": shared.data})
