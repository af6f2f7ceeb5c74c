"""Calls for work on policies, which the cluster does as jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from api.client import files
from api.client.job import JobHandle, JobRef, number
from api.client.policies import policy_path
from api.client.transport import Transport, new_key

if TYPE_CHECKING:
    from api.schemas import PolicyJobDetail, PolicyJobOut


CHECKED_S = 300.0
"""Seconds for an answer: the service checks such a request in another process first."""


class PolicyJobFields(TypedDict, total=False):
    """What every request for such work may say."""

    scenario: str
    """A scenario's name, or a `.toml` file."""
    job: Mapping[str, Any]
    """Fields of the job: width (processors), priority, project and so on."""


class LearningFields(PolicyJobFields, total=False):
    """What trainings and searches for hyper-parameters have in common."""

    steps: int
    algo: str
    """`ppo`, `ars`, `cmaes` or `search`."""
    seed: int
    preference: float | str | None
    """0 cheapest … 1 fastest; None: drawn for each episode."""
    options: Mapping[str, Any]
    """Any other hyper-parameters by name."""


class TrainingFields(LearningFields, total=False):
    """What a training may say."""

    from_history: bool
    """Train on this cluster's jobs, and promote the policy if it passes the test."""
    since: float | str
    workloads: int
    every: str
    """Train again after this time, such as `1d`: the next job waits for its time."""


class StudyFields(LearningFields, total=False):
    """What a search for hyper-parameters may say."""

    trials: int


class TuningFields(PolicyJobFields, total=False):
    """What a search for constants of wgc may say."""

    trials: int
    workloads: int
    jobs: int
    preferences: Sequence[float | str]
    seed: int


class PromotionFields(PolicyJobFields, total=False):
    """What a promotion may say."""

    use: bool
    """Let the policy decide from then on, if it is promoted."""
    workloads: int
    jobs: int
    margin: float
    force: bool


class PolicyJobCalls:
    """The part of `Client` that trains, tunes and promotes.

    Each call returns the job that does the work; `policy_job` tells what it found. What the command
    line refuses is refused with the same sentence. `key` is the idempotency key of the request.
    """

    _transport: Transport

    def train_policy(
        self, name: str, *, key: str | None = None, **fields: Unpack[TrainingFields]
    ) -> JobHandle:
        """Train a policy, which is registered as `learned:NAME`.

        Raises `InvalidError`, `NotFoundError` (no such scenario), `ConflictError` (the name of a
        shipped policy), `UnauthorizedError`.
        """
        return self._begun("/v1/policies/trainings", {"name": name, **fields}, key)

    def tune_hyperparameters(
        self, name: str, *, key: str | None = None, **fields: Unpack[StudyFields]
    ) -> JobHandle:
        """Search hyper-parameters of trainings; `best.json` among the job's files has the best.

        Raises as `train_policy`.
        """
        return self._begun("/v1/policies/studies", {"name": name, **fields}, key)

    def tune_heuristic(
        self, name: str, *, key: str | None = None, **fields: Unpack[TuningFields]
    ) -> JobHandle:
        """Tune the constants of wgc for a scenario; `NAME.toml` among the job's files has them.

        `import_policy` registers that file. Raises as `train_policy`.
        """
        return self._begun("/v1/policies/tunings", {"name": name, **fields}, key)

    def promote_policy(
        self, name: str, *, key: str | None = None, **fields: Unpack[PromotionFields]
    ) -> JobHandle:
        """Test a registered policy, and make it the incumbent if it passes.

        The job fails with exit code 4 if the promotion is refused; `policy_job(job).test` has the
        figures. Raises `ConflictError` (it is the incumbent already), and as `train_policy`.
        """
        return self._begun(f"{policy_path(name)}:promote", fields, key)

    def policy_jobs(self, task: str | None = None, *, limit: int = 100) -> tuple[PolicyJobOut, ...]:
        """Jobs that work on policies, newest first.

        `task`: `training`, `study`, `tuning` or `promotion`; None: all.
        """
        from api.schemas import PolicyJobsOut

        answer = self._transport.get("/v1/policies/jobs", task=task, limit=limit)
        return PolicyJobsOut.model_validate(answer).jobs

    def policy_job(self, job: JobRef) -> PolicyJobDetail:
        """How such a job goes: progress, the last validation, the verdict of a test.

        Raises `NotFoundError` for any other job.
        """
        from api.schemas import PolicyJobDetail

        path = f"/v1/policies/jobs/{number(self._transport, job)}"
        return PolicyJobDetail.model_validate(self._transport.get(path))

    def _begun(self, path: str, fields: Mapping[str, Any], key: str | None) -> JobHandle:
        from api.schemas import JobOut

        body = dict(fields)
        if str(body.get("scenario", "")).endswith(".toml"):
            body["scenario"] = str(files.here() / body["scenario"])
        answer = self._transport.json(
            "POST", path, json=body, key=key or new_key(), timeout=CHECKED_S
        )
        return JobHandle(self._transport, JobOut.model_validate(answer))
