"""How many processes a command begins."""

from __future__ import annotations

import os
from typing import Annotated

import typer

Workers = Annotated[
    int | None,
    typer.Option("--workers", min=1, help="Processes; default: all processors, in a job its own."),
]


def processes(said: int | None) -> int:
    """As was said; else as many as the job on processors has that this is, or all there are."""
    from agents.process_pool import cores

    on_gpus = os.environ.get("CUDA_VISIBLE_DEVICES")
    width = None if on_gpus else os.environ.get("FULCRUM_WIDTH")
    return said or int(width or cores())
