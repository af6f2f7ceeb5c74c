"""NAME+moves: the policy NAME, which may also stop running jobs and move them between pools.

A job that has worked for a lease stands in the queue again with what is left of it, and NAME
decides where it goes on, or that another job takes its place (`scheduler.decisions.preemption.
leases`). With an index of weight per device-second and a price of places, as `wgc` has, this is the
preemptive form of the same rule: estimates that were wrong, and places that were the best ones
free, are mended while jobs run.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

from scheduler.arrays import Floats
from scheduler.decisions.rounds.candidates import Candidates
from scheduler.decisions.rounds.policy import Policy, Reasons, preempts_itself, traits
from scheduler.domain.errors import InputError
from scheduler.policies.search import SearchedPolicy
from scheduler.policies.wrapped import Wrapped

SUFFIX = "+moves"
LEASE_S = 360.0
"""Length of a lease; that of Gavel's rounds."""


@dataclass(frozen=True, slots=True)
class MovingPolicy(Wrapped):
    """A policy that moves jobs.

    Raises `InputError` for a policy that preempts already or searches, and for a lease that is not
    above 0.
    """

    policy: Policy
    lease_s: float = LEASE_S

    def __post_init__(self) -> None:
        if preempts_itself(self.policy):
            raise InputError(
                f"policy {self.policy.name!r} preempts already",
                {"policy": f"one that does not preempt before {SUFFIX}"},
            )
        if isinstance(self.policy, SearchedPolicy):
            raise InputError(
                f"policy {self.policy.name!r} searches, and its play-outs foresee no moves",
                {"policy": f"{self.policy.policy.name}{SUFFIX} or {self.policy.name}"},
            )
        if not (isfinite(self.lease_s) and self.lease_s > 0):
            raise InputError(f"a lease of {self.lease_s} s", {"lease_s": "seconds > 0"})

    @property
    def name(self) -> str:
        """The inner policy's, and what is added."""
        return self.policy.name + SUFFIX

    @property
    def reasons(self) -> Reasons | None:
        """The inner policy's, if it has any."""
        return traits(self.policy).reasons

    def scores(self, table: Candidates) -> Floats:
        """(n,) The inner policy's scores."""
        return self.policy.scores(table)

    def costs(self, table: Candidates) -> Floats:
        """(n,) The inner policy's costs."""
        return self.policy.costs(table)
