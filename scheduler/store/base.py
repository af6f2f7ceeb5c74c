"""The store's port: what every implementation owes its callers.

A store keeps jobs, attempts, events, decisions and measurements. Its obligations:

- **Durable.** When `submit` or `record` returns, what it wrote survives a power cut.
- **All or nothing.** A call is one transaction; an error leaves no trace.
- **Guarded.** A transition is written only over the version it was computed from.
- **Exclusive.** A device is held by at most one attempt that has not ended; an attempt that
  would take a held device is not written.
- **Ordered.** Event numbers rise strictly in the order in which events become visible.
- **Thread-safe.** Any thread may call any method.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from scheduler.domain.errors import FulcrumError
from scheduler.domain.events import Event, Transition
from scheduler.domain.jobs import Attempt, Job, JobKind, JobSpec, fresh_nonce
from scheduler.domain.lifecycle import JobState
from scheduler.domain.nodes import Node, NodeEvent
from scheduler.domain.records import Cost, CostGroup, Decision, Measurement
from scheduler.store.sweeps import SweepStore


@dataclass(frozen=True, slots=True)
class Submission:
    """Jobs that are stored together or not at all."""

    specs: Sequence[JobSpec]
    now: float
    actor: str
    key: str | None = None
    """Idempotency key, unique per actor."""
    digest: str = ""
    """Of the request body: the same key with another digest is a conflict."""
    retry_of: int | None = None
    progress: float = 0.0
    """Share of the work (0…1) that is done already, by an earlier job's checkpoints."""
    eligible_at: float = 0.0
    """Unix seconds before which the jobs must not start."""

    @property
    def reason(self) -> str:
        """Why the new jobs are in their state."""
        return "waiting for its time" if self.eligible_at else "waiting"

    def job(self, number: int, spec: JobSpec) -> Job:
        """One of the new jobs, as it is stored."""
        return Job(
            id=number,
            spec=spec,
            state=JobState.QUEUED,
            reason=self.reason,
            submitted_at=self.now,
            retry_of=self.retry_of,
            progress=self.progress,
            eligible_at=self.eligible_at,
            nonce=fresh_nonce(),
        )


def named(submission: Submission) -> frozenset[int]:
    """The stored jobs that a submission waits for; references inside it (-k) left out."""
    return frozenset(job for spec in submission.specs for job in spec.after if job >= 0)


@dataclass(frozen=True, slots=True)
class JobQuery:
    """Which jobs to list; empty fields do not filter."""

    states: Sequence[JobState] = ()
    kinds: Sequence[JobKind] = ()
    user: str | None = None
    project: str | None = None
    name: str | None = None
    """Part of the name; upper and lower case are the same."""
    exact_name: str | None = None
    """The whole name; upper and lower case are the same."""
    submitted_from: float | None = None
    """Inclusive."""
    submitted_to: float | None = None
    """Exclusive."""
    array: int | None = None
    sweep: int | None = None

    def matches(self, job: Job) -> bool:
        """Whether `job` is one of those."""
        spec, since, until = job.spec, self.submitted_from, self.submitted_to
        return (
            (not self.states or job.state in self.states)
            and (not self.kinds or spec.kind in self.kinds)
            and (self.user is None or spec.user == self.user)
            and (self.project is None or spec.project == self.project)
            and (self.name is None or self.name.casefold() in spec.name.casefold())
            and (self.exact_name is None or self.exact_name.casefold() == spec.name.casefold())
            and (since is None or job.submitted_at >= since)
            and (until is None or job.submitted_at < until)
            and (self.array is None or spec.array == self.array)
            and (self.sweep is None or spec.sweep == self.sweep)
        )


