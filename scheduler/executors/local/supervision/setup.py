"""What a fork server and everything forked from it is started with."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from scheduler.executors.base import LaunchSpec, Outcome

Target = Callable[[LaunchSpec], Outcome]
"""Does the work."""


@dataclass(frozen=True, slots=True)
class Setup:
    """The settings of a fork server; they travel on its command line, so they hold no secret."""

    folder: str
    """The run folder."""
    preload: str
    """`module:function`, called once before anything is forked."""
    target: str
    """`module:function` that a worker calls with its spec."""
    spares: int
    """Workers that wait for a launch."""
    linger_s: float
    """Seconds without any service after which it ends."""
    grace_s: float
    """Seconds between SIGTERM and SIGKILL where a cancellation names no others."""
    log_bytes: int
    """Largest log of an attempt; 0: not limited."""
    pin: bool
    """Whether an attempt runs on the CPUs of its devices only."""
    name: str = "server"
    """Of the server's own files in the run folder, without their endings."""
    digest: str = ""
    """Of the code, these settings and the variables; a service with another replaces the server."""

    @property
    def socket(self) -> Path:
        """Where services connect."""
        return Path(self.folder, f"{self.name}.sock")

    @property
    def lock(self) -> Path:
        """Held by the one server of this name."""
        return Path(self.folder, f"{self.name}.lock")

    @property
    def log(self) -> Path:
        """What it and everything forked from it prints outside an attempt."""
        return Path(self.folder, f"{self.name}.log")

    def encode(self) -> str:
        """For the command line."""
        return json.dumps(asdict(self))


@dataclass(frozen=True, slots=True)
class Workplace:
    """What a fork server gives to each supervisor and worker."""

    setup: Setup
    environment: Mapping[str, str]
    """The variables that jobs get, without those that the server's own libraries set."""
    target: Target
