"""A submitted job, as a handle."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from api.client.errors import ClientError
from api.client.files import here
from api.client.lines import split
from api.client.stream import lines
from api.client.transport import Transport, new_key, url_below

if TYPE_CHECKING:
    from api.schemas import (
        ArtifactOut,
        ArtifactsOut,
        AttemptOut,
        EventOut,
        ExplanationOut,
        JobDetail,
        JobOut,
        MetricsOut,
        RunProgressOut,
    )
    from scheduler.domain.lifecycle import JobState

POLL_S = 20.0
"""The service holds a question for a change at most about this long."""


class JobUpdate(TypedDict, total=False):
    """Fields of a waiting job that may be changed."""

    priority: int
    preference: float | str | None
    deadline: str | None


class JobHandle:
    """One job of the service.

    Attributes show the job as it was when last read: at submission, by `refresh` or by `wait`.
    """

    def __init__(self, transport: Transport, info: JobOut) -> None:
        self._transport = transport
        self.info = info
        """Everything the service says about it."""

    def __repr__(self) -> str:
        name = f" {self.name!r}" if self.name else ""
        return f"<Job {self.id}{name} {self.state}>"

    @property
    def id(self) -> int:
        """Its number."""
        return self.info.id

    @property
    def name(self) -> str:
        """Its name as submitted; it need not be unique."""
        return self.info.name

    @property
    def state(self) -> JobState:
        """`QUEUED`, `STARTING`, `RUNNING`, … as last read."""
        return self.info.state

    @property
    def reason(self) -> str:
        """Why it is in that state."""
        return self.info.reason

    @property
    def warnings(self) -> tuple[str, ...]:
        """What it will probably not meet, as said when it was submitted or changed."""
        return getattr(self.info, "warnings", ())

    @property
    def done(self) -> bool:
        """Whether it never changes again."""
        return self.info.final

    @property
    def succeeded(self) -> bool:
        """Whether it ended well."""
        return self.info.state.value == "SUCCEEDED"

    @property
    def result(self) -> Mapping[str, Any] | None:
        """What its work reported (accuracy, images per second, …); None before its end.

        A training that was cancelled or failed tells there which epoch its model is of, if it
        has left one.
        """
        return self.detail().result

    @property
    def attempts(self) -> tuple[AttemptOut, ...]:
        """Its tries with place, times, cost and exit reason, oldest first."""
        return self.detail().history

    def refresh(self) -> JobHandle:
        """Read it again; returns itself."""
        self.detail()
        return self

    def detail(self) -> JobDetail:
        """The job with its attempts, costs and result, read now."""
        from api.schemas import JobDetail

        info = JobDetail.model_validate(self._transport.get(self._path()))
        self.info = info
        return info

    def progress(self) -> RunProgressOut | None:
        """How far its running attempt is, and when it is expected to end, read now.

        None: no attempt of it runs. What the handle shows stays as it is.
        """
        from api.schemas import JobDetail

        return JobDetail.model_validate(self._transport.get(self._path())).running

    def wait(self, timeout: float | None = None, *, check: bool = False) -> JobHandle:
        """Return when it has ended; returns itself.

        Raises `WaitTimeoutError` after `timeout` seconds (the job goes on), and with `check`
        `JobFailed` unless it succeeded.
        """
        for _ in self.changes(timeout):
            pass
        if check and not self.succeeded:
            raise JobFailed(self)
        return self

    def changes(self, timeout: float | None = None) -> Iterator[JobHandle]:
        """Itself as it is now, and again whenever it has changed, until it has ended.

        Raises `WaitTimeoutError` after `timeout` seconds; the job goes on.
        """
        end = None if timeout is None else time.monotonic() + timeout
        version = -1
        while True:
            if self.info.version != version:
                version = self.info.version
                yield self
            if self.info.final:
                return
            left = POLL_S if end is None else end - time.monotonic()
            if left <= 0:
                raise WaitTimeoutError(self, timeout or 0.0)
            self._wait_for_change(min(left, POLL_S))

    def logs(
        self, *, follow: bool = False, attempt: int | None = None, tail: int | None = None
    ) -> Iterator[str]:
        """The lines that an attempt (the newest, if not named) wrote, without line ends.

        With `follow` also those to come, of later attempts too, until the job has ended. Only a
        newline ends a line; followed, a carriage return does too, so that a progress bar that
        rewrites its line is seen. A line above 64 KiB comes in pieces; `tail` shows its end.
        """
        if follow:
            return self._followed(attempt, tail)
        written = self._written(attempt, tail)
        first = list(islice(written, 1))  # asked for at once: what is wrong is raised here
        return chain(first, written)

    def events(self) -> Iterator[EventOut]:
        """Its history, oldest first: who did what, when and why."""
        return events(self._transport, self._path("events"))

    def metrics(
        self, *, kind: str | None = None, tail: int | None = None
    ) -> tuple[MetricsOut, ...]:
        """What each attempt has measured so far (loss and accuracy per epoch, …).

        `kind` chooses lines (`epoch`, `progress`, …), `tail` the last ones of each attempt.
        """
        from api.schemas import JobMetricsOut

        answer = self._transport.get(self._path("metrics"), kind=kind, tail=tail)
        return JobMetricsOut.model_validate(answer).attempts

    def tensorboard(self, folder: str | Path) -> Path:
        """Write what it has measured so far as a run of TensorBoard below `folder`.

        Returns the folder of the run. Raises `MissingPackageError` without the package
        tensorboard, `OSError`.
        """
        from api.client.export import tensorboard

        name = f"-{self.name}" if self.name else ""
        return tensorboard.write(self.metrics(), f"job-{self.id}{name}", Path(folder))

    def explain(self) -> ExplanationOut:
        """Why it is where it is: one dominant reason, its evidence, the expected start."""
        from api.schemas import ExplanationOut

        return ExplanationOut.model_validate(self._transport.get(self._path("explain")))

    def artifacts(self) -> tuple[ArtifactOut, ...]:
        """The files it left."""
        return self.listing().artifacts

    def listing(self) -> ArtifactsOut:
        """The files it left, and when others were pruned."""
        from api.schemas import ArtifactsOut

        return ArtifactsOut.model_validate(self._transport.get(self._path("artifacts")))

    def download(self, name: str, to: str | Path | None = None) -> Path:
        """Fetch one of its files to `to` (a file, or a folder; default: the working directory).

        Returns where it lies; it appears there only when it is whole. Raises
        `NotFoundError`, and `InvalidError` for a name that leaves the job's folder.
        """
        path = self._path(f"artifacts/{url_below(name)}")
        target = Path(to) if to is not None else here()
        if target.is_dir():
            target = target / Path(name).name
        target.parent.mkdir(parents=True, exist_ok=True)
        return self._transport.download(path, target)

    def update(self, **changes: Unpack[JobUpdate]) -> JobHandle:
        """Change it while it waits; returns itself. Raises `ConflictError` if it does not.

        A deadline that cannot be met is in its `warnings`.
        `job.update(priority=90, preference="fast", deadline="+2h")`; None for the last two: none of
        its own.
        """
        from api.schemas import SubmittedOut

        answer = self._transport.json("PATCH", self._path(), json=dict(changes))
        self.info = SubmittedOut.model_validate(answer)
        return self

    def cancel(self, reason: str = "") -> JobHandle:
        """Stop it, or take it from the queue; returns itself. Raises `ConflictError` if ended."""
        from api.schemas import JobOut

        answer = self._transport.json("POST", self._path("cancel"), json={"reason": reason})
        self.info = JobOut.model_validate(answer)
        return self

    def preempt(self, reason: str = "") -> JobHandle:
        """Let it save its work and queue again; returns itself.

        Raises `ConflictError` unless it runs and can go on later.
        """
        from api.schemas import JobOut

        answer = self._transport.json("POST", self._path("preempt"), json={"reason": reason})
        self.info = JobOut.model_validate(answer)
        return self

    def retry(self, *, from_scratch: bool = False) -> JobHandle:
        """Submit it again; returns the new job, which goes on from the last checkpoint of this one.

        `from_scratch`: it begins again, as it does if this one succeeded or saved nothing. Raises
        `ConflictError` if this one has not ended, or if its checkpoints are gone.
        """
        from api.schemas import JobOut

        body = {"from_scratch": True} if from_scratch else None
        answer = self._transport.json("POST", self._path("retry"), json=body, key=new_key())
        return JobHandle(self._transport, JobOut.model_validate(answer))

    def _path(self, part: str = "") -> str:
        return f"/v1/jobs/{self.id}" + (f"/{part}" if part else "")

    def _wait_for_change(self, seconds: float) -> None:
        from api.schemas import JobDetail

        answer = self._transport.json(
            "GET",
            self._path(),
            params={"wait_s": round(seconds, 3), "version": self.info.version},
            timeout=seconds + 15.0,
        )
        self.info = JobDetail.model_validate(answer)

    def _written(self, attempt: int | None, tail: int | None) -> Iterator[str]:
        params = {"attempt": attempt, "tail": tail}
        with self._transport.stream(self._path("logs"), params=params, patient=True) as response:
            yield from split(response.iter_bytes())

    def _followed(self, attempt: int | None, tail: int | None) -> Iterator[str]:
        params = {"follow": "true", "attempt": attempt, "tail": tail}
        return lines(self._transport, self._path("logs"), params)


JobRef = JobHandle | int | str
"""A job, its number or its name; a text of digits is a number."""


def found(transport: Transport, job: JobRef) -> Any:
    """What the service says of a job now, as JSON. Raises as `Client.job`."""
    if isinstance(job, str) and not job.isdecimal():
        return transport.get("/v1/jobs:find", name=job)
    return transport.get(f"/v1/jobs/{number(transport, job)}")


def number(transport: Transport, job: JobRef) -> int:
    """The number of a job; the service is asked about a name only. Raises as `Client.job`."""
    if isinstance(job, str) and not job.isdecimal():
        return int(found(transport, job)["id"])
    return job.id if isinstance(job, JobHandle) else int(job)


def events(transport: Transport, path: str, after: int = 0) -> Iterator[EventOut]:
    """All events at `path` behind number `after`; pages are fetched as they are needed."""
    from api.schemas import EventPage

    while True:
        page = EventPage.model_validate(transport.get(path, after=after))
        if not page.events:
            return
        yield from page.events
        after = page.next_after


class JobFailed(ClientError):  # noqa: N818
    """A job that was waited for ended without success."""

    def __init__(self, job: JobHandle) -> None:
        super().__init__(f"job {job.id} ended {standing(job.state, job.reason)}")
        self.job = job


class WaitTimeoutError(ClientError, TimeoutError):
    """A job did not end within the time given; it goes on."""

    def __init__(self, job: JobHandle, timeout: float) -> None:
        super().__init__(f"job {job.id} is still {job.state} after {timeout:g} s")
        self.job = job


def standing(state: str, reason: str) -> str:
    """`failed: exit code 3`, or the reason alone if it begins with the state."""
    name = state.lower()
    repeats = reason.lower().startswith(name)
    return name + reason[len(name) :] if repeats else f"{name}: {reason}"
