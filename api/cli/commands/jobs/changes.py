"""update, preempt, retry: changes of several jobs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from api.cli.commands.jobs.submit_options import Follow, SubmitOptions, Wait, print_warnings
from api.cli.support import text_format
from api.cli.support.exit_codes import ExitCode
from api.cli.support.failures import told
from api.cli.support.global_options import JobIds, Json, Timeout, client, dial
from api.cli.support.output import out, print_json
from api.cli.views.job_table import state

if TYPE_CHECKING:
    from api.client import JobHandle
    from api.client.job import JobUpdate
    from api.schemas import JobOut


def update(
    ctx: typer.Context,
    jobs: JobIds,
    priority: Annotated[
        int | None, typer.Option("--priority", "-p", help="Priority from 0 (last) to 100 (first).")
    ] = None,
    preference: Annotated[
        str | None,
        typer.Option(help="cheap, balanced, fast or 0 to 1; none: the project's or cluster's."),
    ] = None,
    deadline: Annotated[
        str | None, typer.Option(help="ISO 8601 with zone, or from now: +2h; none: no deadline.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Change the priority, preference or deadline of waiting jobs.

    Example: fulcrum update 17 --priority 90 --preference fast --deadline +2h
    """
    changes: JobUpdate = {}
    if priority is not None:
        changes["priority"] = priority
    if preference is not None:
        changes["preference"] = None if preference == "none" else dial(preference)
    if deadline is not None:
        changes["deadline"] = None if deadline == "none" else deadline
    if not changes:
        raise typer.BadParameter(
            "nothing to change", param_hint="--priority, --preference or --deadline"
        )
    with client(ctx) as service:
        before: dict[int, JobOut] = {}

        def change(name: str) -> JobHandle:
            handle = service.job(name)
            before[handle.id] = handle.info
            handle.update(**changes)
            print_warnings([handle])
            return handle

        each(jobs, change, as_json, lambda job: _updated(before[job.id], job))


def preempt(
    ctx: typer.Context,
    jobs: JobIds,
    reason: Annotated[
        str, typer.Option("--reason", "-r", help="Reason, kept in the job's history.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Let running jobs save their work, free their devices and queue again.

    Only trainings, and commands with work.resumable, can go on later.

    Example: fulcrum preempt 17 --reason "maintenance"
    """
    with client(ctx) as service:
        each(jobs, lambda one: service.job(one).preempt(reason), as_json)


def retry(
    ctx: typer.Context,
    jobs: JobIds,
    from_scratch: Annotated[
        bool, typer.Option("--from-scratch", help="Begin again instead of going on.")
    ] = False,
    wait: Wait = False,
    follow: Follow = False,
    timeout: Timeout = None,
    as_json: Json = False,
) -> None:
    """Submit ended jobs again; each new job goes on from the last checkpoint of the old one.

    A job that succeeded, or saved nothing, begins again.

    Example: fulcrum retry 17
    """
    how = SubmitOptions(wait, follow, timeout, as_json=as_json)
    with client(ctx) as service:
        repeated, code = attempted(
            jobs, lambda one: service.job(one).retry(from_scratch=from_scratch)
        )
        if repeated:
            how.report(repeated, _repeated)
    if code is not None:
        raise typer.Exit(code)


def attempted(
    jobs: Sequence[str], change: Callable[[str], JobHandle]
) -> tuple[list[JobHandle], ExitCode | None]:
    """Change each job; what a refusal says is printed, and keeps no other job from being changed.

    Returns the changed jobs and the code of the first refusal. Raises the only job's refusal.
    """
    from api.client.errors import ApiError

    done: list[JobHandle] = []
    code: ExitCode | None = None
    for name in jobs:
        try:
            done.append(change(name))
        except ApiError as error:
            if len(jobs) == 1:
                raise
            refusal = told(error)
            code = code or refusal
    return done, code


def each(
    jobs: Sequence[str],
    change: Callable[[str], JobHandle],
    as_json: bool,
    line: Callable[[JobHandle], str] | None = None,
) -> None:
    """Change each job and print what it is then; exit with the code of the first refusal."""
    done, code = attempted(jobs, change)
    if as_json:
        dumped = [job.info.model_dump(mode="json") for job in done]
        print_json(dumped if len(jobs) > 1 else dumped[0])
    else:
        for job in done:
            out().print((line or _changed)(job))
    if code is not None:
        raise typer.Exit(code)


def _changed(job: JobHandle) -> str:
    text = f"job [bold]{job.id}[/] {state(job.state.value)}{again(job.info)}"
    return f"{text}: {escape(job.reason)}"


def _updated(before: JobOut, job: JobHandle) -> str:
    return f"job [bold]{job.id}[/] {state(job.state.value)}: {_difference(before, job.info)}"


def _difference(old: JobOut, new: JobOut) -> str:
    """What an update has changed, such as `priority 50 → 90`."""
    pairs = {
        "priority": (str(old.priority), str(new.priority)),
        "preference": (_preference(old), _preference(new)),
        "deadline": (_deadline(old), _deadline(new)),
    }
    told = [f"{name} {was} → {now}" for name, (was, now) in pairs.items() if was != now]
    return ", ".join(told) or "nothing has changed"


def _preference(job: JobOut) -> str:
    return "none" if job.preference is None else f"{job.preference:g}"


def _deadline(job: JobOut) -> str:
    return "none" if job.deadline is None else text_format.moment(job.deadline)


def _repeated(jobs: Sequence[JobHandle]) -> None:
    for job in jobs:
        if out().is_terminal:
            out().print(_changed(job))
        else:  # the number alone, for scripts
            print(job.id, flush=True)


def again(job: JobOut) -> str:
    """Return which job it repeats, and from where."""
    if not job.retry_of:
        return ""
    if job.resume_from is None:
        return f", again for job {job.retry_of} from the start"
    return f", again for job {job.retry_of} from its last checkpoint ({job.progress:.0%})"
