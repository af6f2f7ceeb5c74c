"""How many processes a command starts."""

from __future__ import annotations

import os
from typing import Annotated

import typer

Workers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        min=1,
        help="Processes; default: one per processor, in a job one per processor of the job.",
    ),
]


def processes(said: int | None) -> int:
    """The given number; else the width of the CPU job around this, or all processors."""
    from agents.process_pool import cores

    on_gpus = os.environ.get("CUDA_VISIBLE_DEVICES")
    width = None if on_gpus else os.environ.get("FULCRUM_WIDTH")
    return said or int(width or cores())
