"""policy train: learned policies, made on this machine or as a job of the cluster."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.markup import escape

from api.cli.commands.jobs.submit import Follow, Wait, single
from api.cli.commands.policies import registry as registered
from api.cli.support import resumption
from api.cli.support.global_options import GlobalOptions, Json
from api.cli.support.output import err, out, print_json
from api.cli.support.processes import Workers, processes
from api.cli.support.resumption import Ending
from api.cli.support.training_options import Said, given, said
from api.cli.views.training_progress import TrainingBar, emit, in_job, leave

if TYPE_CHECKING:
    from agents.training.config import Training
    from agents.training.trainer import TrainingProgress
    from scheduler.settings import Settings

SCENARIO, STEPS = "mixed-cloud", 1_000_000
_OF_JOB = ("as_job", "wait", "follow", "workers", "name", "run", "as_json")
"""Options that a training's job is not given as they are."""


def train(
    ctx: typer.Context,
    run: Annotated[Path, typer.Argument(metavar="FOLDER", help="Everything is left there.")],
    scenario: Annotated[
        str | None,
        typer.Option(
            "--scenario", "-s", metavar="NAME|FILE", help=f"To train on; default: {SCENARIO}."
        ),
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Decisions to learn from.")] = STEPS,
    algo: Annotated[
        Literal["ppo", "ars"], typer.Option(help="Maskable PPO, or augmented random search.")
    ] = "ppo",
    seed: Annotated[int, typer.Option(min=0)] = 0,
    preference: Annotated[
        str,
        typer.Option(
            metavar="random|W", help="cheap, balanced, fast or 0 … 1; random: all of them."
        ),
    ] = "random",
    options: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Any other hyper-parameter; repeatable."),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--config", metavar="FILE", help="Of a run, or of `fulcrum policy tune`."),
    ] = None,
    from_history: Annotated[
        bool, typer.Option("--from-history", help="On the jobs that this cluster has run.")
    ] = False,
    since: Annotated[
        str, typer.Option(metavar="DURATION", help="How far back the history goes: 12h, 30d.")
    ] = "30d",
    workloads: Annotated[
        int, typer.Option(min=6, help="Of the test on the history's last part.")
    ] = 24,
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
        bool, typer.Option("--as-job", help="Let the cluster do it, as a job.")
    ] = False,
    resume: Annotated[bool, typer.Option(help="Go on with the training in FOLDER.")] = False,
    workers: Workers = None,
    wait: Wait = False,
    follow: Follow = False,
    as_json: Json = False,
) -> None:
    """Train a policy in the simulator; it needs no service.

    It imitates wgc, then learns (--algo), and is held against the heuristics on validation
    workloads. The best weights are in FOLDER/best: `learned:./FOLDER/best` names that policy. A
    training that was interrupted goes on with --resume, which needs no other option; a greater
    --steps prolongs it, others must be as they were.

    With --from-history the scenario is made of this cluster's pools and of the jobs that it has
    run, split by time: the first ones train, later ones validate. The policy is registered, and
    promoted if it passes the test of `fulcrum policy promote` on the last ones.

    Example: fulcrum policy train runs/first -s mixed-cloud --steps 300000 --seed 1
    """
    if from_history and scenario is not None:
        raise typer.BadParameter("goes without --from-history", param_hint="--scenario")
    if given(ctx, "since") and not from_history:
        raise typer.BadParameter("goes with --from-history", param_hint="--since")
    if (wait or follow) and not as_job:
        raise typer.BadParameter(
            "goes with --as-job", param_hint="--follow" if follow else "--wait"
        )
    if given(ctx, "workloads") and not (from_history or resume):
        raise typer.BadParameter("goes with --from-history", param_hint="--workloads")
    called = name or (_slug(run) if from_history or as_job else None)
    configured = _settings(ctx)
    if called is not None:
        registered.registry_of(ctx).check(called)
    own = {
        "scenario": scenario, "steps": steps, "algo": algo, "seed": seed, "preference": preference
    }  # fmt: skip
    values = said(ctx, own, file, options or [])
    if as_job:
        if not resume:
            _configured(run, values, own=from_history)
        words = [*_words(ctx), "--name", str(called)]
        _submit(ctx, run, words, configured, workers, wait=wait, follow=follow, as_json=as_json)
        return
    ending = Ending(called, since if from_history else None, workloads)
    if resume or (in_job() and _begun(run)):
        ending = resumption.ending(run, ending, partial(given, ctx))
        progress = _resumed(run, values, ending, workers)
    else:
        progress = _trained(run, values, configured, ending, workers)
    best = run / "best"
    emit("validated", best=progress.best)
    leave(best)
    answer: dict[str, Any] = {
        "policy": f"learned:{best}", "best": progress.best, "curve": progress.curve
    }  # fmt: skip
    if ending.name is not None:
        tests = None if ending.since is None else ending.workloads
        answer |= _register(ctx, best, ending.name, tests, workers, quiet=as_json)
    if as_json:
        print_json(answer)
    else:
        _show(best)


def _trained(
    run: Path,
    values: Mapping[str, Said],
    configured: Settings,
    ending: Ending,
    workers: int | None,
) -> TrainingProgress:
    from agents.training import trainer as training

    config = _configured(run, values, own=ending.since is not None)
    if ending.since is not None:
        config = replace(config, scenario=_own(configured, run, ending.since))
    with TrainingBar(config.schooling) as bar:
        ending.save(run)
        return training.train(
            config, run, registered.command_line(), bar.tell, workers=processes(workers)
        )


