"""Why a queued job does not compete for devices."""

from __future__ import annotations

from dataclasses import dataclass

SCHEDULED = ("scheduled", "waits for the time that it was submitted for")
"""Cause and text of a job that has not failed and must not start yet."""


@dataclass(frozen=True, slots=True)
class HoldReasons:
    """Why a queued job does not compete for devices yet."""

    cause: str
    """`dependency`, `array`, `backoff`, `scheduled`, `budget` or `no-pool`."""
    text: str
    blockers: tuple[int, ...] = ()
    until: float | None = None
    """Unix seconds at which the reason ends by itself."""
