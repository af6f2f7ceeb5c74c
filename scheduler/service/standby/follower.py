"""A service that follows: it reads, submits and passes changes on, and decides nothing."""

from __future__ import annotations

import time
from collections.abc import Sequence

from scheduler.compilation.warmup import warm_up
from scheduler.domain.errors import StateError
from scheduler.domain.jobs import Job
from scheduler.problems import HealthProblem
from scheduler.service.components import Components
from scheduler.service.dispatch.messages import Request
from scheduler.service.dispatch.observation import ProgressReader
from scheduler.service.maintenance.estimate_learning import LEARN_S
from scheduler.service.maintenance.health import Health
from scheduler.service.maintenance.housekeeping import Housekeeping, PeriodicTask
from scheduler.service.service import Service
from scheduler.service.standby.mirror import Mirror
from scheduler.service.standby.relay import Relay
from scheduler.store.sharing import SharedStore

ALONE_S = 10.0
"""A leader whose lease ended so many seconds ago, and whom nobody replaced, is a problem."""


class FollowerService(Service):
    """The interface of `Service` beside a leader on the same store.

    Everything that is read comes from the store. Submissions are stored here, and the leader hears
    of them. Cancellations, preemptions and updates are passed on to the leader, whose answer the
    caller gets. Policies, preferences and the removal of files are the leader's own: a follower
    refuses to change them with a `StateError` that names the leader's address.
    """

    def __init__(self, parts: Components, store: SharedStore) -> None:
        super().__init__(parts)
        self._shared = store
        self._relay = Relay(store)
        self._mirror = Mirror(
            store,
            self.live_jobs,
            self.policy_control,
            parts.estimator,
            parts.clock,
            self.nodes,
            ProgressReader(self.live_jobs, parts.estimator, parts.folders),
        )
        self._following = Health(
            {
                "disk": self.checkup.look_at_disks,
                "store": self.checkup.look_at_store,
                "leader": self._look_at_leader,
            }
        )
        self._successor: Service | None = None
        self._learning = Housekeeping(
            [
                PeriodicTask("reading measurements", LEARN_S, self._mirror.learn),
                PeriodicTask("learning runtimes", LEARN_S, self.estimate_learning.learn),
            ]
        )

    def start(self, *, threaded: bool = True) -> None:
        """Read what the leader has stored, and answer; `threaded` as in `Service.start`."""
        self._mirror.refresh()
        self.submissions.start()
        self._relay.start()
        if threaded:
            self._learning.start()
            self._compilation.start()

    def stop(self) -> None:
        """Store what was submitted, then end. The store stays open for a successor."""
        self._compilation.cancel()
        self._learning.stop()
        self.submissions.stop()
        self._relay.stop()
        if self._successor is None:
            self.store.close()

    def hand_over(self, successor: Service) -> None:
        """Pass requests that have begun here on to the service that leads from now on."""
        self._learning.stop()
        self._successor = successor

    def post(self, *requests: Request) -> None:
        """Pass requests on to the leader; their answers are set later. Raises `OutageError`."""
        if self._successor is not None:
            self._successor.post(*requests)
        else:
            self._relay.post(*requests)

    def admit(self, jobs: Sequence[Job]) -> None:
        """Do nothing, for the leader hears of jobs from the store; a successor is told."""
        if self._successor is not None:
            self._successor.admit(jobs)

    def job(self, job_id: int) -> Job:
        """The job; raises `MissingError`."""
        return self.store.job(job_id)

    def refresh(self) -> None:
        """Read what the leader has stored, unless it was just read."""
        self._mirror.refresh()

    def refresh_projects(self) -> None:
        """Read again what the leader has stored."""
        self._mirror.refresh()
        with self.live_jobs.lock:
            if self.live_jobs.projects is not None:
                self.live_jobs.projects.reload(self.live_jobs.pools, self._clock.now())

    def permit(self, what: str) -> None:
        """Raise `StateError`: what people set is changed at the leader."""
        found = self._shared.leader()
        address = (found and found.address) or "the leader, which has not said its address yet"
        raise StateError(
            f"this service follows another one: {what} at {address}", {"leader": address}
        )

    def wait_for_change(self, job_id: int, version: int, timeout_s: float) -> Job:
        """See `Service.wait_for_change`; it wakes when the leader has written."""
        until = time.monotonic() + timeout_s
        while True:
            seen = self._relay.writes
            job = self.store.job(job_id)
            left = until - time.monotonic()
            if job.version > version or job.state.final or left <= 0:
                return job
            self._relay.wait_written(seen, left)

    def problems(self) -> tuple[HealthProblem, ...]:
        """The health problems of a follower, fatal ones first."""
        return self._following.problems()

    def _compile(self) -> None:
        warm_up()  # so that it decides at full speed once it leads

    def _look_at_leader(self) -> list[HealthProblem]:
        found = self._shared.leader()
        if found is not None and found.left_s > -ALONE_S:
            return []
        return [
            HealthProblem(
                "leader",
                "no service leads, so no job starts; submissions are stored",
                "look at this service's log: it says why it does not take over",
            )
        ]
