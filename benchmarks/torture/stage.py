"""Where the blows of a round fall, and on whom."""

from __future__ import annotations

import heapq
import itertools
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from api.client import Client, Job
from benchmarks.torture import processes
from benchmarks.torture.clients import send
from benchmarks.torture.ledger import Ledger, Submission
from benchmarks.torture.processes import Process
from benchmarks.torture.program import body
from benchmarks.torture.site import Site


@dataclass(slots=True)
class Stage:
    """Where a round's blows fall."""

    site: Site
    ledger: Ledger
    draw: random.Random
    _later: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _order: itertools.count[int] = field(default_factory=itertools.count)

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """Do something once so many seconds have passed; other blows may fall before."""
        heapq.heappush(self._later, (time.monotonic() + seconds, next(self._order), act))

    def pause(self, seconds: float) -> None:
        """Let time pass, and do what is due."""
        end = time.monotonic() + seconds
        while self._later and self._later[0][0] <= end:
            due, _, act = heapq.heappop(self._later)
            time.sleep(max(0.0, due - time.monotonic()))
            act()
        time.sleep(max(0.0, end - time.monotonic()))

    def finish(self) -> None:
        """Do all that is still to be done, now."""
        while self._later:
            heapq.heappop(self._later)[2]()

    def victim(self, *roles: str) -> Process | None:
        """A process of one of these roles, if there is any."""
        found = [one for one in self.site.processes() if one.role in roles]
        return self.draw.choice(sorted(found, key=lambda one: one.pid)) if found else None

    def supervisor(self) -> tuple[Process, str | None] | None:
        """A supervisor, stopped, and the attempt that it runs; rather one that runs one."""
        found = self.site.processes()
        busy = {one.parent for one in found if one.attempt}
        every = [one for one in found if one.role == processes.SUPERVISOR]
        chosen = [one for one in every if one.pid in busy] or every
        if not chosen:
            return None
        process = self.draw.choice(sorted(chosen, key=lambda one: one.pid))
        process.send(signal.SIGSTOP)  # what it runs cannot change from here on
        return process, processes.supervised(self.site.processes(), process)

    def probe(self, client: Client) -> Job:
        """Submit a short job that is checked like all others. Raises `ClientError`."""
        name = f"r{self.ledger.round}probe{len(self.ledger.submissions)}"
        job = body(name, "job-ends-well", self.site.beats, self.draw)
        submission = Submission(name, [job])
        with self.ledger.lock:
            self.ledger.submissions.append(submission)
        return send(client, self.ledger, submission)[0]
