"""The reference store: plain containers, copied for every change. For tests and simulations."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any

from scheduler.domain.errors import (
    FulcrumError,
    InputError,
    MissingError,
    OutageError,
    StateError,
)
from scheduler.domain.events import Event, Transition
from scheduler.domain.jobs import Attempt, Job, bound
from scheduler.domain.lifecycle import EventName
from scheduler.domain.nodes import Node, NodeEvent
from scheduler.domain.records import Cost, CostGroup, Decision, Measurement
from scheduler.json_values import plain
from scheduler.store.base import JobQuery, Submission, named
from scheduler.store.codec import exact, stored
from scheduler.testing.memory_sweeps import MemorySweepStore, SweepTables

AttemptKey = tuple[int, int]


@dataclass(slots=True)
class _Tables:
    jobs: dict[int, Job] = field(default_factory=dict)
    attempts: dict[AttemptKey, Attempt] = field(default_factory=dict)
    held: dict[tuple[str, int], AttemptKey] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    measurements: dict[AttemptKey, Measurement] = field(default_factory=dict)
    keys: dict[tuple[str, str], tuple[str, list[int]]] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    nodes: dict[str, Node] = field(default_factory=dict)
    node_events: list[NodeEvent] = field(default_factory=list)
    sweeps: SweepTables = field(default_factory=SweepTables)

    def copy(self) -> _Tables:
        return _Tables(*(getattr(self, table.name).copy() for table in fields(self)))


class MemoryStore:
    """A `Store` that forgets everything when it is dropped; otherwise it owes what all owe.

    A change works on a copy of the tables that replaces them as a whole at its end, so an error
    leaves no trace and a reader never sees half of it.
    """

    def __init__(self) -> None:
        self._current: _Tables | None = _Tables()
        self._writing = threading.Lock()

    def submit(self, submissions: Sequence[Submission]) -> list[list[Job] | FulcrumError]:
        """See `Store.submit`."""
        with self._change() as tables:
            known = frozenset(tables.jobs)
            answers: list[list[Job] | FulcrumError] = []
            for submission in submissions:
                try:
                    answers.append(_submit(tables, submission, known))
                except FulcrumError as error:
                    answers.append(error)
            return answers

    def record(
        self, transitions: Sequence[Transition], decisions: Sequence[Decision] = ()
    ) -> list[bool]:
        """See `Store.record`."""
        with self._change() as tables:
            done = [_record(tables, transition) for transition in transitions]
            skipped = {
                transition.job.id
                for transition, written in zip(transitions, done, strict=True)
                if not written
            }
            tables.decisions += [one for one in decisions if one.job not in skipped]
            return done

    def job(self, job_id: int) -> Job:
        """See `Store.job`."""
        try:
            return self._tables.jobs[job_id]
        except KeyError:
            raise MissingError(f"there is no job {job_id}") from None

    def jobs(self, query: JobQuery, *, before: int | None = None, limit: int = 100) -> list[Job]:
        """See `Store.jobs`."""
        found = (
            job
            for job in reversed(self._tables.jobs.values())
            if (before is None or job.id < before) and query.matches(job)
        )
        return list(found)[: max(limit, 0)]

    def count(self, query: JobQuery) -> int:
        """See `Store.count`."""
        return sum(query.matches(job) for job in self._tables.jobs.values())

    def live(self) -> tuple[list[Job], list[Attempt]]:
        """See `Store.live`."""
        tables = self._tables
        jobs = [job for job in tables.jobs.values() if not job.state.final]
        attempts = [attempt for attempt in tables.attempts.values() if not attempt.state.final]
        return jobs, sorted(attempts, key=lambda attempt: (attempt.job, attempt.number))

    def attempts(self, job_id: int) -> list[Attempt]:
        """See `Store.attempts`."""
        found = (attempt for attempt in self._tables.attempts.values() if attempt.job == job_id)
        return sorted(found, key=lambda attempt: attempt.number)

    def find_attempts(
        self,
        *,
        jobs: Collection[int] | None = None,
        since: float | None = None,
        limit: int = 1000,
    ) -> list[Attempt]:
        """See `Store.find_attempts`."""
        found = (
            one
            for one in self._tables.attempts.values()
            if (jobs is None or one.job in jobs)
            and (since is None or one.finished_at is None or one.finished_at >= since)
        )
        key = attrgetter("placed_at", "job", "number")
        return sorted(found, key=key, reverse=True)[: max(limit, 0)]

    def events(
        self, job_id: int | None = None, *, after: int = 0, limit: int = 1000
    ) -> list[Event]:
        """See `Store.events`."""
        found = (
            event
            for event in self._tables.events
            if event.seq > after and (job_id is None or event.job == job_id)
        )
        return list(found)[: max(limit, 0)]

    def last_event(self) -> int:
        """See `Store.last_event`."""
        return self._tables.events[-1].seq if self._tables.events else 0

    def decisions(self, job_id: int, *, limit: int = 20) -> list[Decision]:
        """See `Store.decisions`."""
        found = (one for one in reversed(self._tables.decisions) if one.job == job_id)
        return list(found)[: max(limit, 0)]

    def measure(self, measurement: Measurement) -> None:
        """See `Store.measure`."""
        with self._change() as tables:
            tables.measurements[measurement.job, measurement.attempt] = measurement

    def measurements(self, *, limit: int = 10_000) -> list[Measurement]:
        """See `Store.measurements`."""
        found = sorted(
            self._tables.measurements.values(), key=lambda one: (one.time, one.job, one.attempt)
        )
        return found[max(len(found) - max(limit, 0), 0) :]

    def costs(
        self,
        by: CostGroup,
        *,
        since: float | None = None,
        until: float | None = None,
    ) -> list[Cost]:
        """See `Store.costs`."""
        tables = self._tables
        groups: dict[str, list[Attempt]] = {}
        for attempt in tables.attempts.values():
            end = attempt.finished_at
            if end is not None and _within(end, since, until):
                groups.setdefault(_GROUP[by](tables.jobs[attempt.job], attempt), []).append(attempt)
        costs = sorted((_cost(name, group) for name, group in groups.items()), key=_by_group)
        return costs if by == "day" else sorted(costs, key=lambda cost: -cost.dollars)

    def setting(self, name: str) -> Any:
        """See `Store.setting`."""
        return exact(self._tables.settings.get(name), name)

    def set_settings(self, values: Mapping[str, Any]) -> None:
        """See `Store.set_settings`. Raises `InputError` for a value that is not JSON."""
        with self._change() as tables:
            tables.settings.update({name: exact(value, name) for name, value in values.items()})

    def nodes(self) -> list[Node]:
        """See `Store.nodes`."""
        return sorted(self._tables.nodes.values(), key=lambda node: node.name)

    def record_nodes(
        self,
        changed: Sequence[Node] = (),
        events: Sequence[NodeEvent] = (),
        retired: Sequence[str] = (),
    ) -> None:
        """See `Store.record_nodes`."""
        with self._change() as tables:
            tables.nodes |= {node.name: node for node in changed}
            for name in retired:
                tables.nodes.pop(name, None)
            for event in events:
                seq = len(tables.node_events) + 1
                tables.node_events.append(replace(event, data=plain(event.data), seq=seq))

    def node_events(
        self, node: str | None = None, *, after: int = 0, limit: int = 1000
    ) -> list[NodeEvent]:
        """See `Store.node_events`."""
        found = [
            event
            for event in self._tables.node_events
            if event.seq > after and node in (None, event.node)
        ]
        return found[:limit]

    @property
    def sweeps(self) -> MemorySweepStore:
        """See `Store.sweeps`."""
        return MemorySweepStore(lambda: self._tables.sweeps, self._change_sweeps)

    def health(self) -> tuple[str, ...]:
        """See `Store.health`."""
        return () if self._current is not None else ("the store is closed",)

    def check(self) -> None:
        """See `Store.check`."""
        for problem in self.health():
            raise OutageError(problem)

    def close(self) -> None:
        """See `Store.close`."""
        with self._writing:
            self._current = None

    @property
    def _tables(self) -> _Tables:
        tables = self._current
        if tables is None:
            raise OutageError("the store is closed")
        return tables

    @contextmanager
    def _change(self) -> Iterator[_Tables]:
        with self._writing:
            draft = self._tables.copy()
            yield draft
            self._current = draft

    @contextmanager
    def _change_sweeps(self) -> Iterator[SweepTables]:
        with self._change() as tables:
            yield tables.sweeps


def _submit(tables: _Tables, submission: Submission, known: frozenset[int]) -> list[Job]:
    if submission.key is not None:
        first = tables.keys.get((submission.actor, submission.key))
        if first is not None:
            digest, ids = first
            if digest != submission.digest:
                raise StateError(
                    f"the key {submission.key!r} was used for another request",
                    {"Idempotency-Key": "a new key, or the same request again"},
                )
            return [tables.jobs[job_id] for job_id in ids]
    numbers = range(len(tables.jobs) + 1, len(tables.jobs) + 1 + len(submission.specs))
    _require("after", named(submission), known)
    specs = [
        stored(bound(spec, numbers[:at], numbers[at])) for at, spec in enumerate(submission.specs)
    ]
    if submission.retry_of is not None:
        _require("retry_of", {submission.retry_of}, known)
    jobs = [submission.job(number, spec) for number, spec in zip(numbers, specs, strict=True)]
    for job in jobs:
        tables.jobs[job.id] = job
        _append(tables, Event(job.id, EventName.SUBMITTED, submission.now, submission.actor))
    if submission.key is not None:
        ids = [job.id for job in jobs]
        tables.keys[submission.actor, submission.key] = (submission.digest, ids)
    return jobs


def _require(name: str, ids: Iterable[int], known: frozenset[int]) -> None:
    unknown = sorted(set(ids) - known)
    if unknown:
        listed = ", ".join(map(str, unknown))
        raise InputError(f"no such job: {listed}", {name: "ids of jobs submitted before"})


def _record(tables: _Tables, transition: Transition) -> bool:
    job, attempt = transition.job, transition.attempt
    old = tables.jobs.get(job.id)
    if old is None or old.version != job.version - 1:
        return False
    if attempt is not None:
        mine = (attempt.job, attempt.number)
        if attempt.state.final:
            tables.held = {device: it for device, it in tables.held.items() if it != mine}
        else:
            claims = {(attempt.pool, device) for device in attempt.devices}
            free = all(tables.held.get(device, mine) == mine for device in claims)
            if not free or len(claims) < attempt.width:
                return False
            tables.held.update(dict.fromkeys(claims, mine))
        result = None if attempt.result is None else plain(attempt.result)
        tables.attempts[mine] = replace(attempt, result=result)
    spec = stored(job.spec) if transition.event.name is EventName.UPDATED else old.spec
    tables.jobs[job.id] = replace(
        job,
        spec=spec,
        submitted_at=old.submitted_at,
        retry_of=old.retry_of,
        nonce=old.nonce,
    )
    _append(tables, replace(transition.event, data=plain(transition.event.data)))
    return True


def _append(tables: _Tables, event: Event) -> None:
    tables.events.append(replace(event, seq=len(tables.events) + 1))


def _within(time: float, since: float | None, until: float | None) -> bool:
    return (since is None or time >= since) and (until is None or time < until)


_GROUP: Mapping[CostGroup, Callable[[Job, Attempt], str]] = {
    "user": lambda job, _attempt: job.spec.user,
    "project": lambda job, _attempt: job.spec.project,
    "day": lambda _job, attempt: _day(attempt.finished_at or 0.0),
    "pool": lambda _job, attempt: attempt.pool,
}


def _day(end: float) -> str:
    return datetime.fromtimestamp(end, UTC).date().isoformat()


def _cost(name: str, attempts: Sequence[Attempt]) -> Cost:
    return Cost(
        group=name,
        jobs=len({attempt.job for attempt in attempts}),
        attempts=len(attempts),
        device_seconds=sum(attempt.ran_s * attempt.width for attempt in attempts),
        dollars=sum(attempt.dollars or 0.0 for attempt in attempts),
        joules=sum(attempt.joules or 0.0 for attempt in attempts),
        lost_device_seconds=sum(attempt.lost_s * attempt.width for attempt in attempts),
    )


def _by_group(cost: Cost) -> str:
    return cost.group
