"""The rule of preemption: what a stop costs, what it gains, and when it is allowed.

Gain and loss are weighed seconds of jobs, as in the sum of weighed completion times (Smith,
"Various optimizers for single-stage production", Naval Research Logistics Quarterly 3, 1956): a
second of a job counts as its priority ÷ 50. All times are estimates.
"""

from __future__ import annotations

from collections.abc import Iterable

from scheduler.decisions.state.preemption import (
    Preemption,
    PreemptionReason,
    PreemptionRules,
    RunningJob,
)
from scheduler.decisions.state.world import Waiting
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


def stoppable(victim: RunningJob, now: float, rules: PreemptionRules, starvation_s: float) -> bool:
    """Whether the attempt may be stopped at all.

    It must be able to resume, have worked for the minimum runtime, not have been preempted too
    often, and not be stopping already. A job that has starved is not preempted: it would wait
    again.
    """
    return (
        victim.progress.can_resume
        and not victim.stopping
        and victim.progress.preemptions < rules.max_per_job
        and max(0.0, now - victim.begun_at) >= rules.min_runtime_s
        and now - victim.job.submitted_at <= starvation_s
    )


def may_displace(job: Waiting, victim: RunningJob, reason: PreemptionReason) -> bool:
    """Whether the job is urgent enough: never if the victim has a higher priority."""
    if reason is PreemptionReason.PRIORITY:
        return job.priority > victim.job.priority
    return job.priority >= victim.job.priority


def worth(gained: float, victims: Iterable[RunningJob], now: float) -> bool:
    """Whether the gain exceeds what all the victims lose."""
    return gained > sum(lost_s(victim, now) for victim in victims)


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
