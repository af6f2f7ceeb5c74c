"""The process in which one attempt's work is done."""

from __future__ import annotations

import atexit
import contextlib
import faulthandler
import os
import socket
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from scheduler.domain.resources import DeviceKind
from scheduler.executors.base import LaunchSpec, Outcome
from scheduler.executors.local.records import folder as files
from scheduler.executors.local.supervision.masking import Masker
from scheduler.executors.local.supervision.setup import Target, Workplace
from scheduler.executors.local.system import process, sockets
from scheduler.files import wait_for_space

FOLDER_VARIABLE = "FULCRUM_FOLDER"
"""Names the attempt's folder to every program it starts, and tells them apart from others."""
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_THREADS_PER_GPU = 4
_COULD_NOT_START = 125
_OOM_SCORE = "500"
"""When memory runs out the kernel shall take a worker, not the service."""


def attend(peer: socket.socket, supervisor: int, workplace: Workplace) -> int:
    """Wait for a spec, which comes as the path of the folder it lies in, and carry it out.

    Returns the exit code. What fails before the work begins is told through `peer`.
    """
    os.setsid()
    process.die_with_parent()
    if os.getppid() != supervisor:
        return 0
    process.name_process("fulcrum-spare")
    path = peer.recv(sockets.LIMIT)
    if not path:
        return 0
    folder, run_folder = Path(os.fsdecode(path)), Path(workplace.setup.folder)
    masker = None
    try:
        spec = replace(files.read_spec(folder), secrets=sockets.receive(peer) or {})
        masker = furnish(spec, workplace.environment, pin=workplace.setup.pin)
        _announce(spec, folder, run_folder)
    except (OSError, ValueError, KeyError, TypeError) as error:
        peer.send(f"{type(error).__name__}: {error}".encode()[:1000])
        return _COULD_NOT_START
    peer.close()
    outcome = _carry_out(spec, workplace.target)
    wait_for_space(
        lambda: files.write_outcome(folder, outcome),
        lambda error: sockets.waits(run_folder, spec.attempt, error),
    )
    _wind_up()
    if masker is not None:
        _close_log()
        masker.finish()
    return outcome.code


def furnish(spec: LaunchSpec, variables: Mapping[str, str], *, pin: bool) -> Masker | None:
    """Make this process the attempt's own: log, devices, threads, environment, name.

    `variables` take the place of those that the fork server's libraries set for themselves.
    Returns what keeps the attempt's secrets out of its log, if it has any.
    """
    process.name_process(f"fulcrum-{spec.attempt}")
    masker = wait_for_space(lambda: _open_log(spec.part_folder / files.LOG, spec.secrets))
    os.chdir(spec.part_folder)
    if pin and spec.part.device_kind is DeviceKind.CPU and spec.part.devices:
        os.sched_setaffinity(0, {int(number) for number in spec.part.devices})
    os.environ.clear()
    os.environ.update({**variables, **environment(spec)})
    _set_threads(_threads(spec))
    _reseed()
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_OOM_SCORE)
    return masker


def environment(spec: LaunchSpec) -> dict[str, str]:
    """Variables of the attempt; the spec's win over thread counts, not over devices."""
    devices = spec.part.devices if spec.part.device_kind is DeviceKind.CUDA else ()
    return (
        dict.fromkeys(THREAD_VARIABLES, str(_threads(spec)))
        | dict(spec.env)
        | dict(spec.secrets)
        | {
            # Number GPUs as NVML does; CUDA's own default order is by speed.
            "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
            "CUDA_VISIBLE_DEVICES": ",".join(devices),
            "FULCRUM_ATTEMPT": spec.attempt,
            FOLDER_VARIABLE: str(spec.part_folder),
        }
    )


def tag(folder: Path) -> bytes:
    """How the environment of a program shows that it belongs to the attempt in `folder`."""
    return f"{FOLDER_VARIABLE}={folder}".encode()


def tag_of(folder: Path) -> bytes | None:
    """The tag of the attempt whose spec lies in `folder`; None if the spec is damaged."""
    try:
        return tag(files.read_spec(folder).part_folder)
    except (ValueError, KeyError, TypeError):
        return None


def _threads(spec: LaunchSpec) -> int:
    width = max(1, len(spec.part.devices))
    if spec.part.device_kind is DeviceKind.CPU:
        return width
    return min(width * _THREADS_PER_GPU, len(os.sched_getaffinity(0)))


def _open_log(path: Path, secrets: Mapping[str, str]) -> Masker | None:
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    masker = None
    if secrets:
        masker = Masker(log, secrets.values())
        os.close(log)
        log = masker.sink
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(nothing)
    os.close(log)
    if masker is not None:
        # The old ones remember that they lead to a file, in which one can seek.
        sys.stdout = os.fdopen(1, "w", closefd=False)
        sys.stderr = os.fdopen(2, "w", closefd=False)
    for stream in (sys.stdout, sys.stderr):
        # A line that was printed must be readable at once, a crash must not swallow it.
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    faulthandler.enable(file=2)
    return masker


def _close_log() -> None:
    nothing = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nothing, stream)
    os.close(nothing)


def _set_threads(count: int) -> None:
    # Libraries read their variables when they are loaded, which was in the fork server.
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(count)


def _reseed() -> None:
    # All workers of one fork server would else draw the same numbers; `random` reseeds itself.
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed()


def _announce(spec: LaunchSpec, folder: Path, run_folder: Path) -> None:
    begun = {"pid": os.getpid(), "time": time.time(), "monotonic": time.monotonic()}
    wait_for_space(
        lambda: files.write(folder / files.STARTED, begun),
        lambda error: sockets.waits(run_folder, spec.attempt, error),
    )
    sockets.notify(run_folder, {"started": spec.attempt})


def _carry_out(spec: LaunchSpec, target: Target) -> Outcome:
    try:
        return target(spec)
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return Outcome(end.code or 0)
        print(end.code, file=sys.stderr)
        return Outcome(1)
    except BaseException:
        traceback.print_exc()
        return Outcome(1)


def _wind_up() -> None:
    """What the interpreter does at its end, without unwinding the fork server's frames."""
    with _reported():
        threading._shutdown()  # type: ignore[attr-defined]  # joins pools and threads
    with _reported():
        atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()


@contextlib.contextmanager
def _reported() -> Iterator[None]:
    try:
        yield
    except BaseException:
        traceback.print_exc()
