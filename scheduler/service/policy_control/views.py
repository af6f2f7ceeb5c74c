"""The active policy and the preferences, as people see them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from scheduler.service.policy_control.replay_evaluation import ReplayEvaluation
from scheduler.service.policy_control.shadow import ShadowView


@dataclass(frozen=True, slots=True)
class ActivePolicyView:
    """The policy that decides now."""

    name: str
    mode: str
    """The `rounds.modes.Mode` in force: the one the policy was made for, else the cluster's."""
    preference: float
    """For jobs that name none, unless their project has one: 0 cheapest … 1 fastest."""
    fallbacks: int = 0
    """Decisions the guard took over since the policy was set, and explanations it did not get."""
    faults: Mapping[str, int] = field(default_factory=dict)
    """The same by reason: `failed`, `infeasible`, `nan`, `slow`, `idle`."""
    nominee: str = ""
    """The candidate that the settings or a person want; another decides if it is better here."""
    fit: ReplayEvaluation | None = None
    """The last replay of the candidate and the baseline."""
    shadow: ShadowView | None = None
    preempts: bool = False
    """Whether the policy preempts by itself; it then reserves nothing, whatever the mode."""


@dataclass(frozen=True, slots=True)
class Preferences:
    """How much speed is worth to jobs that do not say: 0 cheapest … 1 fastest."""

    cluster: float
    projects: Mapping[str, float]
    """Preferences of the projects that have one."""
