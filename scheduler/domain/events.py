"""The history of a job: one event per change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scheduler.domain.jobs import Attempt, Job
from scheduler.domain.lifecycle import EventName, JobState


@dataclass(frozen=True, slots=True)
class Event:
    """One row of a job's history."""

    job: int
    name: EventName
    time: float
    """Unix seconds."""
    actor: str
    """Who: a user, `scheduler`, `executor` or `reconciler`."""
    reason: str = ""
    attempt: int | None = None
    before: JobState | None = None
    """None for the submission."""
    after: JobState = JobState.QUEUED
    data: Mapping[str, Any] = field(default_factory=dict)
    seq: int = 0
    """Position in the whole history; the store gives it, strictly rising."""


@dataclass(frozen=True, slots=True)
class Transition:
    """One change of a job, ready to be written: the new values and the event that caused them.

    It is written only if the stored job still has `job.version - 1`; otherwise nothing changes.
    """

    job: Job
    """The job after the change, its version already raised."""
    event: Event
    attempt: Attempt | None = None
    """The attempt after the change (new or changed), if the event concerns one."""
