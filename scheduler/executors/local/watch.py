"""The executor's own notes on the attempts that it watches."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from scheduler.executors.base import Order
from scheduler.executors.local.watchdog import Patience, Watchdog

_NAMED = 3
"""Attempts with one trouble that are named; the others are counted."""


@dataclass(slots=True)
class Watch:
    """What the executor knows of one attempt besides its files."""

    attempt: str
    folder: Path
    order: Order | None = None
    """To be written to the folder still."""
    trouble: str = ""
    """What keeps it from going on, for `health`."""
    waits: str = ""
    """Why its supervisor cannot record its end yet."""
    dog: Watchdog | None = None
    unclaimed: Patience | None = None
    """Since when nobody can claim it, though it never ran."""
    offered_at: float | None = None
    """Monotonic seconds of the last launch sent."""
    started: bool = False
    """Whether `Started` was handed over."""


def troubles(watches: Collection[Watch]) -> Iterator[str]:
    """One sentence for each thing that keeps attempts from going on."""
    found: dict[str, list[str]] = {}
    for watch in watches:
        if trouble := watch.waits or watch.trouble:
            found.setdefault(trouble, []).append(watch.attempt)
    for trouble, attempts in found.items():
        others = len(attempts) - _NAMED
        more = f" and {others} more" if others > 0 else ""
        yield f"attempt {', '.join(attempts[:_NAMED])}{more}: {trouble}"
