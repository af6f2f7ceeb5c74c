"""The one transition table of a job, and the states of its attempts."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from scheduler.domain.errors import IllegalTransitionError


class JobState(StrEnum):
    """States of a job; `Job.reason` says why it is in one."""

    QUEUED = "QUEUED"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    PREEMPTING = "PREEMPTING"
    CANCELLING = "CANCELLING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def final(self) -> bool:
        """Whether the job never changes again."""
        return self in FINAL

    @property
    def active(self) -> bool:
        """Whether an attempt holds devices."""
        return self in ACTIVE


FINAL = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED})
ACTIVE = frozenset({JobState.STARTING, JobState.RUNNING, JobState.PREEMPTING, JobState.CANCELLING})


class AttemptState(StrEnum):
    """States of one attempt; all but the first two are final."""

    STARTING = "STARTING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    PREEMPTED = "PREEMPTED"
    LOST = "LOST"

    @property
    def final(self) -> bool:
        """Whether the attempt has ended and holds no device."""
        return self not in (AttemptState.STARTING, AttemptState.RUNNING)


class EventName(StrEnum):
    """What can happen to a job; past tense, one row of its history each."""

    SUBMITTED = "submitted"
    UPDATED = "updated"
    """A person changed what the job wishes: priority, preference or deadline."""
    PLACED = "placed"
    STARTED = "started"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    """The attempt failed and no further one follows."""
    RETRIED = "retried"
    """The attempt failed; another follows."""
    LOST = "lost"
    """The attempt vanished with its machine or its process; another follows."""
    PREEMPT_REQUESTED = "preempt-requested"
    PREEMPTED = "preempted"
    """The attempt was stopped for another job or by a person; another follows."""
    CANCEL_REQUESTED = "cancel-requested"
    CANCELLED = "cancelled"
    UNMET = "dependency-unmet"
    """A job it waits for ended without success."""


_S, _E = JobState, EventName

TRANSITIONS: Mapping[tuple[JobState, EventName], JobState] = {
    (_S.QUEUED, _E.UPDATED): _S.QUEUED,
    (_S.QUEUED, _E.PLACED): _S.STARTING,
    (_S.QUEUED, _E.CANCELLED): _S.CANCELLED,
    (_S.QUEUED, _E.UNMET): _S.CANCELLED,
    (_S.STARTING, _E.STARTED): _S.RUNNING,
    (_S.STARTING, _E.SUCCEEDED): _S.SUCCEEDED,
    (_S.STARTING, _E.FAILED): _S.FAILED,
    (_S.STARTING, _E.RETRIED): _S.QUEUED,
    (_S.STARTING, _E.LOST): _S.QUEUED,
    (_S.STARTING, _E.PREEMPTED): _S.QUEUED,
    (_S.STARTING, _E.CANCEL_REQUESTED): _S.CANCELLING,
    (_S.RUNNING, _E.SUCCEEDED): _S.SUCCEEDED,
    (_S.RUNNING, _E.FAILED): _S.FAILED,
    (_S.RUNNING, _E.RETRIED): _S.QUEUED,
    (_S.RUNNING, _E.LOST): _S.QUEUED,
    (_S.RUNNING, _E.PREEMPTED): _S.QUEUED,
    (_S.RUNNING, _E.PREEMPT_REQUESTED): _S.PREEMPTING,
    (_S.RUNNING, _E.CANCEL_REQUESTED): _S.CANCELLING,
    (_S.PREEMPTING, _E.PREEMPTED): _S.QUEUED,
    (_S.PREEMPTING, _E.SUCCEEDED): _S.SUCCEEDED,
    (_S.PREEMPTING, _E.FAILED): _S.FAILED,
    (_S.PREEMPTING, _E.RETRIED): _S.QUEUED,
    (_S.PREEMPTING, _E.LOST): _S.QUEUED,
    (_S.PREEMPTING, _E.CANCEL_REQUESTED): _S.CANCELLING,
    (_S.CANCELLING, _E.CANCELLED): _S.CANCELLED,
    (_S.CANCELLING, _E.SUCCEEDED): _S.SUCCEEDED,
}
"""(state, event) → next state. A short job may end before its start was reported; a job that
ends well while it is being preempted or cancelled has succeeded. No other transition is legal."""


def next_state(state: JobState, event: EventName) -> JobState:
    """The state after `event`; raises `IllegalTransitionError` naming what may happen instead."""
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        legal = sorted(name.value for (origin, name) in TRANSITIONS if origin is state)
        raise IllegalTransitionError(
            f"a job that is {state} cannot be {event}",
            {"state": f"from {state} only: {', '.join(legal) or 'nothing, it is final'}"},
        ) from None
