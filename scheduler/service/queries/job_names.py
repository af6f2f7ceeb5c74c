"""Which job a name means. Names need not be unique."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scheduler.domain.errors import MissingError, StateError
from scheduler.domain.jobs import Job
from scheduler.domain.lifecycle import FINAL, JobState
from scheduler.store.base import JobQuery, Store

LISTED = 10
"""Candidates that an ambiguous name lists."""
LIVE = tuple(state for state in JobState if state not in FINAL)


@dataclass(frozen=True, slots=True)
class JobNames:
    """Finds jobs by their whole names; upper and lower case are the same."""

    store: Store

    def find(self, name: str, user: str) -> Job:
        """The job that `user` means by `name`.

        Jobs of the user come before those of others. Among them it is the live job of that name;
        if none is live, the newest that has ended. Raises `StateError`, which lists them, if
        several are live, and `MissingError`.
        """
        for owner in (user, None):
            live = self._named(name, owner, LIVE, LISTED + 1)
            if len(live) > 1:
                raise _ambiguous(name, live)
            found = live or self._named(name, owner, tuple(FINAL), 1)
            if found:
                return found[0]
        raise MissingError(f"no job is named {name!r}")

    def _named(
        self, name: str, user: str | None, states: Sequence[JobState], most: int
    ) -> list[Job]:
        return self.store.jobs(JobQuery(exact_name=name, user=user, states=states), limit=most)


def _ambiguous(name: str, jobs: Sequence[Job]) -> StateError:
    listed = ", ".join(f"{job.id} ({job.state}, {job.spec.user})" for job in jobs[:LISTED])
    more = " and more" if len(jobs) > LISTED else ""
    return StateError(
        f"several live jobs are named {name!r}: {listed}{more}", {"job": "the number of one"}
    )
