"""Which jobs `fulcrum ls` lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from api.cli.views.job_table import LIVE

if TYPE_CHECKING:
    from api.client import Client, JobHandle
    from api.schemas import JobOut

SHOWN = 50
"""Jobs that a page shows by default; running ones come before queued ones."""
RECENT = 20
"""Ended jobs that a page shows beside live ones."""


@dataclass(frozen=True, slots=True)
class JobList:
    """The jobs that a person wants to see, and how many."""

    filters: dict[str, Any]
    """Arguments of `Client.jobs` and `Client.count`, without states."""
    states: Sequence[str] = ()
    limit: int | None = None
    """What the person said; None: a page."""
    everything: bool = False
    complete: bool = False
    """Whether a page has all live jobs, because a program reads it."""

    @property
    def most(self) -> int | None:
        """Jobs to list; None: all."""
        return self.limit or (None if self.everything or self.complete or self._group else SHOWN)

    @property
    def _group(self) -> bool:
        return bool(self.filters["array"] or self.filters["sweep"])

    def read(self, client: Client) -> list[JobOut]:
        """The jobs, newest first: those of a page are live, or among the latest ended ones."""
        if self.everything or self.states or self.limit or self._group:
            found = self._jobs(client, self.states, self.most)
        else:
            most = self.most
            live = self._jobs(client, LIVE[1:], most)
            if most is None or len(live) < most:
                live += self._jobs(client, LIVE[:1], None if most is None else most - len(live))
            by_id = {job.id: job for job in [*live, *self._jobs(client, (), RECENT)]}
            found = [by_id[number] for number in sorted(by_id, reverse=True)]
        return [job.info for job in found]

    def left_out(self, client: Client, found: Sequence[JobOut]) -> int:
        """How many jobs, live and ended ones, a page leaves out, which shows `found`."""
        if self.most is None or self.limit:
            return 0
        return client.count(state=self.states, **self.filters) - len(found)

    def _jobs(self, client: Client, states: Sequence[str], most: int | None) -> list[JobHandle]:
        return list(client.jobs(state=states, limit=most, **self.filters))
