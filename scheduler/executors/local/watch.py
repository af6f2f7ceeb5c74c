"""The executor's own notes on the attempts that it watches."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from scheduler.executors.base import UNKNOWN, LaunchSpec, Unknown
from scheduler.executors.local.records import claim
from scheduler.executors.local.records import folder as files
from scheduler.executors.local.records.folder import RunningRecord
from scheduler.executors.local.system.watchdog import Watchdog
from scheduler.executors.silence import SilenceLimit
from scheduler.files import is_disk_full

_QUIET_S = 20.0
"""A supervisor that runs gives a sign of life more often."""
_NAMED = 3
"""Attempts with one trouble that are named; the others are counted."""


@dataclass(slots=True)
class Watch:
    """What the executor knows of one attempt besides its files."""

    attempt: str
    folder: Path
    """Of the executor's files; see `records`."""
    spec: LaunchSpec | None = None
    """To be written to the folder still."""
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Of the spec: they go with the launch and into no file."""
    written: LaunchSpec | None = None
    """As its file says; None until the first look at it, or if that is damaged."""
    running: RunningRecord | None = None
    """Kept once it is known: what becomes of the file then does not matter."""
    damaged: bool = False
    """Whether its files are not what they must be, so that only processes tell how it is."""
    cancelled: bool = False
    """Whether it shall end without a start."""
    trouble: str = ""
    """What keeps it from going on, for `health`."""
    waits: str = ""
    """Why its processes cannot record its start or end yet."""
    dog: Watchdog | None = None
    unclaimed: SilenceLimit | None = None
    """Since when nobody can claim it, though it never ran."""
    offered_at: float | None = None
    """Monotonic seconds of the last launch sent."""
    quiet: SilenceLimit | None = None
    """Since when a supervisor that may be another machine's has given no sign of life."""
    sign: float | None = None
    """The last of these signs, Unix seconds."""
    started_at: float | None = None
    """As `Started` said it, Unix seconds; what becomes of the file then does not matter."""

    def find(self) -> RunningRecord | None:
        """Who runs the attempt: as its file says or, if that is lost, as the kernel does."""
        if self.running is None:
            self.running = files.read_running(self.folder)
        if self.running is None:
            self.damaged = files.ran(self.folder) or not claim.usable(self.folder)
            if self.damaged:  # or it has been written since the look above
                self.running = files.read_running(self.folder) or claim.runner(self.folder)
        return self.running

    @property
    def pid(self) -> int | Unknown | None:
        """The worker's, as far as it is known; None if none runs."""
        running = self.running
        if running is None or files.read_exit(self.folder) is not None:
            return None
        if running.supervisor.elsewhere or running.supervisor.doubtful:
            return UNKNOWN
        return running.worker.pid if running.supervisor.alive else None

    def dead(self) -> bool:
        """Whether nobody runs the attempt that was run; says in `trouble` if another machine may.

        What cannot be told apart from a process of another machine is dead once it has given no
        sign of life for a while.
        """
        supervisor = None if self.running is None else self.running.supervisor
        if supervisor is None or not (supervisor.elsewhere or supervisor.doubtful):
            return True
        sign = files.last_sign_of_life(self.folder)
        if self.quiet is None or sign != self.sign:
            self.quiet, self.sign = SilenceLimit(_QUIET_S), sign
        if supervisor.doubtful and self.quiet.exhausted():
            return True
        self.trouble = "another machine runs it, which alone can say how it ends"
        return False


def never_ran(folder: Path) -> bool:
    """Whether nobody ran the attempt or will; False if its files are too damaged to tell."""
    try:
        return not folder.is_dir() or claim.withdraw(folder)
    except OSError as error:
        return is_disk_full(error)  # then there was not even a claim


def troubles(watches: Collection[Watch]) -> Iterator[str]:
    """One sentence for each thing that keeps attempts from going on."""
    found: dict[str, list[str]] = {}
    for watch in watches:
        if trouble := watch.waits or watch.trouble:
            found.setdefault(trouble, []).append(watch.attempt)
    for trouble, attempts in found.items():
        others = len(attempts) - _NAMED
        more = f" and {others} more" if others > 0 else ""
        yield f"attempt {', '.join(attempts[:_NAMED])}{more}: {trouble}"
