"""The programs that the jobs run, and the heartbeats by which they tell the truth about themselves.

A heartbeat is one line in a file outside the data folder: word, attempt, process id, seconds
since boot, exit code (or `-`). No clock of the service and no file of the service is needed.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FAILS = 3
"""The exit code of a program that fails."""

_SCRIPT = """
beat() {
  read -r now _ < /proc/uptime
  echo "$1 $FULCRUM_JOB.$FULCRUM_ATTEMPT $$ $now ${2--}" >> "$BEATS"
}
trap 'beat told; exit 143' TERM
beat start
eval "$BEFORE"
n=0
while [ $n -lt $LENGTH ]; do sleep 0.2; beat on; n=$((n+1)); done
beat stop $CODE
exit $CODE
"""
_FORGERY = """
for d in "$PWD" "$FULCRUM_FOLDER"; do if [ -d "$d" ]; then echo '{content}' > "$d/{name}"; fi; done
"""
FORGED: Mapping[str, Sequence[str]] = {
    "exit.json": ('{"time": 1, "reason": "exit code 0", "success": true, "code": 0}', "{}", "["),
    "supervisor.json": ("{}", '{"supervisor": 1, "worker": 2}', "x"),
    "started.json": ('{"pid": 1, "time": 0}', "{}", "[1]"),
    "outcome.json": ('{"code": 0, "result": 7, "time": 1.0}', "[]"),
    "cancel.json": ('{"grace_s": "soon"}', '{"grace_s": 0, "time": 0}'),
    "order.json": ("{}", ""),
    "claim": ("", "ffffffffffffffff"),
}
"""The executor's files. A job may write such ones into its own folders, deliberately or not."""
_REMOVAL = 'd=$PWD; cd /; rm -rf "$d"'
_DAEMON = "setsid sleep 60 &"

BEHAVIOURS: Mapping[str, int] = {
    "job-ends-well": 10,
    "job-fails": 3,
    "job-too-long": 1,
    "job-leaves-daemon": 1,
    "job-forges-files": 2,
    "job-removes-folder": 1,
}
"""What a job does, and how often."""
_RESUMABLE = 0.6
"""Share of the jobs that may be preempted; their programs begin from nothing all the same."""


def body(name: str, behaviour: str, beats: Path, draw: random.Random) -> dict[str, Any]:
    """A job as a client submits it."""
    code, before, length = 0, "true", draw.randint(1, 8)
    fields: dict[str, Any] = {"retry": {"max_attempts": draw.choice((1, 2)), "backoff_s": 0.3}}
    if behaviour == "job-fails":
        code = FAILS
    elif behaviour == "job-too-long":
        length, fields["max_duration"] = 500, 2
    elif behaviour == "job-leaves-daemon":
        before = _DAEMON
    elif behaviour == "job-removes-folder":
        before = _REMOVAL
    elif behaviour == "job-forges-files":
        file = draw.choice(sorted(FORGED))
        before = _FORGERY.format(name=file, content=draw.choice(FORGED[file]))
        code = draw.choice((0, FAILS))
    environment = {"BEATS": beats, "BEFORE": before, "LENGTH": length, "CODE": code}
    work = {
        "argv": ["sh", "-c", _SCRIPT],
        "env": {key: str(value) for key, value in environment.items()},
        "resumable": draw.random() < _RESUMABLE,
    }
    return {
        "kind": "command",
        "name": name,
        "priority": draw.randint(0, 100),
        "work": work,
        **fields,
    }


@dataclass(slots=True)
class Heartbeats:
    """What one attempt's program said. Times are seconds since boot."""

    first: float
    last: float
    starts: list[int] = field(default_factory=list)
    """Process ids that said `start`: more than one if the attempt ran more than once."""
    code: int | None = None
    """The exit code it announced; None if it did not come to its end."""


def heartbeats(beats: Path) -> Mapping[str, Heartbeats]:
    """Attempt to heartbeats; empty if nothing has run yet."""
    found: defaultdict[str, list[list[str]]] = defaultdict(list)
    if beats.exists():
        for line in beats.read_text().splitlines():
            word, attempt, *rest = line.split()
            found[attempt].append([word, *rest])
    return {attempt: _said(lines) for attempt, lines in found.items()}


def _said(lines: Sequence[Sequence[str]]) -> Heartbeats:
    times = [float(now) for _, _, now, _ in lines]
    codes = [int(code) for word, _, _, code in lines if word == "stop"]
    return Heartbeats(
        first=min(times),
        last=max(times),
        starts=[int(pid) for word, pid, _, _ in lines if word == "start"],
        code=codes[-1] if codes else None,
    )
