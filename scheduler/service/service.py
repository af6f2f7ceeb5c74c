"""The service: what every interface calls."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from scheduler.compilation.interim import INTERIM
from scheduler.compilation.warmup import warm_up
from scheduler.domain.errors import MissingError, OutageError
from scheduler.domain.jobs import Attempt, Job, JobSpec
from scheduler.executors.base import LaunchSpec
from scheduler.problems import HealthProblem
from scheduler.service import construction, folder_check
from scheduler.service.components import Components
from scheduler.service.construction import WARM_UP_AFTER_S
from scheduler.service.dispatch.launch_spec import LaunchSpecBuilder
from scheduler.service.dispatch.messages import ANSWER_S, Reestimate, Request
from scheduler.service.dispatch.reconciler import reconcile
from scheduler.service.dispatch.submissions import Submissions
from scheduler.service.jobs.admission import Admission, Placements
from scheduler.service.maintenance.estimate_learning import EstimateLearning
from scheduler.service.maintenance.housekeeping import Housekeeping
from scheduler.service.maintenance.outputs import Outputs
from scheduler.service.node_control import NodeControl
from scheduler.service.nodes.cluster_nodes import ClusterNodes
from scheduler.service.nodes.node_paths import NodePaths
from scheduler.service.policy_control.controller import PolicyAccess
from scheduler.service.projects.secrets import KEY_FILE, SecretVault
from scheduler.service.queries.cluster_queries import ClusterQueries
from scheduler.service.queries.job_names import JobNames
from scheduler.service.sharing.arrivals import JobArrivals
from scheduler.service.sharing.sharing import Sharing


class Service:
    """Accepts jobs, decides and launches in threads of its own, and answers questions.

    It is composed of objects that interfaces use directly: `jobs` submits and changes jobs,
    `queries` explains and forecasts them, `cluster` tells of the whole cluster; `policy_control`,
    `node_control`, `projects`, `secrets`, `sweeps` and `retention` show and change what they are
    named for. What depends on who leads is a method here, which a follower overrides.
    """

    def __init__(self, parts: Components) -> None:
        self._parts, self._clock = parts, parts.clock
        self.store, self.folders, self.estimator = parts.store, parts.folders, parts.estimator
        self.active_policy, self.policies = parts.active_policy, parts.policies
        self.nodes = nodes = ClusterNodes(parts.store, parts.inventory, parts.derive)
        nodes.read()
        self.paths = NodePaths(nodes, parts.ask, self._reestimate)
        placements = Placements(nodes, parts.estimator, self.paths)
        accounts = construction.accounts(parts)
        self.live_jobs = live = construction.live_jobs(parts, nodes, placements, accounts)
        self.secrets = SecretVault(parts.store, parts.data / KEY_FILE, parts.clock, self.permit)
        self._launch_specs = LaunchSpecBuilder(parts.folders, nodes, self.secrets.values)
        access = PolicyAccess(self.refresh, self.permit, self._reestimate)
        self.policy_control = construction.policy_control(parts, nodes, access)
        self.dispatcher = construction.dispatcher(
            parts, live, self._launch_specs, nodes, self.policy_control
        )
        self._arrivals = JobArrivals(parts.store, self.dispatcher.post)
        self.sharing = Sharing(parts.shared, self._arrivals, self.dispatcher.post)
        self.submissions = Submissions(parts.store, self.admit, alone=parts.shared is None)
        self.retention = construction.retention(parts, live, self.permit)
        self.outputs = Outputs(parts.folders, parts.storage)
        self.admission = Admission(placements, self.retention, parts.channels)
        self.projects = construction.projects(
            parts,
            accounts,
            live,
            placements,
            post=self.dispatcher.post,
            refresh=self.refresh_projects,
            permit=self.permit,
        )
        self.jobs = construction.job_control(
            parts, self.admission, self.secrets, self.projects, self.submissions, self.post
        )
        self.names = JobNames(parts.store)
        self.queries = construction.job_queries(
            parts, live, nodes, self.admission, self.projects.quotas, self.refresh
        )
        self.node_control = NodeControl(
            nodes, live, self.dispatcher.post, self.refresh, self.permit
        )
        self.cluster = ClusterQueries(
            parts.store,
            live,
            nodes,
            self.dispatcher,
            self.submissions,
            self.policy_control,
            parts.clock,
            self.queries.explanations.troubles,
            self.sharing.leader,
            self.refresh,
        )
        self.checkup = construction.checkup(parts, live, self.dispatcher, self.submissions, nodes)
        self.sweeps = construction.sweeps(parts, self.jobs, self.job, self.post, self.paths.look)
        self.notifier = construction.notifier(parts, live, self.job)
        self.estimate_learning = EstimateLearning(parts.store, parts.estimator)
        self._event_feed = construction.event_feed(parts)
        self._periodic: Sequence[Housekeeping] = ()
        self._compilation = threading.Timer(WARM_UP_AFTER_S, self._compile)
        self._compilation.name, self._compilation.daemon = "compilation", True

    def start(self, *, threaded: bool = True) -> None:
        """Load, reconcile, accept. `threaded=False`: the caller drives `dispatcher.step`."""
        if threaded:
            INTERIM.begin()
        self.policy_control.start()
        self._arrivals.start()
        self._load()
        self.submissions.start()
        if threaded:
            self._start_threads()

    @property
    def compiling(self) -> bool:
        """Whether a thread compiles functions; it goes on after `stop`."""
        return self._compilation.is_alive()

    def quiesce(self, timeout_s: float = ANSWER_S) -> None:
        """Wait until all that was accepted is stored, decided on and launched.

        Without threads it steps the dispatcher itself. Raises `OutageError` after `timeout_s`.
        """
        until = time.monotonic() + timeout_s
        while self.submissions.waiting or not self.dispatcher.idle:
            if time.monotonic() >= until:
                raise OutageError(f"the service is still busy after {timeout_s:g} s")
            if self.dispatcher.alive:
                self.dispatcher.wait_idle(until - time.monotonic())
            else:
                self.dispatcher.step(self._clock.now())

    def stop(self) -> None:
        """Finish what was accepted, then end; attempts run on."""
        self._compilation.cancel()
        for thread in self._periodic:
            thread.stop()
        self.sharing.stop()
        self.submissions.stop()
        self.dispatcher.stop()
        INTERIM.end()  # not before: the last round must not wait until functions are compiled
        self.policy_control.stop()
        self._event_feed.stop()
        if self._parts.crashes is not None:
            self._parts.crashes.close()
        self._parts.executor.close()
        self.store.close()
        if self._parts.lock is not None:
            self._parts.lock.release()

    def admit(self, jobs: Sequence[Job]) -> None:
        """Let the dispatcher know of jobs that were stored."""
        self._arrivals.stored(jobs)

    def post(self, *requests: Request) -> None:
        """Let the dispatcher handle requests; their answers are set later.

        Raises `OutageError` if it cannot be found out whether another service has stored the jobs.
        """
        for request in requests:
            self._arrivals.require(request.job)
        self.dispatcher.post(*requests)

    def job(self, job_id: int) -> Job:
        """The job, from memory while it is live (a moment late); raises `MissingError`."""
        return self.live_jobs.jobs.get(job_id) or self.store.job(job_id)

    def wait_for_change(self, job_id: int, version: int, timeout_s: float) -> Job:
        """The job as soon as its version is above `version`, or as it is after `timeout_s`."""
        until = time.monotonic() + timeout_s
        with self.live_jobs.changed:
            # Under the lock no change is lost between the look and the wait. Memory
            # is asked first, so that waiters do not read the store at every job's change.
            while True:
                job = self.job(job_id)
                left = until - time.monotonic()
                if job.version > version or job.state.final or left <= 0:
                    return job
                self.live_jobs.changed.wait(left)

    def problems(self) -> tuple[HealthProblem, ...]:
        """The health problems, fatal ones first; returns within seconds, whatever hangs."""
        return self.checkup.problems()

    def refresh(self) -> None:
        """Bring what questions are answered from up to date; a service that leads has it so."""

    def refresh_projects(self) -> None:
        """Bring the accounts of projects up to date; a service that leads has them so."""

    def permit(self, what: str) -> None:
        """Raise `StateError` if `what` may be changed by another service only."""

    def _load(self) -> None:
        """Take over what the store holds and what the executor still runs."""
        parts = self._parts
        jobs, attempts = self.store.live()
        for job in jobs:
            if job.attempts:
                for attempt in self.store.attempts(job.id):
                    if attempt.state.final:
                        self.live_jobs.totals.add(attempt)
        self.live_jobs.load(jobs, attempts, self._clock.now())
        parts.executor.start(self.dispatcher.post)
        self.nodes.load(parts.executor.nodes(), self._clock.now())
        if self.nodes.inventory.present != self.live_jobs.pools:
            self.live_jobs.change_pools(self.nodes.inventory.present, self._clock.now())
        parts.executor.stop_others([self.folders.key(attempt) for attempt in attempts])
        folder_check.settle(self.folders.root, self.store)
        reconcile(
            self.live_jobs,
            parts.executor,
            self.folders,
            self._launch_spec,
            self.dispatcher.post,
            self.store.events,
            self._clock,
            parts.grace,
        )

    def _start_threads(self) -> None:
        self._periodic = construction.periodic_threads(
            self._parts,
            self.estimate_learning,
            self.checkup,
            self.retention,
            self.policy_control,
            self.dispatcher,
            self.sweeps,
            self.notifier,
            self._look_at_paths,
        )
        self.dispatcher.start()
        self.sharing.start()
        for thread in self._periodic:
            thread.start()
        self._event_feed.start()
        # The service answers first, and decides in plain Python until this is done.
        self._compilation.start()

    def _look_at_paths(self) -> None:
        self.paths.refresh(self.live_jobs.queued())

    def _reestimate(self, chosen: Callable[[JobSpec], bool]) -> None:
        self.dispatcher.post(Reestimate(chosen))

    def _compile(self) -> None:
        try:
            warm_up()
        finally:
            INTERIM.end()

    def _launch_spec(self, job: Job, attempt: Attempt) -> LaunchSpec | None:
        pool = self.live_jobs.pool(attempt.pool)
        if pool is None:
            return None
        try:
            return self._launch_specs.build(job, attempt, pool)
        except MissingError:  # the pool has become smaller
            return None
