"""What the faults of a round need: a schedule, victims, probes."""

from __future__ import annotations

import heapq
import itertools
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from api.client import Client, JobHandle
from benchmarks.torture import processes
from benchmarks.torture.clients import send
from benchmarks.torture.ledger import KeyedRequest, RoundLedger
from benchmarks.torture.processes import ServiceProcess
from benchmarks.torture.program import body
from benchmarks.torture.testbed import Testbed


@dataclass(slots=True)
class Stage:
    """What a fault may use."""

    testbed: Testbed
    ledger: RoundLedger
    draw: random.Random
    _later: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _order: itertools.count[int] = field(default_factory=itertools.count)

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """Do something once so many seconds have passed; other faults may happen before."""
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

    def victim(self, *roles: str) -> ServiceProcess | None:
        """A process of one of these roles, if there is any."""
        found = [one for one in self.testbed.processes() if one.role in roles]
        return self.draw.choice(sorted(found, key=lambda one: one.pid)) if found else None

    def supervisor(self) -> tuple[ServiceProcess, str | None] | None:
        """A supervisor, stopped, and the attempt that it runs; rather one that runs one."""
        found = self.testbed.processes()
        busy = {one.parent for one in found if one.attempt}
        every = [one for one in found if one.role == processes.SUPERVISOR]
        chosen = [one for one in every if one.pid in busy] or every
        if not chosen:
            return None
        process = self.draw.choice(sorted(chosen, key=lambda one: one.pid))
        process.send(signal.SIGSTOP)  # what it runs cannot change from here on
        return process, processes.supervised(self.testbed.processes(), process)

    def probe(self, client: Client) -> JobHandle:
        """Submit a short job that is checked like all others. Raises `ClientError`."""
        name = f"r{self.ledger.round}probe{len(self.ledger.submissions)}"
        job = body(name, "job-ends-well", self.testbed.beats, self.draw)
        submission = KeyedRequest(name, [job])
        with self.ledger.lock:
            self.ledger.submissions.append(submission)
        return send(client, self.ledger, submission)[0]
