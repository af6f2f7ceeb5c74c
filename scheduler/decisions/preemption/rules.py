"""The rule of preemption: what a stop costs, what it gains, and when it is allowed.

Gain and loss are weighed seconds of jobs, as in the sum of weighed completion times (Smith,
"Various optimizers for single-stage production", Naval Research Logistics Quarterly 3, 1956): a
second of a job counts as its priority ÷ 50. All times are estimates.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from scheduler.decisions.preemption.obstacles import Obstacle, ObstacleKind
from scheduler.decisions.state.entries import Waiting
from scheduler.decisions.state.preemption import (
    Preemption,
    PreemptionReason,
    PreemptionRules,
    RunningJob,
)
from scheduler.domain.jobs import MIDDLE_PRIORITY

FAR_S = 365 * 86400.0
"""An end that no estimate can name counts as this far away."""


def weight(job: Waiting) -> float:
    """What a second of the job counts."""
    return max(job.priority, 1.0) / MIDDLE_PRIORITY


def gained_s(job: Waiting, otherwise: float, end: float) -> float:
    """Weighed seconds by which the job ends sooner, at `end`, than `otherwise` (Unix s)."""
    return weight(job) * min(FAR_S, max(0.0, otherwise - end))


def lost_s(victim: RunningJob, now: float) -> float:
    """Weighed seconds that a stop loses: the work since the last checkpoint, and the restart."""
    unsaved = max(0.0, now - max(victim.saved_at, victim.begun_at))
    return weight(victim.job) * (unsaved + victim.progress.restart_s)


def unstoppable(
    victim: RunningJob, now: float, rules: PreemptionRules, starvation_s: float
) -> Obstacle | None:
    """Why the attempt may not be stopped at all; None if it may.

    It must be able to resume, have worked for the minimum runtime, not have been preempted too
    often, and not be stopping already. A job that has starved is not preempted: it would wait
    again.
    """
    jobs, state = (victim.job.id,), victim.progress
    if not state.can_resume:
        return Obstacle(ObstacleKind.CANNOT_RESUME, jobs)
    if victim.stopping:
        return Obstacle(ObstacleKind.STOPPING, jobs)
    if state.preemptions >= rules.max_per_job:
        return Obstacle(ObstacleKind.MAX_PER_JOB, jobs, state.preemptions, rules.max_per_job)
    worked = max(0.0, now - victim.begun_at)
    if worked < rules.min_runtime_s:
        return Obstacle(ObstacleKind.MIN_RUNTIME, jobs, worked, rules.min_runtime_s)
    if now - victim.job.submitted_at > starvation_s:
        return Obstacle(ObstacleKind.STARVED, jobs)
    return None


def as_urgent(job: Waiting, victim: RunningJob, reason: PreemptionReason) -> Obstacle | None:
    """Why the job is not urgent enough to displace the victim; None if it is.

    It never is if the victim has a higher priority.
    """
    above = job.priority > victim.job.priority
    if above or (job.priority == victim.job.priority and reason is not PreemptionReason.PRIORITY):
        return None
    figures = victim.job.priority, job.priority
    return Obstacle(ObstacleKind.PRIORITY, (victim.job.id,), *figures)


def unworthy(gained: float, victims: Sequence[RunningJob], now: float) -> Obstacle | None:
    """Why the gain is too small: it does not exceed what all the victims lose; None if it does."""
    lost = sum(lost_s(victim, now) for victim in victims)
    if gained > lost:
        return None
    return Obstacle(ObstacleKind.GAIN, tuple(each.job.id for each in victims), gained, lost)


def preemptions(
    job: Waiting,
    victims: Iterable[RunningJob],
    reason: PreemptionReason,
    gained: float,
    now: float,
) -> list[Preemption]:
    """The decision as values, one for each victim."""
    return [
        Preemption(victim.job.id, job.id, reason, gained, lost_s(victim, now)) for victim in victims
    ]
