"""What the compiled clock can play, and why it cannot play the rest."""

from __future__ import annotations

from itertools import pairwise

from envs.clock.kernel.estimates import FIXED, HISTORY, TSAFRIR
from envs.workloads.base import Workload
from envs.workloads.runtime_estimates import (
    Exact,
    Noisy,
    Requested,
    RuntimeEstimator,
    RuntimeHistory,
    Tsafrir,
)
from scheduler.domain.errors import InputError

_CODES = {
    Exact: FIXED,
    Noisy: FIXED,
    Requested: FIXED,
    Tsafrir: TSAFRIR,
    RuntimeHistory: HISTORY,
}


def reason_against(workload: Workload, estimator: RuntimeEstimator) -> str:
    """Why the compiled clock cannot play a workload with these estimates; "" if it can."""
    if type(estimator) not in _CODES:
        return f"it does not know the estimator {type(estimator).__name__}"
    if any(one.id >= two.id for one, two in pairwise(workload.jobs)):
        return "the ids of the jobs do not ascend"
    if any(job.id < 1 for job in workload.jobs):
        return "a job's id is below 1"
    return ""


def check(workload: Workload, estimator: RuntimeEstimator) -> None:
    """Raise `InputError` if the compiled clock cannot play a workload with these estimates."""
    reason = reason_against(workload, estimator)
    if reason:
        raise InputError(
            f"the compiled clock cannot play {workload.name}: {reason}",
            {"clock": "simpy plays everything"},
        )


def estimator_code(estimator: RuntimeEstimator) -> int:
    """What compiled functions call an estimator. Raises `KeyError` for one that they lack."""
    return _CODES[type(estimator)]
