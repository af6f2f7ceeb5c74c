"""What the dispatcher hears about."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from scheduler.domain.jobs import Job, JobSpec
from scheduler.executors.base import ExecutorEvent


@dataclass(frozen=True, slots=True)
class Admitted:
    """Jobs were stored."""

    jobs: Sequence[Job]


@dataclass(frozen=True, slots=True)
class Cancel:
    """Somebody wants a job stopped."""

    job: int
    actor: str
    reason: str
    answer: Future[None] = field(default_factory=Future)
    """Set when the request is durable, or refused."""


@dataclass(frozen=True, slots=True)
class Update:
    """Somebody wants a waiting job to be more or less important, urgent or fast."""

    job: int
    changes: Mapping[str, Any]
    """New values of `domain.jobs.CHANGEABLE` fields."""
    actor: str
    answer: Future[None] = field(default_factory=Future)
    """Set when the change is durable, or refused."""


@dataclass(frozen=True, slots=True)
class Reestimate:
    """Estimates, preferences or the policy changed: look again at the chosen queued jobs."""

    chosen: Callable[[JobSpec], bool]


Request = Cancel | Update
"""Messages of which somebody awaits the answer."""
Message = Admitted | Request | Reestimate | ExecutorEvent
