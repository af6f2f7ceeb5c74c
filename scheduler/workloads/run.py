"""The entry point of an attempt's process: do the work of one launch spec.

The executor has put the process into its own group, redirected its output to log.txt and given
it its devices. `run` returns the outcome, whose exit code is

- 0: done;
- 1: failed, another attempt may do better;
- 2: bad parameters or missing input, another attempt would fail alike;
- 130, 143: asked to stop by SIGINT or SIGTERM; a training has saved its state, checkpoints stay;
- for `command`: the program's own (128 + n if signal n ended it).

and whose result says more: the figures, or `error` (one line) and `retriable`.
"""

from __future__ import annotations

import gc
import importlib
import io
import logging
import os
import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from scheduler.domain.errors import FulcrumError, InputError, OutageError
from scheduler.domain.jobs import JobKind
from scheduler.domain.resources import DeviceKind
from scheduler.executors.base import LaunchSpec, Outcome
from scheduler.json_values import plain
from scheduler.workloads.context import Context
from scheduler.workloads.distributed.ranks import ALONE, CONSEQUENCE, Rank, of_part
from scheduler.workloads.resumption import take_over
from scheduler.workloads.spec.specs import CnnInferWork, CnnTrainWork, CommandWork, parse_work
from scheduler.workloads.stop_signal import Stopped

OK, FAILED, INVALID = 0, 1, 2

_MODULES = (
    "torch",
    "scheduler.workloads.train",
    "scheduler.workloads.infer",
    "scheduler.workloads.command",
    "scheduler.workloads.distributed.launcher",
    # What the trainer imports while it runs.
    "fsspec.implementations.chained",
    "fsspec.implementations.local",
    "sklearn.datasets",
    "torch.utils.serialization.config",
)


def preload() -> None:
    """Import whatever the work needs, for a server that forks one process per attempt.

    Starts no thread and touches no GPU, so forking afterwards is safe. For this OMP_NUM_THREADS=1
    must be in the environment before numpy is imported (OpenBLAS starts its threads on import
    otherwise); the child sets its real number by itself.
    """
    # OpenMP reads this once, when torch brings it in. Threads that wait for each other must not
    # spin: on a machine with other load that makes two threads several times slower than one.
    policy = {"OMP_WAIT_POLICY": os.environ.get("OMP_WAIT_POLICY", "PASSIVE")}
    with _environment(policy):
        for name in _MODULES:
            importlib.import_module(name)

    from scheduler.workloads.data import datasets
    from scheduler.workloads.spec import tables

    tables.architectures()
    datasets.arrays("digits", train=True)
    gc.collect()
    gc.freeze()  # children then do not copy these pages just to look for garbage


def preload_for_commands() -> None:
    """The same for a server of commands, whose work is in the programs that they start."""
    importlib.import_module("scheduler.workloads.command")
    gc.collect()
    gc.freeze()


def run(spec: LaunchSpec) -> Outcome:
    """Do the work of the spec's part, in as many processes as it takes."""
    _print_anything()
    if not spec.rank:  # before other nodes can meet this one
        try:
            take_over(spec)
        except InputError as error:
            _say(f"error: {error.message}")
            return Outcome(INVALID, _refusal(error))
    ranks = of_part(spec)
    if ranks[0].world == 1:
        return _run(spec, ALONE)
    from scheduler.workloads.distributed.launcher import launch

    return launch(spec, ranks, _run)


def _run(spec: LaunchSpec, rank: Rank) -> Outcome:
    """Do the work of one process."""
    context = Context(spec, rank)
    result: dict[str, Any] = {}
    try:
        with context.stop.listening():
            code, result = _work(context)
    except Stopped as stop:
        code, result = stop.code, {"error": f"stopped by {stop}"}
        _say(f"stopped by {stop}")
    except FulcrumError as error:
        code, result = FAILED if isinstance(error, OutageError) else INVALID, _refusal(error)
        _say(f"error: {error.message}")
    except Exception as error:
        code, result = FAILED, {"error": _one_line(error)}
        if rank.world > 1 and _lost_others(error):
            result[CONSEQUENCE] = True
            _say(f"{rank.name} has lost the others: {result['error']}")
        else:
            _say(traceback.format_exc())
    left = context.left if code else {}
    return Outcome(code, plain({**context.summary(), **left, **result}))


def _refusal(error: FulcrumError) -> dict[str, Any]:
    again = isinstance(error, OutageError)
    return {"error": error.message, "fields": error.fields, "retriable": again}


def _print_anything() -> None:
    """The log is UTF-8 whatever the locale says, and no name that is printed ends the work."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def _say(text: str) -> None:
    """Print it to the log, unless the disk is full."""
    with suppress(OSError):
        print(text, flush=True)


def _work(context: Context) -> tuple[int, dict[str, Any]]:
    spec = context.spec
    work = parse_work(spec.kind, spec.work)
    if isinstance(work, CommandWork):
        from scheduler.workloads.command import command

        return command(work, context)
    from scheduler.workloads.distributed import collectives

    with _quiet(), collectives.joined(spec, context.rank):
        _set_threads(context)
        if isinstance(work, CnnTrainWork):
            from scheduler.workloads.train import train

            return OK, train(work, context)
        assert isinstance(work, CnnInferWork), JobKind.CNN_INFER
        from scheduler.workloads.infer import infer

        return OK, infer(work, context)


def _lost_others(error: Exception) -> bool:
    from scheduler.workloads.distributed.collectives import lost_others

    return lost_others(error)


def _set_threads(context: Context) -> None:
    import torch

    from scheduler.workloads.train import threads

    torch.set_num_threads(threads(context))
    if context.device_kind is DeviceKind.CPU:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
        # Determinism is kept by other means; filling fresh memory only costs time.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the trainer's own talk out of the log; errors still come through."""
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    logger.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"lightning\..*")
        warnings.filterwarnings("ignore", module=r"torch\.utils\.data\..*")
        yield
    logger.setLevel(level)


def _one_line(error: Exception) -> str:
    text = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
