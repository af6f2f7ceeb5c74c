"""The client: everything the service offers, from Python."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from api.client import files
from api.client.cluster import ClusterCalls
from api.client.connection import find
from api.client.job import JobHandle, JobRef, events, found, number
from api.client.policies import PolicyCalls
from api.client.policy_jobs import PolicyJobCalls
from api.client.runs.comparison import RunComparison, compared
from api.client.sharing.projects import ProjectCalls
from api.client.sharing.secrets import SecretCalls
from api.client.sweeps.calls import SweepCalls
from api.client.transport import Transport, instant, new_key, without_none
from scheduler.domain.units import counted

if TYPE_CHECKING:
    import httpx

    from api.schemas import (
        CancelledOut,
        EventOut,
        NotificationsOut,
        OutlookOut,
        ProblemOut,
        PruneOut,
    )

JobSource = Mapping[str, Any] | str | Path
"""A job as a mapping, or a job file."""
BatchSource = Iterable[Mapping[str, Any]] | Mapping[str, Any] | str | Path
"""Several jobs, or a job file or its content."""


class Client(ClusterCalls, PolicyCalls, PolicyJobCalls, ProjectCalls, SecretCalls, SweepCalls):
    """A connection to one service; safe to share between threads.

    Without arguments it finds the service and the token by itself: $FULCRUM_URL and
    $FULCRUM_TOKEN, else what `fulcrum serve` left in the data folder. Fields of jobs are those
    of a job file (docs/job.schema.json); a `JobHandle` or a job's name may stand wherever a job's
    number may.
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        data_dir: str | Path | None = None,
        timeout: float = 30.0,
        patience: float = 15.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """`timeout`: seconds for one answer; `patience`: for a restarting service to return."""
        self.connection = find(url, token, data_dir)
        self._transport = Transport(
            self.connection, timeout=timeout, patience=patience, transport=transport
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def submit(
        self, job: JobSource | None = None, *, key: str | None = None, **fields: Any
    ) -> JobHandle:
        """Submit one job: a mapping, a job file with one job, or its fields.

        A repeated request never makes a second job: `key` (made up if not given) is the
        idempotency key. A deadline that cannot be met is in the job's `warnings`. Raises
        `InvalidError` naming each wrong field, `ConflictError` if the key was used for another
        job.
        """
        body = _single(job, fields)
        for name, call in (("sweep", "submit_sweep"), ("array", "submit_batch")):
            if body.get(name):
                raise files.FileError(f"`{name}` makes several jobs; use {call}", name)
        answer = self._transport.json("POST", "/v1/jobs", json=body, key=key or new_key())
        return self._submitted(answer)

    def submit_batch(
        self,
        jobs: BatchSource,
        *,
        key: str | None = None,
    ) -> list[JobHandle]:
        """Submit several jobs, or a job file or its content, together: all or none.

        A job may name another one of the batch in `after`, `work.models` and `work.weights`. One
        with `array` becomes a job of each index.
        """
        answer = self._transport.json(
            "POST", "/v1/jobs:batch", json={"jobs": _several_jobs(jobs)}, key=key or new_key()
        )
        return [self._submitted(item) for item in answer["jobs"]]

    def train(self, *, key: str | None = None, **fields: Any) -> JobHandle:
        """Submit a training: fields of the job and of its work side by side."""
        return self.submit(gathered("cnn-train", fields), key=key)

    def infer(self, *, key: str | None = None, **fields: Any) -> JobHandle:
        """Submit an inference: fields of the job and of its work side by side."""
        return self.submit(gathered("cnn-infer", fields), key=key)

    def run(self, *argv: str, key: str | None = None, **fields: Any) -> JobHandle:
        """Submit a program with its arguments: `client.run("python", "script.py", width=2)`."""
        return self.submit(gathered("command", {**fields, "argv": list(argv)}), key=key)

    def plan(self, job: JobSource | None = None, **fields: Any) -> tuple[OutlookOut, ...]:
        """What would happen to a job for fast, balanced and cheap; nothing is submitted."""
        from api.schemas import PlanOut

        answer = self._transport.json("POST", "/v1/jobs/plan", json=_single(job, fields), safe=True)
        return PlanOut.model_validate(answer).outlooks

    def plan_batch(self, jobs: BatchSource) -> tuple[tuple[OutlookOut, ...], ...]:
        """What would happen to each of several jobs if it were the only one; as `plan`."""
        from api.schemas import PlansOut

        body = {"jobs": _several_jobs(jobs)}
        answer = self._transport.json("POST", "/v1/jobs:plan", json=body, safe=True, timeout=300)
        return tuple(plan.outlooks for plan in PlansOut.model_validate(answer).plans)

    def job(self, job: JobRef) -> JobHandle:
        """A job by its number or name, read now; a text of digits is a number.

        A name means your live job of that name; if none is live, your newest that has ended; then
        those of others alike. Raises `NotFoundError`, and `ConflictError` if several are live.
        """
        return self._job(found(self._transport, job), detail=True)

    def jobs(
        self,
        *,
        state: str | Sequence[str] = (),
        kind: str | Sequence[str] = (),
        user: str | None = None,
        project: str | None = None,
        name: str | None = None,
        array: JobHandle | int | None = None,
        sweep: int | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
    ) -> Iterator[JobHandle]:
        """Jobs that match, newest first; pages are fetched as they are needed.

        `name` is a part of the name, `array` the first job of an array; `since` and `until` bound
        the submission.
        """
        filters = _filters(
            state=state,
            kind=kind,
            user=user,
            project=project,
            name=name,
            array=_plain(array),
            sweep=sweep,
            since=since,
            until=until,
        )
        return itertools.islice(self._pages(filters, limit), limit)

    def count(self, **filters: Any) -> int:
        """How many jobs match; filters as for `jobs`."""
        answer = self._transport.get("/v1/jobs", **_filters(**filters), limit=1, count="true")
        return int(answer["total"])

    def cancel_jobs(
        self,
        jobs: Iterable[JobRef] = (),
        *,
        state: str | Sequence[str] = (),
        kind: str | Sequence[str] = (),
        user: str | None = None,
        project: str | None = None,
        name: str | None = None,
        array: JobHandle | int | None = None,
        everything: bool = False,
        reason: str = "",
        dry_run: bool = False,
    ) -> CancelledOut:
        """Stop all live jobs to which all that is named applies; those that wait first.

        `everything` must be true if nothing else is named; `dry_run` only tells which ones.
        Without `user`, yours; admins: everybody's. Raises `InvalidError`, `UnauthorizedError`.
        """
        from api.schemas import CancelledOut

        wanted = {
            "ids": [number(self._transport, job) for job in jobs],
            "state": _several(state),
            "kind": _several(kind),
            "user": user,
            "project": project,
            "name": name,
            "array": _plain(array),
            "everything": everything,
            "reason": reason,
            "dry_run": dry_run,
        }
        body = {key: value for key, value in wanted.items() if value}
        # Cancelling once more changes nothing, so a lost answer is asked for again.
        answer = self._transport.json("POST", "/v1/jobs:cancel", json=body, safe=True, timeout=300)
        return CancelledOut.model_validate(answer)

    def wait(
        self, jobs: Iterable[JobHandle], timeout: float | None = None, *, check: bool = False
    ) -> list[JobHandle]:
        """Wait until all have ended; `timeout` (s) holds for all together. See `JobHandle.wait`."""
        end = None if timeout is None else time.monotonic() + timeout
        waited = list(jobs)
        for job in waited:
            left = None if end is None else max(0.0, end - time.monotonic())
            job.wait(left, check=check)
        return waited

    def prune(
        self,
        *,
        what: Sequence[str] = ("logs", "checkpoints", "artifacts"),
        older_than: float | str | None = None,
        keep_bytes: int | str | None = None,
        dry_run: bool = False,
    ) -> PruneOut:
        """Remove files of jobs that ended before `older_than` (seconds, or `30d`).

        `keep_bytes` (or `50GiB`): the oldest go until so much is left of these kinds together. At
        least one of both is needed. Raises `InvalidError`, `UnauthorizedError`.
        """
        from api.schemas import PruneOut

        limits = without_none({"older_than": older_than, "keep_bytes": keep_bytes})
        body = {"what": list(what), **limits, "dry_run": dry_run}
        answers: list[PruneOut] = []
        while not answers or answers[-1].more:
            found = self._transport.json("POST", "/v1/prune", json=body, safe=True)
            answers.append(PruneOut.model_validate(found))
            if not answers[-1].count:  # what is left cannot be removed
                break
        return PruneOut(
            dry_run=dry_run,
            bytes=sum(one.bytes for one in answers),
            count=sum(one.count for one in answers),
            items=tuple(item for one in answers for item in one.items),
            failed=tuple(dict.fromkeys(text for one in answers for text in one.failed)),
            more=answers[-1].more,
        )

    def notifications(self) -> NotificationsOut:
        """Notifications that have not arrived yet. Raises `UnauthorizedError`: for admins."""
        from api.schemas import NotificationsOut

        return NotificationsOut.model_validate(self._transport.get("/v1/notifications"))

    def events(self, after: int = 0) -> Iterator[EventOut]:
        """What happened to any job, oldest first, behind event number `after`."""
        return events(self._transport, "/v1/events", after)

    def compare_runs(self, jobs: Iterable[JobHandle | int | str]) -> RunComparison:
        """Trainings side by side: what differs, accuracy, time, cost and curves, read now.

        Raises `NotFoundError`.
        """
        handles = (job if isinstance(job, JobHandle) else self.job(job) for job in jobs)
        return compared(handles)

    def health(self) -> str:
        """What the service's clock says (HTTP date); raises unless it answers. Needs no token."""
        return str(self._transport.request("GET", "/healthz").headers.get("Date", ""))

    def ready(self) -> tuple[ProblemOut, ...]:
        """What is not well although jobs are accepted and started.

        Raises `UnavailableError` if they are not; its `fields` name each reason.
        """
        from api.schemas import HealthOut

        answer = self._transport.request("GET", "/readyz", safe=False).json()
        return HealthOut.model_validate(answer).problems

    def _body(self, job: JobSource | None, fields: Mapping[str, Any]) -> Any:
        return _single(job, fields)

    def _pages(self, filters: Mapping[str, Any], limit: int | None) -> Iterator[JobHandle]:
        cursor = None
        size = 200 if limit is None else max(1, min(200, limit))
        while True:
            page = self._transport.get("/v1/jobs", **filters, limit=size, cursor=cursor)
            yield from map(self._job, page["jobs"])
            cursor = page["next_cursor"]
            if cursor is None:
                return

    def _submitted(self, answer: Any) -> JobHandle:
        from api.schemas import SubmittedOut

        return JobHandle(self._transport, SubmittedOut.model_validate(answer))

    def _job(self, answer: Any, *, detail: bool = False) -> JobHandle:
        from api.schemas import JobDetail, JobOut

        model = JobDetail if detail else JobOut
        return JobHandle(self._transport, model.model_validate(answer))


def gathered(kind: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Flat fields as a job: those of every job on top, the others in its work."""
    from api.schemas import JobCommon

    common = {name: value for name, value in fields.items() if name in JobCommon.model_fields}
    work = {name: value for name, value in fields.items() if name not in common}
    return {"kind": kind, **common, "work": work}


def _filters(
    *,
    state: str | Sequence[str] = (),
    kind: str | Sequence[str] = (),
    since: datetime | None = None,
    until: datetime | None = None,
    **same: str | int | None,
) -> dict[str, Any]:
    """Parameters of a listing."""
    times = {"submitted_from": instant(since), "submitted_to": instant(until)}
    return {"state": _several(state), "kind": _several(kind), **times, **same}


def _several(value: str | Sequence[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def _single(job: JobSource | None, fields: Mapping[str, Any]) -> Any:
    if isinstance(job, str | Path):
        jobs = files.read(job)
        if len(jobs) != 1:
            raise files.FileError(
                f"{job} holds {counted(len(jobs), 'job')}; use submit_batch", "jobs"
            )
        job = jobs[0]
    return files.rooted(_plain({**(job or {}), **fields}), files.here())


def _several_jobs(jobs: BatchSource) -> list[Any]:
    if isinstance(jobs, str | Path):
        return list(files.read(jobs))
    held = files.jobs_of(jobs, "the batch") if isinstance(jobs, Mapping) else jobs
    plain = [_plain(dict(job)) for job in held]
    names = [str(job["name"]) for job in plain if job.get("name")]
    return [files.rooted(job, files.here(), names) for job in plain]


def _plain(value: Any) -> Any:
    """JSON of what a caller gave: handles become numbers, paths text, times ISO 8601."""
    if isinstance(value, JobHandle):
        return value.id
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
