"""How many processes a command begins."""

from __future__ import annotations

import os
from typing import Annotated

import typer

Workers = Annotated[
    int | None, typer.Option("--workers", min=1, help="Processes; default: all processors.")
]


def processes(said: int | None) -> int:
    """As was said; else the width of the job that this is, or all processors."""
    from agents.crew import cores

    return said or int(os.environ.get("FULCRUM_WIDTH") or cores())
