"""Jobs as interfaces submit and change them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scheduler.clock import Clock
from scheduler.domain.errors import IllegalTransitionError
from scheduler.domain.jobs import Job, JobSpec
from scheduler.service.dispatch.messages import Cancel, Preempt, Request, Update, confirm
from scheduler.service.dispatch.submissions import Submissions
from scheduler.service.jobs.admission import Admission
from scheduler.service.jobs.repetition import repeated
from scheduler.service.projects.quotas import Quotas
from scheduler.service.projects.secrets import SecretVault
from scheduler.store.base import Store, Submission


@dataclass(frozen=True, slots=True)
class JobControl:
    """Submits, repeats, changes and cancels jobs. Thread-safe."""

    store: Store
    admission: Admission
    secrets: SecretVault
    quotas: Quotas
    submissions: Submissions
    clock: Clock
    post: Callable[[Request], None]
    """Takes a request whose answer is set later; see `Service.post`."""

    def submit(
        self,
        specs: Sequence[JobSpec],
        *,
        actor: str,
        key: str | None = None,
        digest: str = "",
        eligible_at: float = 0.0,
    ) -> tuple[list[Job], bool]:
        """Store jobs, all or none; they are durable on return.

        They wait until `eligible_at` (Unix seconds). Inside one submission `-k` in `after` and in
        the references of the work means its k-th job. `key` is the idempotency key: the same with
        the same `digest` returns the jobs of the first time. Returns the jobs, and whether they
        are those of an earlier submission. Raises `InputError`, `InfeasibleError`, `QuotaError`,
        `OutageError`, and `StateError` for the key of another request.
        """
        for position, spec in enumerate(specs):
            prefix = f"jobs[{position}]." if len(specs) > 1 else ""
            self.admission.check(spec, prefix)
            self.secrets.check(spec.project, spec.secrets, prefix)
        now = self.clock.now()
        return self._store(
            Submission(specs, now, actor, key=key, digest=digest, eligible_at=eligible_at)
        )

    def retry(
        self,
        job_id: int,
        *,
        actor: str,
        from_scratch: bool = False,
        key: str | None = None,
        digest: str = "",
    ) -> tuple[Job, bool]:
        """Submit an ended job once more, as a new job; returns and raises as `submit`.

        It goes on from the old job's checkpoints unless `from_scratch`; see `repeated`. Raises
        `IllegalTransitionError` for a live job, `StateError` if the checkpoints are gone.
        """
        job = self.store.job(job_id)
        if not job.state.final:
            raise IllegalTransitionError(
                f"job {job.id} is {job.state}",
                {"state": "only a job that has ended can be run again"},
            )
        spec, progress = repeated(job, self.admission.retention, from_scratch=from_scratch)
        self.admission.check(spec)
        now = self.clock.now()
        jobs, replayed = self._store(
            Submission(
                [spec], now, actor, key=key, digest=digest, retry_of=job.id, progress=progress
            )
        )
        return jobs[0], replayed

    def cancel(self, job_id: int, *, actor: str, reason: str = "") -> Job:
        """Stop a job; raises `MissingError`, or `IllegalTransitionError` if it has ended.

        `OutageError` if it is not confirmed in time; it may take effect later.
        """
        return self._ask(Cancel(job_id, actor, reason))

    def preempt(self, job_id: int, *, actor: str, reason: str = "") -> Job:
        """Let a running job save its work, free its devices and queue again with its progress.

        Raises `MissingError`, `IllegalTransitionError` unless it runs, `StateError` if it could
        not go on from what it saved; `OutageError` as `cancel`.
        """
        return self._ask(Preempt(job_id, actor, reason))

    def update(self, job_id: int, changes: Mapping[str, Any], *, actor: str) -> Job:
        """Change `CHANGEABLE` fields of a waiting job, from the next round on.

        Raises `MissingError`, or `IllegalTransitionError` if it does not wait; `OutageError`
        as `cancel`.
        """
        return self._ask(Update(job_id, changes, actor))

    def _store(self, submission: Submission) -> tuple[list[Job], bool]:
        with self.quotas.admitting(submission.specs, submission.now):
            return self.submissions.submit(submission)

    def _ask(self, request: Request) -> Job:
        self.post(request)
        confirm(request.answer, f"the change of job {request.job}")
        return self.store.job(request.job)
