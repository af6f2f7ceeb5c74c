"""What a policy that searches counts in a comparison: what the scenario's objective counts."""

from __future__ import annotations

from dataclasses import replace

from envs.gym.episodes import scales_of
from envs.scenarios import Scenario
from scheduler.decisions.rounds.policy import Policy
from scheduler.decisions.search.settings import PlayoutObjective
from scheduler.policies.search import SearchedPolicy


def counting(policy: Policy, drawn: Scenario) -> Policy:
    """The policy; if it searches, a new one that counts the objective of this scenario."""
    if not isinstance(policy, SearchedPolicy) or drawn.objective is None:
        return policy
    scales = scales_of(drawn.objective)
    objective = PlayoutObjective(
        seconds=0.0 if scales.bounded else 1.0 / scales.latency_s,
        slowdown=1.0 / scales.slowdown if scales.bounded else 0.0,
        dollars=1.0 / scales.dollars,
        miss=scales.miss,
        preference=drawn.preference,
    )
    return replace(policy, objective=objective)
