"""The kind `command`: any program, with a few paths in its environment.

- FULCRUM_JOB, FULCRUM_ATTEMPT: numbers;
- FULCRUM_WIDTH: CPU cores or GPUs it has;
- FULCRUM_METRICS: a file to append JSON lines to; the numbers of the last one of kind `test`
  become the result's metrics;
- FULCRUM_ARTIFACTS: the folder for files that others shall get;
- FULCRUM_CHECKPOINTS: a folder that later attempts of the job find again.

It runs in a folder of its own, `work/` in the attempt's, unless it names another.
"""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

from scheduler import jsonlines
from scheduler.files import regular, with_room
from scheduler.workloads.context import METRICS, Context
from scheduler.workloads.spec.paths import check_paths
from scheduler.workloads.spec.work import CommandWork

WORK = "work"
"""In the attempt's folder: where a program runs that names no other folder."""


def command(work: CommandWork, context: Context) -> tuple[int, dict[str, Any]]:
    """Run it to its end; its exit code and the result. Raises `InvalidError` if it is not there."""
    check_paths(work)
    cwd = Path(work.cwd).expanduser() if work.cwd else context.folder / WORK
    if not work.cwd:
        with_room(lambda: cwd.mkdir(exist_ok=True))
    environment = {**os.environ, **context.spec.env, **work.env, **_paths(context)}
    context.begin()
    process = subprocess.Popen(work.argv, cwd=cwd, env=environment)
    try:
        status = process.wait()
    except BaseException:
        # It got the signal too, and its supervisor ends it when the grace is over.
        process.wait()
        raise
    code = status if status >= 0 else 128 - status
    with suppress(OSError):  # its exit code counts, whatever it put into the file's place
        context.advance(1, 1.0)
    result: dict[str, Any] = {"exit_code": code, "metrics": _reported(context.folder / METRICS)}
    if code:
        result["error"] = f"exit code {code}"
        result["retriable"] = True
    return code, result


def _paths(context: Context) -> dict[str, str]:
    job, _, attempt = context.spec.attempt.partition(".")
    return {
        "FULCRUM_JOB": job,
        "FULCRUM_ATTEMPT": attempt,
        "FULCRUM_WIDTH": str(context.width),
        "FULCRUM_METRICS": str((context.folder / METRICS).absolute()),
        "FULCRUM_ARTIFACTS": str(context.artifacts.absolute()),
        "FULCRUM_CHECKPOINTS": str(context.checkpoints.absolute()),
    }


def _reported(path: Path) -> dict[str, float]:
    """Numbers of the program's last line of kind `test`."""
    found: dict[str, float] = {}
    with suppress(OSError), regular(path) as file:
        for line in jsonlines.lines(file):
            row = jsonlines.record(line) or {}
            if row.get("kind") == "test":
                found = {
                    name: value
                    for name, value in row.items()
                    if isinstance(value, int | float) and name != "time"
                }
    return found
