"""Storing submissions: many at once, each accepted or refused by itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, func, insert, select, tuple_

from scheduler.domain.errors import FulcrumError, InputError, StateError
from scheduler.domain.jobs import Job, bound
from scheduler.store.base import Submission, named
from scheduler.store.codec import stored_with_text
from scheduler.store.sql import rows
from scheduler.store.sql.statements import chunks, insert_rows
from scheduler.store.sql.tables import events, idempotency_keys, jobs
from scheduler.text import shown

Key = tuple[str, str]
"""Actor and idempotency key."""


def submit(
    connection: Connection, submissions: Sequence[Submission]
) -> list[list[Job] | FulcrumError]:
    """See `Store.submit`; in the connection's write transaction."""
    batch = _Batch(
        known=_highest(connection),
        first=_first(connection, submissions),
    )
    answers: list[list[Job] | FulcrumError] = []
    for submission in submissions:
        try:
            answers.append(batch.accept(submission))
        except FulcrumError as error:
            answers.append(error)
    insert_rows(connection, jobs, batch.jobs)
    insert_rows(connection, events, batch.events)
    if batch.keys:
        connection.execute(insert(idempotency_keys), batch.keys)
    return answers


@dataclass(slots=True)
class _Batch:
    """What one transaction is going to insert."""

    known: int
    """The highest id. Writers take turns and no job is ever deleted: all ids up to it exist."""
    first: dict[Key, tuple[str, list[Job]]]
    """Digest and jobs of the keys used before."""
    jobs: list[Mapping[str, Any]] = field(default_factory=list)
    events: list[Mapping[str, Any]] = field(default_factory=list)
    keys: list[Mapping[str, Any]] = field(default_factory=list)

    def accept(self, submission: Submission) -> list[Job]:
        """The submission's jobs: new ones, or those its key stands for."""
        if submission.key is None:
            return self._add(submission)
        key = (shown(submission.actor), shown(submission.key))
        if key not in self.first:
            accepted = self._add(submission)
            self.first[key] = (submission.digest, accepted)
            self.keys.append(
                {
                    "actor": key[0],
                    "key": key[1],
                    "digest": submission.digest,
                    "jobs": [job.id for job in accepted],
                    "time": submission.now,
                }
            )
            return accepted
        digest, accepted = self.first[key]
        if digest != submission.digest:
            raise StateError(
                f"the key {submission.key!r} was used for another request",
                {"Idempotency-Key": "a new key, or the same request again"},
            )
        return accepted

    def _add(self, submission: Submission) -> list[Job]:
        first = self.known + len(self.jobs) + 1
        ids = range(first, first + len(submission.specs))
        self._require("after", named(submission))
        specs = [
            stored_with_text(bound(spec, ids[:position], ids[position]))
            for position, spec in enumerate(submission.specs)
        ]
        if submission.retry_of is not None:
            self._require("retry_of", {submission.retry_of})
        added = [submission.job(number, spec) for number, (spec, _) in zip(ids, specs, strict=True)]
        actor = shown(submission.actor)
        for job, (_, text) in zip(added, specs, strict=True):
            self.jobs.append(rows.new_job(job, text))
            self.events.append(rows.submitted(job, actor))
        return added

    def _require(self, name: str, ids: Iterable[int]) -> None:
        unknown = sorted(job_id for job_id in set(ids) if not 0 < job_id <= self.known)
        if unknown:
            listed = ", ".join(map(str, unknown))
            raise InputError(f"no such job: {listed}", {name: "ids of jobs submitted before"})


def _highest(connection: Connection) -> int:
    return connection.scalar(select(func.max(jobs.c.id))) or 0


def _first(
    connection: Connection, submissions: Sequence[Submission]
) -> dict[Key, tuple[str, list[Job]]]:
    """Digest and jobs of those keys that have been used before."""
    asked = {(one.actor, one.key) for one in submissions if one.key is not None}
    columns = idempotency_keys.c
    used = [
        row
        for part in chunks(list(asked))
        for row in connection.execute(
            select(columns.actor, columns.key, columns.digest, columns.jobs).where(
                tuple_(columns.actor, columns.key).in_(part)
            )
        )
    ]
    ids = sorted({job_id for row in used for job_id in row.jobs})
    found = {
        row.id: rows.job(row)
        for part in chunks(ids)
        for row in connection.execute(select(jobs).where(jobs.c.id.in_(part)))
    }
    return {
        (row.actor, row.key): (row.digest, [found[job_id] for job_id in row.jobs]) for row in used
    }
