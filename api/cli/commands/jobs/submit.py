"""submit, train, infer, run, plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from api.cli.commands.jobs.sweeps import carry_out
from api.cli.support import text_format
from api.cli.support.exit_codes import ExitCode
from api.cli.support.flags import COMMAND, INFER, JOB, TRAIN, pairs, takes
from api.cli.support.global_options import Json, Timeout, client
from api.cli.support.output import err, out, print_json, table
from api.cli.views.status_line import StatusLine

if TYPE_CHECKING:
    from api.client import JobHandle
    from api.schemas import OutlookOut

File = Annotated[Path, typer.Argument(metavar="FILE", help="Job file (YAML or JSON).")]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Override a field, such as work.epochs=3."),
]
Wait = Annotated[bool, typer.Option("--wait", help="Return when all have ended.")]
Follow = Annotated[bool, typer.Option("--follow", "-f", help="Show the output and wait.")]
Key = Annotated[
    str | None,
    typer.Option("--key", help="Idempotency key; the same key creates no second job."),
]
Plan = Annotated[
    bool, typer.Option("--plan", help="Show what would happen, as `fulcrum plan`; submit nothing.")
]


def submit(
    ctx: typer.Context,
    file: File,
    sets: Sets = None,
    wait: Wait = False,
    follow: Follow = False,
    timeout: Timeout = None,
    key: Key = None,
    only_plan: Plan = False,
    as_json: Json = False,
) -> None:
    """Submit the jobs of a file, all or none, or its sweep.

    Example: fulcrum submit examples/digits.yaml --set work.epochs=3 --wait
    """
    from api.client import FileError, files

    check_timeout(timeout, wait=wait, follow=follow)
    jobs = files.read(file, sets or ())
    if only_plan:
        _show_plan(ctx, jobs, as_json=as_json)
        return
    with client(ctx) as service:
        if any("sweep" in job for job in jobs):
            if len(jobs) > 1:
                raise FileError(f"{file}: a job with `sweep` stands alone in its file", "sweep")
            if follow:
                raise typer.BadParameter("a sweep has many outputs", param_hint="--follow")
            carry_out(service.submit_sweep(jobs[0], key=key), wait, timeout, as_json)
            return
        if len(jobs) == 1 and not jobs[0].get("array"):
            submitted = [service.submit(jobs[0], key=key)]
        else:
            submitted = service.submit_batch(jobs, key=key)
        _report(submitted, wait=wait, follow=follow, timeout=timeout, as_json=as_json)


@takes(*JOB, *TRAIN)
def train(
    ctx: typer.Context,
    job: dict[str, Any],
    wait: Wait = False,
    follow: Follow = False,
    timeout: Timeout = None,
    key: Key = None,
    only_plan: Plan = False,
    as_json: Json = False,
) -> None:
    """Train an image classifier.

    Example: fulcrum train --model resnet18 --dataset folder:photos --epochs 10 --follow
    """
    body = {**job, "kind": "cnn-train"}
    single(
        ctx,
        body,
        key,
        wait=wait,
        follow=follow,
        timeout=timeout,
        only_plan=only_plan,
        as_json=as_json,
    )


@takes(*JOB, *INFER)
def infer(
    ctx: typer.Context,
    job: dict[str, Any],
    models: Annotated[
        list[str] | None,
        typer.Argument(metavar="MODEL…", help="Training jobs, or folders of their artifacts."),
    ] = None,
    wait: Wait = False,
    follow: Follow = False,
    timeout: Timeout = None,
    key: Key = None,
    only_plan: Plan = False,
    as_json: Json = False,
) -> None:
    """Classify images with a trained model, or with several that vote.

    Example: fulcrum infer 17 18 --data folder:inbox --wait
    """
    body = {**job, "kind": "cnn-infer"}
    if models:
        named = [int(item) if item.isdecimal() else item for item in models]
        body["work"] = {**job.get("work", {}), "models": named}
    single(
        ctx,
        body,
        key,
        wait=wait,
        follow=follow,
        timeout=timeout,
        only_plan=only_plan,
        as_json=as_json,
    )


@takes(*JOB, *COMMAND)
def run(
    ctx: typer.Context,
    job: dict[str, Any],
    argv: Annotated[list[str], typer.Argument(metavar="-- ARGV…", help="Program and arguments.")],
    wait: Wait = False,
    follow: Follow = False,
    timeout: Timeout = None,
    key: Key = None,
    only_plan: Plan = False,
    as_json: Json = False,
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
    single(
        ctx,
        body,
        key,
        wait=wait,
        follow=follow,
        timeout=timeout,
        only_plan=only_plan,
        as_json=as_json,
    )


def _program(argv: Sequence[str]) -> str:
    """The name of the script that an interpreter is given, else of the program."""
    script = next((item for item in argv[1:2] if item.endswith((".py", ".sh"))), argv[0])
    return Path(script).name


def plan(ctx: typer.Context, file: File, sets: Sets = None, as_json: Json = False) -> None:
    """Show what would happen to each job of a file, for each preference; submit nothing.

    Example: fulcrum plan examples/digits.yaml --set work.model=resnet18
    """
    from api.client import files

    jobs = files.read(file, sets or ())
    for job in jobs:
        for name, one in (("sweep", "trial"), ("array", "index")):
            if job.pop(name, None):
                err().print(f"[dim]of one {one}[/]")
    _show_plan(ctx, jobs, as_json=as_json)


def _show_plan(ctx: typer.Context, jobs: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    """Print what would happen to each job if it were the only one that is submitted."""
    with client(ctx) as service:
        plans = [service.plan(jobs[0])] if len(jobs) == 1 else service.plan_batch(jobs)
    if as_json:
        dumped = [[outlook.model_dump(mode="json") for outlook in plan] for plan in plans]
        print_json(dumped if len(dumped) > 1 else dumped[0])
        return
    for place, (job, plan) in enumerate(zip(jobs, plans, strict=True), 1):
        title = str(job.get("name") or f"job {place} of the file") if len(jobs) > 1 else None
        out().print(outlook_table(plan, title))


def outlook_table(outlooks: Sequence[OutlookOut], title: str | None = None) -> Table:
    """Return a table with a line for each preference."""
    result = table(
        "PREFERENCE",
        "POOL",
        ">WIDTH",
        ">WAIT",
        ">RUN",
        ">COST",
        ">ENERGY",
        "DEADLINE",
        "FROM",
        title=title and escape(title),
    )
    for one in outlooks:
        met = {None: "–", True: "[green]met[/]", False: "[red]missed[/]"}[one.meets_deadline]
        result.add_row(
            one.preference,
            escape(one.pool),
            str(one.width),
            text_format.seconds(one.wait_s) + _between(one.wait_low_s, one.wait_high_s),
            text_format.seconds(one.runtime_s),
            text_format.dollars(one.dollars),
            text_format.joules(one.joules),
            met,
            one.source,
        )
    return result


def _between(low_s: float | None, high_s: float | None) -> str:
    """The interval of 80 % behind a wait; nothing if it is not known or has no width."""
    if low_s is None or low_s == high_s:
        return ""
    high = "later" if high_s is None else text_format.seconds(high_s)
    return f" ({text_format.seconds(low_s)} … {high})"


def single(
    ctx: typer.Context,
    body: dict[str, Any],
    key: str | None,
    *,
    wait: bool,
    follow: bool,
    timeout: float | None,
    as_json: bool,
    only_plan: bool = False,
) -> None:
    """Submit one job, or one array, from the command line, and report it; or only plan it."""
    check_timeout(timeout, wait=wait, follow=follow)
    if only_plan:
        from api.client import files

        _show_plan(ctx, [files.rooted(body, files.here())], as_json=as_json)
        return
    with client(ctx) as service:
        if body.get("array"):
            submitted = service.submit_batch([body], key=key)
        else:
            submitted = [service.submit(body, key=key)]
        _report(submitted, wait=wait, follow=follow, timeout=timeout, as_json=as_json)


def check_timeout(timeout: float | None, *, wait: bool, follow: bool) -> None:
    """Refuse a timeout with --follow, before anything is sent."""
    if timeout is not None and (follow or not wait):
        raise typer.BadParameter(
            "needs --wait and does not work with --follow", param_hint="--timeout"
        )


def _report(
    jobs: Sequence[JobHandle], *, wait: bool, follow: bool, timeout: float | None, as_json: bool
) -> None:
    """Print what was submitted; wait if asked. Exit with 1 if a job failed."""
    for job in jobs:
        for warning in job.warnings:
            err().print(f"[yellow]warning:[/] job {job.id}: {escape(warning)}", soft_wrap=True)
    if not as_json:
        for job in jobs:
            # Piped output is the number alone, for scripts.
            plain = not out().is_terminal
            name = f" ({escape(job.name)})" if job.name else ""
            out().print(
                str(job.id) if plain else f"job [bold]{job.id}[/]{name} {escape(job.reason)}"
            )
    if wait or follow:
        for job in jobs:
            watch(job, follow=follow, timeout=timeout, quiet=as_json)
    if as_json:
        dumped = [job.info.model_dump(mode="json") for job in jobs]
        print_json(dumped if len(dumped) > 1 else dumped[0])
    if (wait or follow) and not all(job.succeeded for job in jobs):
        raise typer.Exit(ExitCode.FAILED)


def watch(job: JobHandle, *, follow: bool, timeout: float | None, quiet: bool = False) -> None:
    """Print each change of a job on stderr, or its output on stdout, until it ends."""
    from api.client.job import standing

    if follow:
        with StatusLine(job, out()) as status:
            for line in job.logs(follow=True):
                status.print(line)
        job.refresh()
    if quiet:
        job.wait(timeout)
        return
    with StatusLine(job, err()):
        for now in job.changes(timeout):
            text = f"job {now.id} {standing(now.state, now.reason)}"
            err().print(escape(text), style="dim", soft_wrap=True)
