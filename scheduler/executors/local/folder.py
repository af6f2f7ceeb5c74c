"""The files of one attempt's folder: the only memory that supervisor and service share.

| file              | written by            | says                                             |
|-------------------|-----------------------|--------------------------------------------------|
| `order.json`      | service               | what to run                                      |
| `claim`           | see `claim`           | who may run it                                   |
| `supervisor.json` | supervisor            | it is being run: identities of both processes    |
| `started.json`    | worker                | its first own line: pid, time, monotonic time    |
| `cancel.json`     | service               | stop it, after so much grace                     |
| `log.txt`         | worker                | its standard output and error                    |
| `result.json`     | the work              | what it leaves                                   |
| `exit.json`       | supervisor or service | it has ended, and how; never changes             |

JSON files appear whole or not at all.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from scheduler.domain.jobs import JobKind
from scheduler.domain.resources import DeviceKind
from scheduler.executors.base import Exited, Order
from scheduler.executors.local.process import Identity

ORDER = "order.json"
SUPERVISOR = "supervisor.json"
STARTED = "started.json"
CANCEL = "cancel.json"
LOG = "log.txt"
RESULT = "result.json"
EXIT = "exit.json"


@dataclass(frozen=True, slots=True)
class Exit:
    """How an attempt ended."""

    time: float
    """Unix seconds."""
    reason: str
    success: bool = False
    lost: bool = False
    code: int | None = None
    """None if a signal ended it or it never ran."""
    signal: int | None = None
    started_at: float | None = None
    runtime_s: float | None = None
    """By the monotonic clock, which nobody sets; `time` is `started_at` and these seconds."""
    pid: int | None = None
    max_rss_bytes: int = 0
    """Largest resident memory seen, pages shared with the fork server included."""
    cpu_s: float = 0.0
    """User and system time of all its processes."""


@dataclass(frozen=True, slots=True)
class Running:
    """Who runs an attempt."""

    supervisor: Identity
    worker: Identity


def write_order(order: Order) -> None:
    """Keep the order in its folder. Raises `OSError`, `TypeError` for a value JSON lacks."""
    values = {field: getattr(order, field) for field in Order.__dataclass_fields__}
    write(order.folder / ORDER, values)


def read_order(folder: Path) -> Order:
    """Raises `OSError` or `ValueError` if there is none."""
    values = json.loads((folder / ORDER).read_bytes())
    return Order(
        **values
        | {
            "kind": JobKind(values["kind"]),
            "device_kind": DeviceKind(values["device_kind"]),
            "folder": Path(values["folder"]),
            "shared": Path(values["shared"]),
            "devices": tuple(values["devices"]),
        }
    )


def write_running(folder: Path, running: Running) -> None:
    """Say that the attempt is being run."""
    write(folder / SUPERVISOR, asdict(running))


def read_running(folder: Path) -> Running | None:
    """None if nobody ever ran it."""
    values = read(folder / SUPERVISOR)
    if values is None:
        return None
    return Running(Identity(**values["supervisor"]), Identity(**values["worker"]))


def write_exit(folder: Path, exit_: Exit) -> None:
    """Record the end; survives a power cut once this returns."""
    write(folder / EXIT, asdict(exit_), durable=True)


def read_exit(folder: Path) -> Exit | None:
    """None if it has not ended."""
    values = read(folder / EXIT)
    return None if values is None else Exit(**values)


def exited(attempt: str, folder: Path, exit_: Exit) -> Exited:
    """The event that tells of `exit_`, with what the work left in result.json."""
    result = read(folder / RESULT) or {}
    return Exited(
        attempt=attempt,
        time=exit_.time,
        reason=exit_.reason,
        success=exit_.success,
        retriable=result.get("retriable") is not False,
        lost=exit_.lost,
        result=result,
        started_at=exit_.started_at,
    )


def elapsed(started: Mapping[str, Any]) -> tuple[float | None, float]:
    """What started.json means now: seconds since then, and the time that makes (Unix seconds).

    The monotonic clock measures, so setting the machine's clock changes nothing. Without a start
    there is no runtime, and the time is the machine's.
    """
    begun, mark = started.get("time"), started.get("monotonic")
    if not isinstance(begun, float) or not isinstance(mark, float):
        return None, time.time()
    runtime_s = max(0.0, time.monotonic() - mark)
    return runtime_s, begun + runtime_s


def ran(folder: Path) -> bool:
    """Whether the attempt was ever run or has ended without."""
    return (folder / SUPERVISOR).exists() or (folder / EXIT).exists()


def read(path: Path) -> dict[str, Any] | None:
    """The JSON object in `path`; None if the file is missing or holds something else."""
    try:
        values = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return values if isinstance(values, dict) else None


def write(path: Path, values: Mapping[str, Any], *, durable: bool = False) -> None:
    """Replace `path` in one step; `durable`: wait until the disk has it."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        with draft.open("wb") as file:
            file.write(json.dumps(values, default=_plain).encode())
            if durable:
                file.flush()
                os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    if durable:
        _sync_folder(path.parent)


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{value!r} has no form in JSON")


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
