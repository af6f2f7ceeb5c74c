"""What a policy around another one says of itself: what the other one says."""

from __future__ import annotations

from scheduler.decisions.rounds.policy import Policy
from scheduler.decisions.rounds.round import Mode


class Wrapped:
    """Passes on all that `Policy` may say beside scores, costs and reasons."""

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
        own: Mode | None = getattr(self.policy, "mode", None)
        return own

    @property
    def heeds_urgency(self) -> bool:
        """Whether the inner policy heeds urgency."""
        return getattr(self.policy, "heeds_urgency", False)
