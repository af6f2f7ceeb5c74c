"""Clients of the service: each a thread with a connection of its own."""

from __future__ import annotations

import random
import threading
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from api.client import ApiError, Client, ClientError, JobHandle
from benchmarks.torture.ledger import KeyedRequest, RoundLedger
from benchmarks.torture.program import BEHAVIOURS, body
from benchmarks.torture.testbed import Testbed

ACTIONS: Mapping[str, int] = {
    "submit": 8,
    "submit_several": 2,
    "update": 3,
    "cancel": 3,
    "preempt": 4,
    "repeat": 2,
    "read": 2,
}
MOST_JOBS = 15
"""Jobs that one client submits in a round, however long it lasts."""


class ClientThread(threading.Thread):
    """Submits, updates, cancels, preempts, repeats and reads until told to stop."""

    def __init__(
        self,
        testbed: Testbed,
        ledger: RoundLedger,
        number: int,
        draw: random.Random,
        without: frozenset[str],
    ) -> None:
        super().__init__(name=f"client-{number}", daemon=True)
        self.stopping = threading.Event()
        self.behaviours = {k: n for k, n in BEHAVIOURS.items() if k not in without}
        self.submitted: list[str] = []
        """Behaviours, in order."""
        self._testbed = testbed
        self._ledger = ledger
        self._number = number
        self._draw = draw
        self._client: Client = testbed.client()
        self._jobs: list[JobHandle] = []

    def run(self) -> None:
        """Act until told to stop."""
        with self._client:
            while not self.stopping.wait(self._draw.uniform(0.1, 0.6)):
                (action,) = self._draw.choices(list(ACTIONS), list(ACTIONS.values()))
                kind = self._try(action)
                with self._ledger.lock:
                    self._ledger.answers[f"{action}: {kind}"] += 1

    def _try(self, action: str) -> str:
        try:
            getattr(self, f"_{action}")()
        except ApiError as error:
            if error.status >= 500 and error.status != 503:
                self._ledger.report("service", f"{action} was answered {error.status}: {error}")
            return str(error.status)
        except ClientError:
            return "no answer"
        return "done"

    def _submit(self) -> None:
        if len(self.submitted) < MOST_JOBS:
            self._send([self._body()])

    def _submit_several(self) -> None:
        if len(self.submitted) >= MOST_JOBS:
            return
        bodies = [self._body() for _ in range(self._draw.randint(2, 4))]
        for before, after in pairwise(bodies):
            if self._draw.random() < 0.5:
                after["after"] = [before["name"]]
        self._send(bodies)

    def _update(self) -> None:
        job, priority = self._draw.choice(self._jobs or [None]), self._draw.randint(0, 100)
        if job is None:
            return
        with self._ledger.lock:  # without an answer nobody knows which of the two holds
            before = self._ledger.priorities.pop(job.id, None)
        try:
            job.update(priority=priority)
        except ApiError as error:
            if before is not None and error.status < 500:  # it was refused
                self._ledger.priorities[job.id] = before
            raise
        self._ledger.priorities[job.id] = priority

    def _cancel(self) -> None:
        job = self._draw.choice(self._jobs or [None])
        if job is None:
            return
        with self._ledger.lock:
            self._ledger.asked_to_cancel.add(job.id)
        job.cancel("torture")
        with self._ledger.lock:
            self._ledger.cancelled.add(job.id)

    def _preempt(self) -> None:
        running = list(self._client.jobs(state="RUNNING", limit=5))
        if running:
            self._draw.choice(running).preempt("torture")

    def _repeat(self) -> None:
        job = self._draw.choice(self._jobs or [None])
        if job is None:
            return
        with self._ledger.lock:
            self._ledger.retries[job.name] += 1
        again = job.retry()
        with self._ledger.lock:
            self._ledger.accepted[again.id] = again.name
        self._jobs.append(again)

    def _read(self) -> None:
        for job in self._client.jobs(limit=5):
            list(job.logs(tail=3))
            job.explain()

    def _body(self) -> dict[str, Any]:
        (behaviour,) = self._draw.choices(list(self.behaviours), list(self.behaviours.values()))
        told = behaviour.removeprefix("job-")
        name = f"r{self._ledger.round}c{self._number}n{len(self.submitted)}-{told}"
        self.submitted.append(behaviour)
        return body(name, behaviour, self._testbed.beats, self._draw)

    def _send(self, bodies: list[dict[str, Any]]) -> None:
        submission = KeyedRequest(f"{bodies[0]['name']}-{self._draw.getrandbits(64):x}", bodies)
        with self._ledger.lock:
            self._ledger.submissions.append(submission)
        self._jobs += send(self._client, self._ledger, submission)


def send(client: Client, ledger: RoundLedger, submission: KeyedRequest) -> list[JobHandle]:
    """Submit under the submission's key, and note the answer."""
    if len(submission.bodies) == 1:
        jobs = [client.submit(submission.bodies[0], key=submission.key)]
    else:
        jobs = client.submit_batch(submission.bodies, key=submission.key)
    ledger.accept(submission, [(job.id, job.name) for job in jobs])
    return jobs
