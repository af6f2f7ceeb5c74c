"""What the compiled clock can play, and why it cannot play the rest."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from envs.clock.kernel.estimates import FIXED, HISTORY, LEARNED, TSAFRIR
from envs.simulator.cluster_spec import ClusterSpec
from envs.workloads.base import Workload
from envs.workloads.runtime_estimates import (
    Exact,
    Learned,
    Noisy,
    Requested,
    RuntimeEstimator,
    RuntimeHistory,
    Tsafrir,
)
from scheduler.decisions.rounds.policy import Policy, preempts_itself
from scheduler.domain.errors import InputError

_CODES: Mapping[type[RuntimeEstimator], int] = {
    Exact: FIXED,
    Noisy: FIXED,
    Requested: FIXED,
    Tsafrir: TSAFRIR,
    RuntimeHistory: HISTORY,
    Learned: LEARNED,
}


def reason_against(
    workload: Workload,
    spec: ClusterSpec,
    estimator: RuntimeEstimator,
    policy: Policy | None = None,
) -> str:
    """Why the compiled clock cannot play a workload under a policy; "" if it can.

    `policy`: None for a caller that decides by itself, in rounds.
    """
    if spec.preemption.urgent or spec.sharing is not None:
        sharing = "projects take turns"
        return "urgent jobs may preempt others" if spec.preemption.urgent else sharing
    if policy is not None and preempts(policy):
        return preempts(policy)
    if type(estimator) not in _CODES:
        return f"it does not know the estimator {type(estimator).__name__}"
    if any(one.id >= two.id for one, two in pairwise(workload.jobs)):
        return "the ids of the jobs do not ascend"
    if any(job.id < 1 for job in workload.jobs):
        return "a job's id is below 1"
    return ""


def preempts(policy: Policy) -> str:
    """Why the compiled clock cannot play any workload under a policy; "" if it can."""
    return f"the policy {policy.name} preempts" if preempts_itself(policy) else ""


def require(workload: Workload, reason: str) -> None:
    """Raise `InputError` if there is a reason against a workload."""
    if reason:
        raise InputError(
            f"the compiled clock cannot play {workload.name}: {reason}",
            {"clock": "simpy plays everything"},
        )


def estimator_code(estimator: RuntimeEstimator) -> int:
    """What compiled functions call an estimator. Raises `KeyError` for one that they lack."""
    return _CODES[type(estimator)]
