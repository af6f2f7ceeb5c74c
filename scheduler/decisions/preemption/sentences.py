"""A preemption in words."""

from __future__ import annotations

from scheduler.decisions.state.preemption import Preemption, PreemptionReason
from scheduler.domain.units import duration

_WHY = {
    PreemptionReason.POLICY: "the policy ranks it first",
    PreemptionReason.DEADLINE: "it meets its deadline only this way",
    PreemptionReason.PRIORITY: "its priority is higher",
    PreemptionReason.STARVATION: "it has waited too long",
}


def explained(preemption: Preemption) -> str:
    """One sentence: who displaced whom, why, and what is gained and lost."""
    if preemption.reason is PreemptionReason.MOVE:
        return (
            f"job {preemption.victim} moves: the policy prefers another placement for what is left "
            f"of it; it loses at most {duration(preemption.lost_s)}, weighed by priority"
        )
    return (
        f"job {preemption.preemptor} takes the devices of job {preemption.victim}: "
        f"{_WHY[preemption.reason]}; weighed by priority, it gains about "
        f"{duration(preemption.gained_s)} and job {preemption.victim} loses at most "
        f"{duration(preemption.lost_s)}"
    )
