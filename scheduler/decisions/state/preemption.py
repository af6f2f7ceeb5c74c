"""Preemption as values: when it is allowed, what is known of running jobs, and what was decided.

The words are those of the Kubernetes scheduler: the *preemptor* gets the devices of the *victim*.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from scheduler.decisions.state.entries import Waiting
from scheduler.domain.errors import InputError


class PreemptionMode(StrEnum):
    """Which waiting jobs may preempt under a policy that does not preempt itself."""

    OFF = "off"
    """None. A policy that preempts by itself, such as `srsf`, still does."""
    DEADLINE = "deadline"
    """Jobs that meet their deadline only if they preempt, and jobs that starve."""
    PRIORITY = "priority"
    """These, and jobs of higher priority than the victim."""


class PreemptionReason(StrEnum):
    """Why a job was allowed to preempt another one."""

    POLICY = "policy"
    """The policy preempts, and ranks the preemptor before the victim."""
    DEADLINE = "deadline"
    """The preemptor meets its deadline only with the victim's devices."""
    PRIORITY = "priority"
    """The preemptor has a higher priority."""
    STARVATION = "starvation"
    """The preemptor has waited longer than the guard allows."""
    MOVE = "move"
    """The victim itself goes on elsewhere: the policy moves jobs."""


@dataclass(frozen=True, slots=True)
class PreemptionRules:
    """When a running attempt may be preempted.

    Raises `InputError` for a negative figure.
    """

    mode: PreemptionMode = PreemptionMode.OFF
    min_runtime_s: float = 60.0
    """An attempt is not preempted before it has worked this long (s)."""
    max_per_job: float = 3
    """A job is not preempted more often; inf: no limit."""
    weighed: bool = True
    """Whether there are rules at all. False: policies that preempt follow their papers, whatever
    is lost, and no other policy preempts."""

    @property
    def urgent(self) -> bool:
        """Whether jobs may preempt under policies that do not preempt."""
        return self.weighed and self.mode is not PreemptionMode.OFF

    def __post_init__(self) -> None:
        for name in ("min_runtime_s", "max_per_job"):
            if not getattr(self, name) >= 0:
                raise InputError(
                    f"{name} is {getattr(self, name)}", {name: "a number of at least 0"}
                )


OFF = PreemptionRules()
"""Only policies that preempt by themselves do, by the rules."""
AS_PUBLISHED = PreemptionRules(weighed=False)
"""No rules."""


@dataclass(frozen=True, slots=True)
class JobProgress:
    """What is known of a job that has run."""

    remaining_s: float
    """Estimated seconds left on the placement that needs fewest, without a restart. It counts from
    the work done so far, which a preempted attempt saves in its grace period."""
    width: int = 1
    """Devices of the placement that needs fewest seconds for the whole job."""
    service_s: float = 0.0
    """Device-seconds of its attempts so far, restarts included."""
    restart_s: float = 0.0
    """Estimated seconds that its next attempt spends on its restart before it works."""
    preemptions: int = 0
    """How often it was preempted."""
    can_resume: bool = True
    """Whether a further attempt goes on from the last checkpoint."""


@dataclass(frozen=True, slots=True)
class RunningJob:
    """A job that holds devices, as decisions see it; it has no true runtime."""

    job: Waiting
    """What it would be in the queue if it were preempted now: its placements with estimates of what
    is left, restart included."""
    progress: JobProgress
    placed_at: float
    """Unix seconds: when its attempt got its devices."""
    begun_at: float
    """Unix seconds: when useful work began, or is expected to begin."""
    saved_at: float
    """Unix seconds: last checkpoint of the attempt; `begun_at` if there is none."""
    stopping: bool = False
    """Whether its attempt is being stopped already."""
    preemptor: int = 0
    """The job that it is being stopped for; 0: none."""


@dataclass(frozen=True, slots=True)
class Preemption:
    """A running attempt shall be stopped so that another job gets its devices."""

    victim: int
    """The job whose attempt is stopped. It is queued again."""
    preemptor: int
    """The job that gets devices; the victim itself if it moves."""
    reason: PreemptionReason
    gained_s: float
    """Seconds by which the preemptor ends sooner, weighed by priority: 50 counts once."""
    lost_s: float
    """Seconds of the victim that are lost: work since its last checkpoint and the restart, weighed
    alike."""
