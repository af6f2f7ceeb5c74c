"""submit, train, infer, run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from api.cli.commands.jobs import sweeps
from api.cli.commands.jobs.plan import File, Sets, show_plan
from api.cli.commands.jobs.submit_options import SubmitOptions, submits
from api.cli.support.flags import COMMAND, INFER, JOB, TRAIN, pairs, takes
from api.cli.support.global_options import client


@submits
def submit(ctx: typer.Context, file: File, how: SubmitOptions, sets: Sets = None) -> None:
    """Submit the jobs of a file, all or none, or its sweep.

    Example: fulcrum submit examples/digits.yaml --set work.epochs=3 --wait
    """
    from api.client import FileError, files

    jobs = files.read(file, sets or ())
    if how.only_plan:
        show_plan(ctx, jobs, as_json=how.as_json)
        return
    with client(ctx) as service:
        if any("sweep" in job for job in jobs):
            if len(jobs) > 1:
                raise FileError(f"{file}: a job with `sweep` stands alone in its file", "sweep")
            if how.follow:
                raise typer.BadParameter("a sweep has many outputs", param_hint="--follow")
            sweep = service.submit_sweep(jobs[0], key=how.key)
            sweeps.carry_out(sweep, how.wait, how.timeout, how.as_json)
            return
        if len(jobs) == 1 and not jobs[0].get("array"):
            submitted = [service.submit(jobs[0], key=how.key)]
        else:
            submitted = service.submit_batch(jobs, key=how.key)
        how.report(submitted)


@submits
@takes(*TRAIN, *JOB)
def train(
    ctx: typer.Context,
    job: dict[str, Any],
    how: SubmitOptions,
) -> None:
    """Train an image classifier.

    Example: fulcrum train --model resnet18 --dataset folder:photos --epochs 10 --follow
    """
    body = {**job, "kind": "cnn-train"}
    how.carry_out(ctx, body)


@submits
@takes(*INFER, *JOB)
def infer(
    ctx: typer.Context,
    job: dict[str, Any],
    how: SubmitOptions,
    models: Annotated[
        list[str] | None,
        typer.Argument(metavar="MODEL…", help="Training jobs, or folders of their artifacts."),
    ] = None,
) -> None:
    """Classify images with a trained model, or with several that vote.

    Example: fulcrum infer 17 18 --data folder:inbox --wait
    """
    body = {**job, "kind": "cnn-infer"}
    if models:
        named = [int(item) if item.isdecimal() else item for item in models]
        body["work"] = {**job.get("work", {}), "models": named}
    how.carry_out(ctx, body)


@submits
@takes(*COMMAND, *JOB)
def run(
    ctx: typer.Context,
    job: dict[str, Any],
    how: SubmitOptions,
    argv: Annotated[list[str], typer.Argument(metavar="-- ARGV…", help="Program and arguments.")],
) -> None:
    """Run a program in the current folder, or in --cwd.

    Example: fulcrum run --width 2 --max-duration 1h -- python train.py --epochs 3

    The program needs nothing of Fulcrum. It finds FULCRUM_JOB, FULCRUM_ATTEMPT, FULCRUM_WIDTH
    (its devices here), FULCRUM_RANK and FULCRUM_WORLD_SIZE (nodes) in its environment.

    Progress and figures: lines of JSON in the file $FULCRUM_METRICS, or in Python
    `from fulcrum import report` and report(epoch=3, epochs=10, loss=0.2).

    Files for others go into the folder $FULCRUM_ARTIFACTS, checkpoints into
    $FULCRUM_CHECKPOINTS, where later attempts find them; FULCRUM_RESUMED is 1 then.

    With --resumable it may be preempted: it gets SIGTERM, saves a checkpoint within
    preemption.grace_s seconds (30 by default) and ends. It goes on in a later attempt.

    Exit code 0 is success. Any other fails the attempt; --max-attempts allows more of them.

    docs/commands.md has the whole contract, examples/lstm.py a program that keeps it.
    """
    from api.client.files import here

    work = {"cwd": str(here()), **job.get("work", {}), "argv": argv}
    if "env" in work:
        work["env"] = pairs(work["env"], "--env")
    body = {"name": _program(argv), **job, "kind": "command", "work": work}
    how.carry_out(ctx, body)


def _program(argv: Sequence[str]) -> str:
    """The name of the script that an interpreter is given, else of the program."""
    script = next((item for item in argv[1:2] if item.endswith((".py", ".sh"))), argv[0])
    name = Path(script).name
    return "" if name.isdecimal() else name  # a number would be taken for that of a job
