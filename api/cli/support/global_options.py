"""What every command shares: how it reaches the service, and its usual options."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from api.client import Client


@dataclass(frozen=True, slots=True)
class GlobalOptions:
    """The global options."""

    url: str | None = None
    data: Path | None = None


def client(ctx: typer.Context) -> Client:
    """Return the client of this command line."""
    from api.client import Client
    from api.client.connection import AddressError

    options = ctx.find_object(GlobalOptions) or GlobalOptions()
    try:
        return Client(options.url, data_dir=options.data)
    except AddressError as error:
        raise typer.BadParameter(str(error), param_hint=error.field) from None


Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


JobId = Annotated[str, typer.Argument(metavar="JOB", help="Number or name of the job.")]
JobIds = Annotated[list[str], typer.Argument(metavar="JOB…", help="Numbers or names of jobs.")]
Timeout = Annotated[
    float | None,
    typer.Option(
        "--timeout", metavar="SECONDS", min=0, help="Wait at most this long (exit code 124)."
    ),
]


def dial(text: str) -> float | str:
    """Return a preference as typed: a number, or a name that the service knows."""
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else text
