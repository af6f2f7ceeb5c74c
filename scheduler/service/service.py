"""The service: what every interface calls."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from scheduler.compilation.interim import INTERIM
from scheduler.compilation.warmup import warm_up
from scheduler.domain.errors import (
    IllegalTransitionError,
    MissingError,
    OutageError,
)
from scheduler.domain.jobs import Attempt, Job, JobSpec
from scheduler.domain.lifecycle import JobState
from scheduler.executors.base import LaunchSpec, NodesChanged
from scheduler.problems import HealthProblem
from scheduler.service import folder_check
from scheduler.service.admission import Admission, Placements
from scheduler.service.components import Components
from scheduler.service.dispatch.dispatcher import Dispatcher
from scheduler.service.dispatch.launch_spec import LaunchSpecBuilder
from scheduler.service.dispatch.live_jobs import LiveJobs
from scheduler.service.dispatch.messages import (
    Cancel,
    ChangeNode,
    NodeChange,
    Preempt,
    Reestimate,
    Request,
    Update,
)
from scheduler.service.dispatch.placement_options import cheapest
from scheduler.service.dispatch.reconciler import reconcile
from scheduler.service.dispatch.submissions import Submissions
from scheduler.service.maintenance.checkup import Checkup
from scheduler.service.maintenance.estimate_learning import LEARN_S, EstimateLearning
from scheduler.service.maintenance.housekeeping import Housekeeping, PeriodicTask
from scheduler.service.maintenance.retention import SWEEP_S, Pruning, Retention, RetentionRule
from scheduler.service.nodes.cluster_nodes import ClusterNodes
from scheduler.service.nodes.idle_costs import IdleCost, idle_costs
from scheduler.service.notifications.notifier import LOOK_S as MESSAGES_S
from scheduler.service.notifications.notifier import Notifier
from scheduler.service.notifications.outbox import MessageOutbox, PendingMessage
from scheduler.service.observability import job_log, job_spans
from scheduler.service.observability.event_feed import EventFeed, EventListener
from scheduler.service.policy_control.controller import PolicyController
from scheduler.service.policy_control.views import ActivePolicyView, Preferences
from scheduler.service.projects.accounts import ProjectAccounts
from scheduler.service.projects.book import ProjectBook
from scheduler.service.projects.control import ProjectControl
from scheduler.service.projects.quotas import Quotas
from scheduler.service.projects.secrets import KEY_FILE, SecretVault
from scheduler.service.queries.deadlines import DeadlineCheck
from scheduler.service.queries.explain import ExplainService
from scheduler.service.queries.job_figures import JobFiguresQuery
from scheduler.service.queries.job_names import JobNames
from scheduler.service.queries.queue_forecast import QueueForecasts
from scheduler.service.queries.start_intervals import StartIntervals
from scheduler.service.queries.views import (
    ClusterView,
    Explanation,
    JobFigures,
    NodeView,
    Outlook,
    PoolView,
    QueueForecast,
)
from scheduler.service.repetition import repeated
from scheduler.service.sharing.arrivals import JobArrivals
from scheduler.service.sharing.sharing import Sharing
from scheduler.service.sweeps.sweep_run import ACTOR, JobAccess
from scheduler.service.sweeps.sweeps import LOOK_S, SweepService
from scheduler.store.base import Store, Submission

ANSWER_S = 30.0
"""Seconds that a caller waits for a change to become durable."""

WARM_UP_AFTER_S = 1.0
"""Seconds from the start until compiled functions are loaded, which keeps a processor busy."""


class Service:
    """Submits, cancels and explains jobs; decides and launches in its own thread."""

    def __init__(self, parts: Components) -> None:
        self.store = parts.store
        self.folders = parts.folders
        self._parts = parts
        self._clock = parts.clock
        self.active_policy = parts.active_policy
        self.estimator = parts.estimator
        self.nodes = ClusterNodes(parts.store, parts.inventory, parts.derive)
        self.nodes.read()
        placements = Placements(self.nodes, parts.estimator)
        accounts = ProjectAccounts(
            parts.store,
            ProjectBook(parts.store, parts.projects),
            parts.half_life_s,
            fair=parts.fair_share,
        )
        self.live_jobs = LiveJobs(
            self.nodes.inventory.present,
            placements.estimates,
            parts.active_policy.preference,
            lambda job: self.store.job(job).state,
            parts.origin,
            lambda: parts.active_policy.preempts,
            self.nodes,
            accounts,
        )
        key_file = parts.folders.root.with_name(KEY_FILE)
        self.secrets = SecretVault(parts.store, key_file, parts.clock, self.permit)
        self._launch_specs = LaunchSpecBuilder(parts.folders, self.nodes, self.secrets.values)
        self.policy_control = PolicyController(
            parts.active_policy,
            parts.store,
            parts.clock,
            lambda: self.nodes.inventory.present,
            baseline=parts.baseline,
            replay=parts.replay,
            replay_at_start=parts.replay_at_start,
            shadow=parts.shadow,
            shadow_log=parts.folders.root.with_name("shadow") / "decisions.jsonl",
        )
        self.dispatcher = Dispatcher(
            parts.store,
            self.live_jobs,
            parts.executor,
            self._launch_specs,
            parts.estimator,
            parts.active_policy,
            parts.clock,
            grace_s=parts.grace_s,
            preemption_grace_s=parts.preemption_grace_s,
            nodes=self.nodes,
            watch=self.policy_control.watch,
        )
        self._arrivals = JobArrivals(parts.store, self.dispatcher.post)
        self.sharing = Sharing(parts.shared, self._arrivals, self.dispatcher.post)
        self.submissions = Submissions(parts.store, self.admit, alone=parts.shared is None)
        self._explanations = ExplainService(
            self.live_jobs,
            parts.active_policy,
            placements.estimates,
            StartIntervals(self.live_jobs, parts.estimator),
            self.nodes,
        )
        self._forecasts = QueueForecasts(self.live_jobs, parts.active_policy)
        self._figures = JobFiguresQuery(parts.store, self.live_jobs, parts.folders)
        self._deadlines = DeadlineCheck(
            self.live_jobs, parts.active_policy, placements.estimates, self.forecast
        )
        self._compilation = threading.Timer(WARM_UP_AFTER_S, self._compile)
        self._compilation.name, self._compilation.daemon = "compilation", True
        self.checkup = Checkup(
            parts.store,
            parts.executor,
            self.live_jobs,
            self.dispatcher,
            parts.active_policy,
            parts.folders,
            parts.clock,
            lambda: self.submissions.alive,
            self.nodes,
            parts.crashes,
            parts.disks,
            parts.least_free,
        )
        self.retention = Retention(
            parts.store,
            self.live_jobs,
            parts.folders,
            parts.clock,
            parts.folders.root.parent,
            rules=parts.retention,
            success_checkpoints=parts.success_checkpoints,
        )
        self._admission = Admission(placements, self.retention, parts.channels)
        quotas = Quotas(
            parts.store,
            accounts,
            self.live_jobs.lock,
            lambda spec: cheapest(placements.estimates(spec)),
        )
        self.projects = ProjectControl(
            accounts,
            quotas,
            self.live_jobs.lock,
            self.live_jobs.projects_of_jobs,
            parts.clock,
            lambda name: self.dispatcher.post(Reestimate(lambda spec: spec.project == name)),
            self.refresh_projects,
            self.permit,
        )
        self._names = JobNames(parts.store)
        self.estimate_learning = EstimateLearning(parts.store, parts.estimator)
        learning = PeriodicTask("learning runtimes", LEARN_S, self.estimate_learning.learn)
        learning.due = time.monotonic() + WARM_UP_AFTER_S
        self._event_feed = EventFeed(parts.store, _event_listeners(parts.store))
        self._housekeeping = Housekeeping(
            [
                learning,
                PeriodicTask("the look at the service", 30.0, self.checkup.log_changes),
                PeriodicTask("the sweep", SWEEP_S, self.retention.sweep),
                PeriodicTask("the look at the pools", 30.0, self.policy_control.look_at_pools),
                PeriodicTask("the look at the nodes", 30.0, self._look_at_nodes),
            ]
        )
        self.sweeps = SweepService(
            JobAccess(
                parts.store, parts.folders, self.job, self._submit_trial, self.post, parts.clock.now
            )
        )
        self._sweeping = Housekeeping(
            [PeriodicTask("the look at sweeps", LOOK_S, self.sweeps.look)], "sweeps"
        )

        self.notifier = Notifier(
            parts.store, parts.channels, parts.clock, self._spent_of_budgets, self.job
        )
        looks = [PeriodicTask("notifications", MESSAGES_S, self.notifier.look)]
        self._messages = Housekeeping(looks if parts.channels.any else [], "notifications")

    def start(self, *, threaded: bool = True) -> None:
        """Load, reconcile, accept. `threaded=False`: the caller drives `dispatcher.step`."""
        if threaded:
            INTERIM.begin()
        self.policy_control.start()
        self._arrivals.start()
        jobs, attempts = self.store.live()
        for job in jobs:
            if job.attempts:
                for attempt in self.store.attempts(job.id):
                    if attempt.state.final:
                        self.live_jobs.totals.add(attempt)
        self.live_jobs.load(jobs, attempts, self._clock.now())
        self._parts.executor.start(self.dispatcher.post)
        self.nodes.load(self._parts.executor.nodes(), self._clock.now())
        if self.nodes.inventory.present != self.live_jobs.pools:
            self.live_jobs.change_pools(self.nodes.inventory.present, self._clock.now())
        self._parts.executor.stop_others([self.folders.key(attempt) for attempt in attempts])
        folder_check.settle(self.folders.root, self.store)
        reconcile(
            self.live_jobs,
            self._parts.executor,
            self.folders,
            self._launch_spec,
            self.dispatcher.post,
            self.store.events,
            self._clock,
            grace_s=self._parts.grace_s,
            preemption_grace_s=self._parts.preemption_grace_s,
        )
        self.submissions.start()
        if threaded:
            self.dispatcher.start()
            self.sharing.start()
            self._housekeeping.start()
            self._sweeping.start()
            self._messages.start()
            self._event_feed.start()
            # The service answers first, and decides in plain Python until this is done.
            self._compilation.start()

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

    def prune(self, rule: RetentionRule, actor: str, *, dry_run: bool) -> Pruning:
        """Remove files of ended jobs; see `Retention.prune`."""
        return self.retention.prune(rule, actor, dry_run=dry_run)

    def validate(self) -> None:
        """Raise `StateError` if an invariant of the live jobs does not hold; for tests."""
        self.live_jobs.validate()

    def stop(self) -> None:
        """Finish what was accepted, then end; attempts run on."""
        self._compilation.cancel()
        self._housekeeping.stop()
        self._sweeping.stop()
        self._messages.stop()
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

    def problems(self) -> tuple[HealthProblem, ...]:
        """The health problems, fatal ones first; returns within seconds, whatever hangs."""
        return self.checkup.problems()

    def job(self, job_id: int) -> Job:
        """The job, from memory while it is live (a moment late); raises `MissingError`."""
        return self.live_jobs.jobs.get(job_id) or self.store.job(job_id)

    def require_feasible(self, spec: JobSpec) -> None:
        """Raise `InfeasibleError` or `InputError` for a job that could never start."""
        self._admission.check(spec)

    def named(self, name: str, user: str) -> Job:
        """The job that `user` means by a name; see `JobNames.find`."""
        return self._names.find(name, user)

    def submit(
        self,
        specs: Sequence[JobSpec],
        *,
        actor: str,
        key: str | None = None,
        digest: str = "",
        eligible_at: float = 0.0,
    ) -> tuple[list[Job], bool]:
        """Store jobs, all or none; they are durable on return.

        They wait until `eligible_at` (Unix seconds). Inside one submission `-k` in `after` and in
        the references of the work means its k-th job. `key` is the idempotency key: the same with
        the same `digest` returns the jobs of the first time. Returns the jobs, and whether they
        are those of an earlier submission. Raises `InputError`, `InfeasibleError`, `QuotaError`,
        `OutageError`, and `StateError` for the key of another request.
        """
        for position, spec in enumerate(specs):
            prefix = f"jobs[{position}]." if len(specs) > 1 else ""
            self._admission.check(spec, prefix)
            self.secrets.check(spec.project, spec.secrets, prefix)
        now = self._clock.now()
        with self.projects.quotas.admitting(specs, now):
            return self.submissions.submit(
                Submission(specs, now, actor, key=key, digest=digest, eligible_at=eligible_at)
            )

    def cancel(self, job_id: int, *, actor: str, reason: str = "") -> Job:
        """Stop a job; raises `MissingError`, or `IllegalTransitionError` if it has ended.

        `OutageError` if it is not confirmed in time; it may take effect later.
        """
        return self._asked(Cancel(job_id, actor, reason))

    def preempt(self, job_id: int, *, actor: str, reason: str = "") -> Job:
        """Let a running job save its work, free its devices and queue again with its progress.

        Raises `MissingError`, `IllegalTransitionError` unless it runs, `StateError` if it could
        not go on from what it saved; `OutageError` as `cancel`.
        """
        return self._asked(Preempt(job_id, actor, reason))

    def update(self, job_id: int, changes: Mapping[str, Any], *, actor: str) -> Job:
        """Change `CHANGEABLE` fields of a waiting job, from the next round on.

        Raises `MissingError`, or `IllegalTransitionError` if it does not wait; `OutageError`
        as `cancel`.
        """
        return self._asked(Update(job_id, changes, actor))

    def retry(
        self,
        job_id: int,
        *,
        actor: str,
        from_scratch: bool = False,
        key: str | None = None,
        digest: str = "",
    ) -> tuple[Job, bool]:
        """Submit an ended job once more, as a new job; returns and raises as `submit`.

        It goes on from the old job's checkpoints unless `from_scratch`; see `repeated`. Raises
        `IllegalTransitionError` for a live job, `StateError` if the checkpoints are gone.
        """
        job = self.store.job(job_id)
        if not job.state.final:
            raise IllegalTransitionError(
                f"job {job.id} is {job.state}",
                {"state": "only a job that has ended can be run again"},
            )
        spec, progress = repeated(job, self.retention, from_scratch=from_scratch)
        self._admission.check(spec)
        now = self._clock.now()
        submission = Submission(
            [spec], now, actor, key=key, digest=digest, retry_of=job.id, progress=progress
        )
        with self.projects.quotas.admitting([spec], now):
            jobs, replayed = self.submissions.submit(submission)
        return jobs[0], replayed

    def explain(self, job_id: int) -> Explanation:
        """Why the job is where it is; raises `MissingError`."""
        job = self.store.job(job_id)
        decisions = self.store.decisions(job_id)
        return self._explanations.explain(job, decisions, self._clock.now())

    def plan(self, spec: JobSpec) -> list[Outlook]:
        """What would happen to the job, for fast, balanced and cheap; raises `InfeasibleError`."""
        self._admission.check(spec)
        return self._explanations.plan(spec, self._clock.now())

    def warnings(self, specs: Sequence[JobSpec]) -> list[str]:
        """What each job of a submission will probably not meet; empty texts: nothing is seen.

        Ask before `submit`, which refuses jobs that could never start; they get no warnings.
        """
        return self._deadlines.warnings(specs, self._clock.now())

    def forecast(self) -> QueueForecast:
        """Expected starts of waiting jobs and ends of running ones."""
        return self._forecasts.at(self._clock.now())

    def figures(self, jobs: Sequence[Job]) -> list[JobFigures]:
        """What each job has cost and reached so far, and how far its running attempt is."""
        return self._figures.of(jobs, self._clock.now())

    def pending_messages(self) -> tuple[PendingMessage, ...]:
        """Notifications that have not arrived yet."""
        return MessageOutbox(self.store).read(self._clock.now()).pending

    def cluster(self) -> ClusterView:
        """The pools, their devices, and the jobs that hold them."""
        inventory = self.nodes.inventory
        with self.live_jobs.lock:
            holders = list(self.live_jobs.attempts.values())
            queued = sum(job.state is JobState.QUEUED for job in self.live_jobs.jobs.values())
        return ClusterView(
            now=self._clock.now(),
            pools=[
                PoolView.of(pool, inventory, holders, self._explanations.troubles())
                for pool in inventory.pools
            ],
            queued=queued,
            active=len(holders),
            policy=self.policy(),
            leader=self.sharing.leader(),
        )

    def change_node(
        self, name: str, change: NodeChange, *, actor: str, reason: str = ""
    ) -> NodeView | None:
        """Drain a node, use it again, or forget it; returns the node, None if it is forgotten.

        Raises `MissingError`, `StateError` for a node that is not gone and shall be forgotten;
        `OutageError` as `cancel`.
        """
        message = ChangeNode(name, change, actor, reason)
        self.dispatcher.post(message)
        self._answered(message.answer, f"the change of node {name} is not confirmed yet")
        return next((view for view in self.node_views() if view.node.name == name), None)

    def idle_costs(self, since: float | None, until: float | None) -> list[IdleCost]:
        """What idle devices cost in pools that are billed while they are up."""
        now, inventory = self._clock.now(), self.nodes.inventory
        running: dict[str, float] = {}
        with self.live_jobs.lock:
            for attempt in self.live_jobs.attempts.values():
                if attempt.started_at is None:
                    continue  # its nodes boot, which is not paid by it
                held = self.live_jobs.active.elapsed(attempt, now) * attempt.width
                running[attempt.pool] = running.get(attempt.pool, 0.0) + held
        pools = [pool for pool in inventory.pools if pool.name in inventory.billed_up]
        end = now if until is None else min(until, now)
        return idle_costs(self.store, pools, running, since, end) if pools else []

    def node_views(self) -> list[NodeView]:
        """All nodes, with the jobs on them."""
        with self.live_jobs.lock:
            attempts = list(self.live_jobs.attempts.values())
        return [
            NodeView(node, tuple(sorted(each.job for each in attempts if node.name in each.nodes)))
            for node in self.nodes.all()
        ]

    def policies(self) -> Mapping[str, str]:
        """Name → summary of every policy that can be used."""
        return self._parts.policies

    def policy(self) -> ActivePolicyView:
        """The policy that decides now."""
        return self.policy_control.view()

    def use_policy(
        self,
        name: str,
        *,
        mode: str | None = None,
        preference: float | None = None,
        actor: str,
    ) -> ActivePolicyView:
        """Switch the policy, over restarts too; raises `MissingError`, `InputError`."""
        if self._parts.crashes is not None:
            self._parts.crashes.readmit(name)
        view = self.policy_control.use(name, mode, preference, actor)
        self.dispatcher.post(Reestimate(lambda spec: spec.preference is None))
        return view

    def refresh_projects(self) -> None:
        """Bring the accounts of projects up to date; a service that leads has them so."""

    def permit(self, what: str) -> None:
        """Raise `StateError` if `what` may be changed by another service only."""

    def preferences(self) -> Preferences:
        """The preferences of the cluster and the projects."""
        return self.active_policy.preferences()

    def prefer(
        self,
        cluster: float | None = None,
        projects: Mapping[str, float | None] | None = None,
        *,
        actor: str,
    ) -> Preferences:
        """Change preferences, for waiting jobs too, over restarts too.

        None for a project: it takes the cluster's. Raises `InputError`.
        """
        chosen = projects or {}
        preferences = self.policy_control.prefer(cluster, chosen, actor)
        self.dispatcher.post(
            Reestimate(
                lambda spec: (
                    spec.preference is None and (cluster is not None or spec.project in chosen)
                )
            )
        )
        return preferences

    def fit_policy(self, name: str | None = None, *, actor: str) -> ActivePolicyView:
        """Replay a candidate and the baseline; see `PolicyController.evaluate`."""
        return self.policy_control.evaluate(name, actor)

    def shadow_policy(self, name: str | None, *, actor: str) -> ActivePolicyView:
        """Show a candidate every decision (None: stop); see `PolicyController.follow`."""
        return self.policy_control.follow(name, actor)

    def score_shadow(self) -> ActivePolicyView:
        """Replay the shadow and the active policy; see `PolicyController.score`."""
        return self.policy_control.score()

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

    def statistics(self) -> Mapping[str, float]:
        """Counters and gauges for monitoring, by name."""
        seconds = list(self.dispatcher.decision_s)
        numbers: dict[str, float] = dict(self.dispatcher.counters)
        numbers |= {f"jobs_{cause}": count for cause, count in self.live_jobs.counts().items()}
        numbers["commits"] = self.submissions.commits
        numbers["lost_seconds"] = self.dispatcher.lost_s
        policy = self.policy()
        numbers["fallbacks"] = policy.fallbacks
        numbers |= {f"fallbacks_{fault}": count for fault, count in policy.faults.items()}
        numbers["decision_seconds_last"] = seconds[-1] if seconds else 0.0
        numbers["decision_seconds_mean"] = sum(seconds) / len(seconds) if seconds else 0.0
        numbers["decision_seconds_max"] = max(seconds, default=0.0)
        return numbers

    def _submit_trial(self, spec: JobSpec, key: str) -> Job:
        (job,), _ = self.submit([spec], actor=ACTOR, key=key)
        return job

    def _asked(self, request: Request) -> Job:
        self.post(request)
        self._answered(request.answer, f"the change of job {request.job} is not confirmed yet")
        return self.store.job(request.job)

    def _answered(self, answer: Future[None], pending: str) -> None:
        try:
            answer.result(ANSWER_S)
        except TimeoutError:
            raise OutageError(f"{pending}; ask for its state later") from None

    def _spent_of_budgets(self) -> dict[int, float]:
        """Dollars that live jobs with a budget have cost so far, by number."""
        now, live = self._clock.now(), self.live_jobs
        with live.lock:
            spent = {
                number: live.totals.of(number).dollars
                for number, job in live.jobs.items()
                if job.spec.budget is not None
            }
            for number in spent.keys() & live.attempts.keys():
                attempt = live.attempts[number]
                pool = live.pool(attempt.pool)
                if pool is not None and attempt.started_at is not None:
                    hours = live.active.elapsed(attempt, now) * attempt.width / 3600
                    spent[number] += hours * pool.dollars_per_device_hour
        return spent

    def _look_at_nodes(self) -> None:
        """A node that never answers makes no event: after a while it is down."""
        self.dispatcher.post(NodesChanged(self._parts.executor.nodes()))

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


def _event_listeners(store: Store) -> list[EventListener]:
    """Who wants to hear of every event: the log, if anybody reads it, and a trace."""
    listeners: list[EventListener] = [job_log.JobEventLog()] if job_log.enabled() else []
    provider = job_spans.configured()
    return listeners if provider is None else [*listeners, job_spans.JobSpans(store, provider)]
