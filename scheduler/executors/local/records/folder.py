"""The executor's files of one attempt: the only memory that supervisor and service share.

They lie in the run folder, where a job has no business, under the attempt's number and nonce; see
`records`. A job can still write there, because it runs as the same user. So every reader takes a
file that is missing, too large, no regular file or not of the expected form for absent.

| file              | written by            | says                                             |
|-------------------|-----------------------|--------------------------------------------------|
| `spec.json`      | service               | what to run                                      |
| `claim`           | see `claim`           | who may run it                                   |
| `supervisor.json` | supervisor            | it is being run: identities of both processes;   |
|                   |                       | its time of change is the last sign of life      |
| `started.json`    | worker                | its first own line: pid, time, monotonic time    |
| `cancel.json`     | service               | stop it, after so much grace                     |
| `preempt.json`    | service               | the same, and it counts as preempted             |
| `outcome.json`    | worker                | the work has come to its end: code and result    |
| `exit.json`       | supervisor or service | it has ended, and how; never changes             |

JSON files appear whole or not at all. `log.txt` lies in the attempt's own folder.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import stat
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from scheduler.domain.jobs import JobKind
from scheduler.domain.resources import DeviceKind
from scheduler.executors.base import Exited, LaunchSpec, Outcome, Part
from scheduler.executors.local.system.process import ProcessIdentity
from scheduler.files import regular, write_text
from scheduler.json_values import is_shallow

SPEC = "order.json"
SUPERVISOR = "supervisor.json"
STARTED = "started.json"
CANCEL = "cancel.json"
PREEMPT = "preempt.json"
LOG = "log.txt"
OUTCOME = "outcome.json"
EXIT = "exit.json"

_LARGEST = 16 << 20
"""Bytes of a file that is read."""
_DEEPEST = 64
"""Levels of nesting in one; the interpreter gives up at some hundreds."""


@dataclass(frozen=True, slots=True)
class ExitRecord:
    """How an attempt ended."""

    __pydantic_config__: ClassVar = ConfigDict(allow_inf_nan=False)

    time: float
    """Unix seconds."""
    reason: str
    success: bool = False
    lost: bool = False
    preempted: bool = False
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
class RunningRecord:
    """Who runs an attempt."""

    supervisor: ProcessIdentity
    worker: ProcessIdentity


_EXIT = TypeAdapter(ExitRecord)
_RUNNING = TypeAdapter(RunningRecord)


def write_spec(folder: Path, spec: LaunchSpec) -> None:
    """Keep the spec, without the values of secrets. Raises `OSError`, `TypeError` if not JSON."""
    values = {field: getattr(spec, field) for field in LaunchSpec.__dataclass_fields__}
    values["secrets"] = dict.fromkeys(spec.secrets, "")
    write(folder / SPEC, values | {"parts": [asdict(part) for part in spec.parts]})


def read_spec(folder: Path) -> LaunchSpec:
    """Raises `ValueError`, `KeyError` or `TypeError` if there is none that makes sense."""
    values = read(folder / SPEC)
    if values is None:
        raise ValueError("order.json is missing or damaged")
    return LaunchSpec(
        **values
        | {
            "kind": JobKind(values["kind"]),
            "folder": Path(values["folder"]),
            "shared": Path(values["shared"]),
            "resume_from": Path(earlier) if (earlier := values.get("resume_from")) else None,
            "parts": tuple(_part(part) for part in values["parts"]),
        }
    )


def _part(values: Mapping[str, Any]) -> Part:
    return Part(
        **{
            **values,
            "device_kind": DeviceKind(values["device_kind"]),
            "devices": tuple(values["devices"]),
        }
    )


def write_running(folder: Path, running: RunningRecord) -> None:
    """Say that the attempt is being run."""
    write(folder / SUPERVISOR, asdict(running))


def sign_of_life(folder: Path) -> None:
    """Say that the attempt is still being run."""
    with contextlib.suppress(OSError):  # what cannot be written is missing later, no more
        os.utime(folder / SUPERVISOR)


def last_sign_of_life(folder: Path) -> float | None:
    """Unix seconds of the last `sign_of_life`; None if nobody ran the attempt."""
    try:
        return (folder / SUPERVISOR).lstat().st_mtime
    except OSError:
        return None


def read_running(folder: Path) -> RunningRecord | None:
    """None if nobody ever ran it, or nothing legible says so; see `ran`."""
    try:
        return _RUNNING.validate_python(read(folder / SUPERVISOR))
    except ValidationError:
        return None


def read_started(folder: Path) -> dict[str, float]:
    """What the worker said when it began; empty if it did not."""
    values = read(folder / STARTED) or {}
    numbers = all(isinstance(one, int | float) and math.isfinite(one) for one in values.values())
    return values if numbers and {"pid", "time"} <= values.keys() else {}


def ask_to_stop(folder: Path, name: str, grace_s: float) -> None:
    """Leave a wish for the supervisor; `name`: `CANCEL` or `PREEMPT`. Raises `OSError`."""
    write(folder / name, {"grace_s": grace_s, "time": time.time()})


def read_grace(folder: Path, name: str, otherwise: float) -> float:
    """Seconds between SIGTERM and SIGKILL that the wish `CANCEL` or `PREEMPT` grants."""
    grace_s = (read(folder / name) or {}).get("grace_s")
    if isinstance(grace_s, int | float) and math.isfinite(grace_s):
        return max(0.0, grace_s)
    return otherwise


def write_outcome(folder: Path, outcome: Outcome) -> None:
    """Record that the work has come to its end; survives a power cut once this returns."""
    _, now = elapsed(read_started(folder))
    write(folder / OUTCOME, {**asdict(outcome), "time": now}, durable=True)


def read_outcome(folder: Path) -> tuple[Outcome, float] | None:
    """What the work says of its end, and when (Unix seconds); None if it did not get there."""
    values = read(folder / OUTCOME) or {}
    code, result, at = (values.get(name) for name in ("code", "result", "time"))
    if not (isinstance(code, int) and isinstance(result, dict) and isinstance(at, float)):
        return None
    return Outcome(code, result), at


def done(folder: Path) -> bool:
    """Whether the work has come to a good end, whatever happens to its process afterwards."""
    outcome = read_outcome(folder)
    return outcome is not None and outcome[0].code == 0


def write_exit(folder: Path, exit_: ExitRecord) -> None:
    """Record the end, unless one is recorded; survives a power cut once this returns."""
    write(folder / EXIT, asdict(exit_), durable=True, replace=False)
    if read_exit(folder) is None:  # something illegible has its name
        if stat.S_ISDIR((folder / EXIT).lstat().st_mode):
            shutil.rmtree(folder / EXIT)
        write(folder / EXIT, asdict(exit_), durable=True)


def read_exit(folder: Path) -> ExitRecord | None:
    """None if it has not ended."""
    try:
        return _EXIT.validate_python(read(folder / EXIT))
    except ValidationError:
        return None


def exited(attempt: str, folder: Path, exit_: ExitRecord) -> Exited:
    """The event that tells of `exit_`, with what the work said at its end."""
    outcome = read_outcome(folder)
    # Attempts of before schema 0003 left their result in their own folder, as it was.
    result = outcome[0].result if outcome else read(folder / "result.json") or {}
    return Exited(
        attempt=attempt,
        time=exit_.time,
        reason=exit_.reason,
        success=exit_.success,
        retriable=result.get("retriable") is not False,
        lost=exit_.lost,
        preempted=exit_.preempted,
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


def runs_elsewhere(folder: Path) -> bool:
    """Whether a process of another machine runs the attempt, as far as that machine has said."""
    running = read_running(folder)
    return running is not None and running.supervisor.elsewhere and read_exit(folder) is None


def ran(folder: Path) -> bool:
    """Whether the attempt was ever run or has ended without."""
    return os.path.lexists(folder / SUPERVISOR) or os.path.lexists(folder / EXIT)


def read(path: Path) -> dict[str, Any] | None:
    """The JSON object in `path`; None if the file is missing or holds something else."""
    try:
        with regular(path) as file:
            text = file.read(_LARGEST + 1)
        values = json.loads(text) if len(text) <= _LARGEST else None
    except (OSError, ValueError, RecursionError):
        return None
    return values if isinstance(values, dict) and is_shallow(values, _DEEPEST) else None


def write(
    path: Path, values: Mapping[str, Any], *, durable: bool = False, replace: bool = True
) -> None:
    """Put the file there in one step; see `files.write_bytes`. Raises `OSError`, `TypeError`."""
    text = json.dumps(values, default=_plain)
    write_text(path, text, durable=durable, replace=replace)


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{value!r} has no form in JSON")
