"""The kind `command`: any program, with a few paths in its environment; see docs/commands.md.

- FULCRUM_JOB, FULCRUM_ATTEMPT: numbers;
- FULCRUM_WIDTH: CPU cores or GPUs it has, on this node;
- FULCRUM_WORLD_SIZE, FULCRUM_RANK, FULCRUM_NODES: on how many nodes the command runs, which of
  them this is (from 0), and their names with commas between;
- FULCRUM_ARRAY, FULCRUM_ARRAY_INDEX: of a job of an array, the number of the array's first job and
  the index;
- FULCRUM_SWEEP, FULCRUM_TRIAL: of a trial, the numbers of the sweep and the trial;
- FULCRUM_METRICS: a file to append JSON lines to; the numbers of the last one of kind `test`, else
  of kind `epoch`, become the result's metrics; one of kind `epoch` tells a sweep how good the
  program is so far (`epoch` from 1, the sweep's metric, perhaps `epochs` and `seconds`), one of
  kind `progress` with a `fraction` (0 to 1) says how much of the work is done, and one of kind
  `checkpoint` how much of it is saved;
- FULCRUM_ARTIFACTS: the folder for files that others shall get;
- FULCRUM_CHECKPOINTS: a folder that later attempts of the job find again;
- FULCRUM_RESUMED: 1 if an earlier attempt left something in that folder, else 0.

A `resumable` program that gets SIGTERM saves its state in FULCRUM_CHECKPOINTS and ends. It counts
as stopped, whatever its exit code.

It runs in a folder of its own, `work/` in the attempt's, unless it names another.

On several nodes it runs once on each; metrics count from rank 0. Programs made for torchrun find
each other there: MASTER_ADDR and MASTER_PORT lead to the store in which the parts have met, and
RANK, WORLD_SIZE and LOCAL_RANK name each program. So `torch.distributed.init_process_group()`
needs no more; `torchrun --rdzv-backend c10d --rdzv-endpoint $MASTER_ADDR:$MASTER_PORT` works too.
"""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

from scheduler import jsonlines
from scheduler.files import regular, wait_for_space
from scheduler.workloads.context import METRICS, Context
from scheduler.workloads.spec.paths import check_paths
from scheduler.workloads.spec.work import CommandWork

WORK = "work"
"""In the attempt's folder: where a program runs that names no other folder."""


def command(work: CommandWork, context: Context) -> tuple[int, dict[str, Any]]:
    """Run it to its end; its exit code and the result.

    Raises `InputError` if it is not there, `RendezvousError` if the other parts are not.
    """
    check_paths(work)
    cwd = Path(work.cwd).expanduser() if work.cwd else context.folder / WORK
    if not work.cwd:
        wait_for_space(lambda: cwd.mkdir(exist_ok=True))
    ranks = _ranks(context)
    paths = _paths(context)  # once all ranks have met: the first has filled the folders
    environment = {**os.environ, **context.spec.env, **work.env, **paths, **ranks}
    context.begin()
    process = subprocess.Popen(work.argv, cwd=cwd, env=environment)
    try:
        status = process.wait()
    except BaseException:
        # It got the signal too, and its supervisor ends it when the grace is over.
        process.wait()
        raise
    code = status if status >= 0 else 128 - status
    result: dict[str, Any] = {"exit_code": code, "metrics": _reported(context.folder / METRICS)}
    if code:
        result["error"] = f"exit code {code}"
        result["retriable"] = True
    return code, result


def _ranks(context: Context) -> dict[str, str]:
    """Which of the programs it is and, if there are others, where they meet."""
    rank, spec = context.rank, context.spec
    own = {
        "FULCRUM_RANK": str(rank.index),
        "FULCRUM_WORLD_SIZE": str(rank.world),
        "FULCRUM_NODES": ",".join(part.node for part in spec.parts),
    }
    if rank.world == 1:
        return own
    from scheduler.workloads.distributed.rendezvous import join, use_interface

    use_interface(len(spec.parts))
    meeting, _ = join(spec)
    return own | {
        "MASTER_ADDR": meeting.address,
        "MASTER_PORT": str(meeting.port),
        "RANK": str(rank.index),
        "WORLD_SIZE": str(rank.world),
        "LOCAL_RANK": "0",
        "LOCAL_WORLD_SIZE": "1",
        # The store is there already: rank 0 must not open one at that port.
        "TORCHELASTIC_USE_AGENT_STORE": "True",
        "TORCHELASTIC_RESTART_COUNT": "0",
    }


def _paths(context: Context) -> dict[str, str]:
    job, _, attempt = context.spec.attempt.partition(".")
    return {
        "FULCRUM_JOB": job,
        "FULCRUM_ATTEMPT": attempt,
        "FULCRUM_WIDTH": str(context.width),
        "FULCRUM_METRICS": str((context.folder / METRICS).absolute()),
        "FULCRUM_ARTIFACTS": str(context.artifacts.absolute()),
        "FULCRUM_CHECKPOINTS": str(context.checkpoints.absolute()),
        "FULCRUM_RESUMED": str(int(any(context.checkpoints.iterdir()))),
    }


def _reported(path: Path) -> dict[str, float]:
    """Numbers of the program's last line of kind `test`, else of its last of kind `epoch`."""
    found: dict[str, dict[str, float]] = {}
    with suppress(OSError), regular(path) as file:
        for line in jsonlines.lines(file):
            row = jsonlines.record(line) or {}
            kind = row.get("kind")
            if kind in ("test", "epoch"):
                found[kind] = {
                    name: value
                    for name, value in row.items()
                    if isinstance(value, int | float) and name != "time"
                }
    return found.get("test") or found.get("epoch") or {}
