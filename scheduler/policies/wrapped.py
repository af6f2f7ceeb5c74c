"""A policy around another one, whose traits it has."""

from __future__ import annotations

from collections.abc import Sequence

from scheduler.decisions.preemption.ranking import Ranking
from scheduler.decisions.rounds.criteria import Criterion
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.policy import Comment, Policy, traits
from scheduler.decisions.rounds.scorer import Scorer


class Wrapped:
    """Has the name, mode and other traits of the policy inside, save scores, costs and reasons."""

    __slots__ = ()

    policy: Policy

    @property
    def name(self) -> str:
        """The inner policy's."""
        return self.policy.name

    @property
    def stable(self) -> bool:
        """The inner policy's."""
        return self.policy.stable

    @property
    def mode(self) -> Mode | None:
        """The mode that the inner policy was made for, if any."""
        return traits(self.policy).mode

    @property
    def heeds_urgency(self) -> bool:
        """Whether the inner policy heeds urgency."""
        return traits(self.policy).heeds_urgency

    @property
    def comment(self) -> Comment | None:
        """The inner policy's, if it has one."""
        return traits(self.policy).comment

    @property
    def criteria(self) -> Sequence[Criterion]:
        """What the inner policy's order looks at."""
        return traits(self.policy).criteria

    @property
    def scorer(self) -> Scorer | None:
        """The inner policy's, if it has one."""
        return traits(self.policy).scorer

    @property
    def lease_s(self) -> float:
        """Seconds after which the inner policy may move a running job."""
        return traits(self.policy).lease_s

    @property
    def ranking(self) -> Ranking | None:
        """The inner policy's order of all jobs, if it preempts."""
        return traits(self.policy).ranking
