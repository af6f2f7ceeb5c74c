"""How a command submits jobs: its options, and what it prints."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from api.cli.commands.jobs.plan import show_plan
from api.cli.support.exit_codes import ExitCode
from api.cli.support.global_options import Json, Timeout, client
from api.cli.support.output import err, out, print_continues, print_json
from api.cli.views.status_line import StatusLine

if TYPE_CHECKING:
    from api.client import JobHandle

Wait = Annotated[bool, typer.Option("--wait", help="Return when all have ended.")]
Follow = Annotated[bool, typer.Option("--follow", "-f", help="Show the output and wait.")]
Key = Annotated[
    str | None,
    typer.Option("--key", help="Idempotency key; the same key creates no second job."),
]
Plan = Annotated[
    bool, typer.Option("--plan", help="Show what would happen, as `fulcrum plan`; submit nothing.")
]


@dataclass(frozen=True, slots=True)
class SubmitOptions:
    """What becomes of the jobs of one command; its fields are options.

    Raises `typer.BadParameter` for a timeout without an end to wait for.
    """

    wait: Wait = False
    follow: Follow = False
    timeout: Timeout = None
    key: Key = None
    only_plan: Plan = False
    as_json: Json = False

    def __post_init__(self) -> None:
        if self.timeout is not None and (self.follow or not self.wait):
            raise typer.BadParameter(
                "needs --wait and does not work with --follow", param_hint="--timeout"
            )

    def carry_out(self, ctx: typer.Context, body: dict[str, Any]) -> None:
        """Submit one job, or one array, from the command line, and report it; or only plan it."""
        if self.only_plan:
            from api.client import files

            show_plan(ctx, [files.rooted(body, files.here())], as_json=self.as_json)
            return
        with client(ctx) as service:
            if body.get("array"):
                submitted = service.submit_batch([body], key=self.key)
            else:
                submitted = [service.submit(body, key=self.key)]
            self.report(submitted)

    def report(
        self,
        jobs: Sequence[JobHandle],
        tell: Callable[[Sequence[JobHandle]], None] | None = None,
    ) -> None:
        """Print what was submitted, with `tell` if given; wait if asked.

        Exit with 1 if a job failed, and with 130 at Ctrl-C, which leaves the jobs alone.
        """
        try:
            print_warnings(jobs)
            if not self.as_json:
                (tell or _tell)(jobs)
            for job in jobs if self.wait or self.follow else ():
                _watch(job, follow=self.follow, timeout=self.timeout, quiet=self.as_json)
        except KeyboardInterrupt:
            if live := [str(job.id) for job in jobs if not job.done]:
                print_continues("job", live, "fulcrum cancel")
            raise typer.Exit(ExitCode.INTERRUPTED) from None
        if self.as_json:
            dumped = [job.info.model_dump(mode="json") for job in jobs]
            print_json(dumped if len(dumped) > 1 else dumped[0])
        if (self.wait or self.follow) and not all(job.succeeded for job in jobs):
            raise typer.Exit(ExitCode.FAILED)


def _tell(jobs: Sequence[JobHandle]) -> None:
    """Print the submitted jobs; piped output is the number alone, for scripts."""
    for job in jobs:
        plain = not out().is_terminal
        name = f" ({escape(job.name)})" if job.name else ""
        out().print(str(job.id) if plain else f"job [bold]{job.id}[/]{name} {escape(job.reason)}")


def print_warnings(jobs: Sequence[JobHandle]) -> None:
    """Print on stderr what the jobs will probably not meet."""
    for job in jobs:
        for warning in job.warnings:
            err().print(f"[yellow]warning:[/] job {job.id}: {escape(warning)}", soft_wrap=True)


def submits(function: Callable[..., None]) -> Callable[..., None]:
    """Add the options of a `SubmitOptions` to a command; it receives them as `how`."""
    options = inspect.signature(SubmitOptions, eval_str=True).parameters
    own = inspect.signature(function, eval_str=True)

    def command(**arguments: Any) -> None:
        how = SubmitOptions(**{name: arguments.pop(name) for name in options})
        function(**arguments, how=how)

    command.__name__ = function.__name__
    command.__doc__ = function.__doc__
    kept = [each for each in own.parameters.values() if each.name != "how"]
    added = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in options.values()]
    parameters = [*kept, *added]
    command.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {each.name: each.annotation for each in parameters}
    return command


def _watch(job: JobHandle, *, follow: bool, timeout: float | None, quiet: bool = False) -> None:
    """Print each change of a job on stderr, or its output on stdout, until it ends."""
    from api.client.job import standing

    if follow:
        # With --json, stdout holds the document alone.
        with StatusLine(job, err() if quiet else out()) as status:
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