class Store(Protocol):
    """The system's memory. All times are Unix seconds."""

    def submit(self, submissions: Sequence[Submission]) -> list[list[Job] | FulcrumError]:
        """Store several submissions in one transaction; one answer each, in order.

        A submission whose `(actor, key)` is known returns the jobs of the first time if the
        digest is equal, else answers a `StateError`; one with an unknown job in `after` or
        `retry_of` (only jobs stored by earlier calls are known), or with values that JSON cannot
        hold, answers `InputError`, and nothing of it is stored. -k in `after` means the k-th
        job of the same submission (`jobs.bound`). Job ids rise from 1. A `submitted` event is
        written for every new job.
        """

    def record(
        self, transitions: Sequence[Transition], decisions: Sequence[Decision] = ()
    ) -> list[bool]:
        """Write transitions in one transaction; for each whether it took effect.

        One whose job has meanwhile another version, or whose new attempt claims a device that
        is held, is skipped (False) with the decisions on its job. They are checked in order,
        each against what those before it left. A final attempt state frees its devices. Numbers
        of `result` and `data` that are not finite are kept as None. What was submitted (`spec`)
        is written with `updated` events alone.
        """

    def job(self, job_id: int) -> Job:
        """Raises `MissingError`."""

    def jobs(self, query: JobQuery, *, before: int | None = None, limit: int = 100) -> list[Job]:
        """Newest first: the jobs with an id below `before` that match, at most `limit`."""

    def count(self, query: JobQuery) -> int:
        """How many jobs match."""

    def live(self) -> tuple[list[Job], list[Attempt]]:
        """All jobs that are not final (oldest first) and all attempts that have not ended."""

    def attempts(self, job_id: int) -> list[Attempt]:
        """Of one job, oldest first."""

    def find_attempts(
        self,
        *,
        jobs: Collection[int] | None = None,
        since: float | None = None,
        limit: int = 1000,
    ) -> list[Attempt]:
        """Attempts of these jobs (None: of all), the one that was placed last first.

        With `since` (Unix seconds) only those that had not ended then.
        """

    def events(
        self, job_id: int | None = None, *, after: int = 0, limit: int = 1000
    ) -> list[Event]:
        """Events numbered above `after`, oldest first; of one job or of all."""

    def last_event(self) -> int:
        """The number of the newest event; 0: there is none."""

    def decisions(self, job_id: int, *, limit: int = 20) -> list[Decision]:
        """Decisions that chose this job, newest first."""

    def measure(self, measurement: Measurement) -> None:
        """Keep a measurement; a second one of the same attempt replaces the first."""

    def measurements(self, *, limit: int = 10_000) -> list[Measurement]:
        """The newest measurements, oldest first."""

    def costs(
        self,
        by: CostGroup,
        *,
        since: float | None = None,
        until: float | None = None,
    ) -> list[Cost]:
        """Sums over ended attempts by their end time, highest first (days: oldest first, UTC).

        `since` is inclusive, `until` exclusive; a day's group is `2026-03-01`.
        """

    def setting(self, name: str) -> Any:
        """A stored setting (any JSON value), or None."""

    def set_settings(self, values: Mapping[str, Any]) -> None:
        """Store settings, all or none. Raises `InputError` for a value that is not JSON."""

    def nodes(self) -> list[Node]:
        """All nodes that are not retired, by name."""

    def record_nodes(
        self,
        changed: Sequence[Node] = (),
        events: Sequence[NodeEvent] = (),
        retired: Sequence[str] = (),
    ) -> None:
        """Write nodes, new ones or in place of the old, and events; forget retired ones."""

    def node_events(
        self, node: str | None = None, *, after: int = 0, limit: int = 1000
    ) -> list[NodeEvent]:
        """Events numbered above `after`, oldest first; of one node or of all."""

    @property
    def sweeps(self) -> SweepStore:
        """The sweeps and their trials."""

    def health(self) -> tuple[str, ...]:
        """Why jobs cannot be stored now: a sentence for each trouble; empty: they can.

        A store that is damaged, or no longer where it was opened, stays so until it is opened
        again; `submit`, `record` and all other changes raise `OutageError` meanwhile.
        """

    def check(self) -> None:
        """Raise `OutageError` with the first sentence of `health`, if there is one."""

    def close(self) -> None:
        """Release files and connections; later calls fail."""
