"""One job's part of the storage: whose it is, and where its files lie.

The names are those of the jobs' folders on the service: `17/attempt-2/log.txt`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from scheduler.ownership import fences, marks
from scheduler.ownership.fences import Owner
from scheduler.storage.objects import ObjectStorage

JOBS = "jobs"
"""Folder of the storage that holds all jobs."""


@dataclass(frozen=True, slots=True)
class JobStorage:
    """The files of a job for one of its attempts."""

    storage: ObjectStorage
    job: str
    """Name of the job's folder, such as `17`."""
    job_nonce: str
    mine: Owner
    """The attempt."""

    def name(self, *parts: str) -> str:
        """The name of something in the job's folder."""
        return "/".join((JOBS, self.job, *parts))

    def take(self) -> None:
        """Make the attempt the owner, before anything of it starts; as `marks` and `fences` do it.

        Raises `SupersededError` if a newer attempt is the owner, `OSError`.
        """
        mark = self.storage.get(self.name(marks.MARK))
        if mark is not None and mark.decode("ascii", "replace").strip() != self.job_nonce:
            stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
            self.storage.move(self.name(), f"{self.name()}.before-{stamp}")
            mark = None
        if mark is None:
            self.storage.put(self.name(marks.MARK), f"{self.job_nonce}\n".encode())
        found = self.owner()
        self.mine.require_newest(found)
        if found != self.mine:
            self.storage.put(self.name(fences.OWNER), self.mine.content.encode())

    def owner(self) -> Owner | None:
        """The newest attempt that was launched; None: nobody legible. Raises `OSError`."""
        data = self.storage.get(self.name(fences.OWNER))
        return None if data is None else fences.owner_of(data)

    def check(self) -> None:
        """Raises `SupersededError` if another attempt took over, `OSError`."""
        self.mine.require_owner(self.owner())
