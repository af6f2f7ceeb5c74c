"""The processes of a service, by their role."""

from __future__ import annotations

import contextlib
import os
import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SERVER, SUPERVISOR, SPARE, WORKER, PROGRAM = "fork server", "supervisor", "spare", "worker", "job"
_ROLES = {b"fulcrum-forks": SERVER, b"fulcrum-super": SUPERVISOR, b"fulcrum-spare": SPARE}
_ATTEMPT = re.compile(rb"fulcrum-(\d+\.\d+)")


@dataclass(frozen=True, slots=True)
class ServiceProcess:
    """One process of a service or of its jobs."""

    pid: int
    parent: int
    role: str
    ticks: int
    """Clock ticks of processor time that it has used."""
    attempt: str | None = None

    def send(self, number: signal.Signals) -> None:
        """Signal it; no effect if it has gone."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)


def find(data: Path, beats: Path) -> list[ServiceProcess]:
    """What was forked for the service over `data`, and programs that write to `beats`."""
    return list(_find(os.fsencode(data), b"BEATS=" + os.fsencode(beats)))


def supervised(found: list[ServiceProcess], supervisor: ServiceProcess) -> str | None:
    """The attempt that a supervisor runs; None if it waits for one."""
    named = (one.attempt for one in found if one.parent == supervisor.pid)
    return next((attempt for attempt in named if attempt), None)


def _find(data: bytes, mark: bytes) -> Iterator[ServiceProcess]:
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal():
            continue
        try:
            name = (folder / "comm").read_bytes().strip()
            stat = (folder / "stat").read_bytes()
            state, parent, *values = stat[stat.rindex(b")") + 2 :].split()
            if state in b"ZX":
                continue
            pid, above, ticks = int(folder.name), int(parent), int(values[9]) + int(values[10])
            if name.startswith(b"fulcrum-") and data in (folder / "cmdline").read_bytes():
                attempt = _ATTEMPT.fullmatch(name)
                number = attempt.group(1).decode() if attempt else None
                yield ServiceProcess(pid, above, _ROLES.get(name, WORKER), ticks, number)
                continue
            variables = (folder / "environ").read_bytes().split(b"\0")
        except OSError:  # it has ended meanwhile
            continue
        if mark in variables:
            yield ServiceProcess(pid, above, PROGRAM, ticks, _attempt(variables))


def _attempt(variables: list[bytes]) -> str:
    values = dict(entry.split(b"=", 1) for entry in variables if b"=" in entry)
    numbers = values.get(b"FULCRUM_JOB", b"0"), values.get(b"FULCRUM_ATTEMPT", b"0")
    return b".".join(numbers).decode()
