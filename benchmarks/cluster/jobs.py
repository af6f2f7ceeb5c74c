"""What the parts share: programs as jobs, and waiting for them."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from fulcrum import JobHandle

if TYPE_CHECKING:
    from api.client.files import JobInput
    from api.schemas import JobDetail

PATIENCE_S = 1200.0
Found = dict[str, Any]
"""The figures of a part; under `wrong` the promises that were broken, a sentence each."""


def program(name: str, *argv: str) -> JobInput:
    """A program as a job."""
    return {"kind": "command", "name": name, "max_duration": "1h", "work": {"argv": list(argv)}}


def ended(jobs: Sequence[JobHandle]) -> list[JobDetail]:
    """The jobs once all have ended. Raises `RuntimeError` if they do not."""
    wait_for(jobs, lambda job: job.refresh().done)
    return [job.detail() for job in jobs]


def wait_for(jobs: Sequence[Any], has_ended: Callable[[Any], bool], look_s: float = 0.5) -> None:
    """Wait for one job after another: who asks about all again and again keeps the service busy."""
    for job in jobs:
        until(lambda job=job: has_ended(job), "jobs do not end", look_s)  # type: ignore[misc]


def until(holds: Callable[[], bool], problem: str, look_s: float = 0.5) -> None:
    """Wait until something holds; raises `RuntimeError` if it never does."""
    end = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > end:
            raise RuntimeError(f"{problem} within {PATIENCE_S:g} s")
        time.sleep(look_s)


def tell(line: str) -> None:
    """A line for who waits."""
    print(line, file=sys.stderr, flush=True)