def _configured(run: Path, values: Mapping[str, Said], *, own: bool) -> Training:
    """Of a new training; what is refused here leaves neither a folder nor a job.

    `own`: on the history, of which a scenario is made later.
    """
    from agents.training.config import look_up, of
    from envs.scenarios import load
    from scheduler.domain.errors import StateError

    defaults = {"scenario": SCENARIO, "steps": STEPS}
    config = of(defaults | {name: each.value for name, each in values.items()})
    if _begun(run):
        raise StateError(f"{run} holds a training", {"resume": "to go on with it"})
    look_up(config)
    if not own:
        load(config.scenario).check()
    return config


def _resumed(
    run: Path, values: Mapping[str, Said], ending: Ending, workers: int | None
) -> TrainingProgress:
    from agents.training import config as configs
    from agents.training import trainer as training

    if ending.since is not None:
        # A file's scenario gave way to the history's.
        values = {name: one for name, one in values.items() if one.option != "--config: scenario"}
    config = resumption.agreed(run, configs.read(run), values)
    with TrainingBar(config.schooling) as bar:
        ending.save(run)
        return training.resume(
            run, registered.command_line(), bar.tell, config.steps, workers=processes(workers)
        )


def _own(configured: Settings, run: Path, since: str) -> str:
    """Make a scenario of the history; its file."""
    from agents.training import from_history
    from api.schemas.fields import seconds
    from scheduler.clock import SystemClock

    try:
        begin = SystemClock().now() - seconds(since)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--since") from None
    return str(from_history.scenario(configured, run, begin).path)


def _register(
    ctx: typer.Context,
    best: Path,
    name: str,
    workloads: int | None,
    workers: int | None,
    *,
    quiet: bool,
) -> dict[str, Any]:
    """Register the policy; with `workloads` test it, and promote it if it passes."""
    from agents.evaluation.promotion import promote
    from api.cli.support.progress_bar import ProgressBar
    from api.cli.views import policy_details
    from envs.scenarios import load

    registry = registered.registry_of(ctx)
    entry = registry.import_file(best, name, registered.command_line())
    answer: dict[str, Any] = {"policy": entry.reference, "promoted": entry.promoted}
    if workloads is not None and not entry.promoted:
        config = entry.manifest().config
        with ProgressBar("testing", 0, err()) as bar:
            found = promote(
                registry, entry.reference, scenario=load(str(config["scenario"])),
                workloads=workloads, jobs=int(config["jobs"]), workers=processes(workers),
                command=registered.command_line(), progress=bar.reach,
            )  # fmt: skip
        entry, test = found.entry, found.test
        assert test is not None
        emit("test", objective=round(test.score, 4), promoted=int(found.promoted))
        answer |= {"promoted": found.promoted, "trial": test.plain()}
        if not quiet:
            policy_details.show_test(test, out())
    if not quiet:
        state = "promoted" if answer["promoted"] else "a candidate, not promoted"
        out().print(f"[bold]{escape(entry.reference)}[/] registered: {state}", soft_wrap=True)
    return answer


def _submit(
    ctx: typer.Context,
    run: Path,
    words: list[str],
    configured: Settings,
    workers: int | None,
    *,
    wait: bool,
    follow: bool,
    as_json: bool,
) -> None:
    """The same command as a job, on as many processors as it shall have workers.

    Its paths are read on the service's machine.
    """
    from api.client.files import here

    door = ["--data", str(configured.data_dir.absolute())]
    argv = [sys.executable, "-m", "api.cli.main", *door, "policy", "train", str(run.absolute())]
    config = os.environ.get("FULCRUM_CONFIG")
    body = {
        "kind": "command",
        "name": f"policy-{_slug(run)}",
        "devices": ["cpu"],
        **({"width": workers} if workers else {}),
        "work": {
            "argv": [*argv, *words],
            "cwd": str(here()),
            **({"env": {"FULCRUM_CONFIG": str(Path(config).absolute())}} if config else {}),
        },
    }
    single(ctx, body, None, wait=wait, follow=follow, timeout=None, as_json=as_json)


def _words(ctx: typer.Context) -> list[str]:
    """The options that were given, but those that are about the job."""
    words: list[str] = []
    for parameter in ctx.command.params:
        value, name = ctx.params.get(str(parameter.name)), parameter.opts[0]
        about_job = parameter.name in _OF_JOB
        if about_job or not given(ctx, str(parameter.name)):
            continue
        if isinstance(value, bool):
            words.append(name if value else parameter.secondary_opts[0])
        else:
            for one in value if isinstance(value, list | tuple) else [value]:
                words += [name, str(one)]
    return words


def _settings(ctx: typer.Context) -> Settings:
    from scheduler import settings

    door = ctx.find_object(GlobalOptions) or GlobalOptions()
    return settings.load(overrides={"data_dir": door.data})


def _begun(run: Path) -> bool:
    return (run / "config.json").is_file()


def _slug(run: Path) -> str:
    """A name for the registry out of the folder's."""
    text = re.sub(r"[^a-z0-9._-]+", "-", run.absolute().name.casefold())
    return text.strip("._-")[:60] or "own"


def _show(best: Path) -> None:
    from agents.serving.artifact import load
    from api.cli.views import policy_details

    policy_details.show(load(best).manifest, {"name": f"learned:{best}"}, (), out())
