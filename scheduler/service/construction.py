"""How the objects of a service are made of its components."""

from __future__ import annotations

import time
from collections.abc import Callable

from scheduler.domain.jobs import Job, JobSpec
from scheduler.domain.resources import Request as ResourceRequest
from scheduler.executors.base import NodesChanged
from scheduler.service.components import Components
from scheduler.service.dispatch.dispatcher import Dispatcher
from scheduler.service.dispatch.launch_spec import LaunchSpecBuilder
from scheduler.service.dispatch.messages import Reestimate
from scheduler.service.dispatch.submissions import Submissions
from scheduler.service.jobs.admission import Admission, Placements
from scheduler.service.jobs.control import JobControl
from scheduler.service.live.live_jobs import LiveJobs
from scheduler.service.live.placement_options import cheapest
from scheduler.service.maintenance.checkup import Checkup
from scheduler.service.maintenance.estimate_learning import LEARN_S, EstimateLearning
from scheduler.service.maintenance.housekeeping import Housekeeping, PeriodicTask
from scheduler.service.maintenance.outputs import Outputs
from scheduler.service.maintenance.retention import SWEEP_S, Retention
from scheduler.service.nodes.cluster_nodes import ClusterNodes
from scheduler.service.nodes.node_paths import LOOK_S as PATHS_S
from scheduler.service.notifications.notifier import LOOK_S as MESSAGES_S
from scheduler.service.notifications.notifier import Notifier
from scheduler.service.observability import job_log, job_spans
from scheduler.service.observability.event_feed import EventFeed, EventListener
from scheduler.service.policy_control.controller import PolicyAccess, PolicyController
from scheduler.service.projects.accounts import ProjectAccounts
from scheduler.service.projects.book import ProjectBook
from scheduler.service.projects.control import ProjectControl
from scheduler.service.projects.quotas import Quotas
from scheduler.service.projects.secrets import SecretVault
from scheduler.service.queries.budget_spending import spent_of_budgets
from scheduler.service.queries.deadlines import DeadlineCheck
from scheduler.service.queries.explain import ExplainService
from scheduler.service.queries.job_figures import JobFiguresQuery
from scheduler.service.queries.job_queries import JobQueries
from scheduler.service.queries.queue_forecast import QueueForecasts
from scheduler.service.queries.start_intervals import StartIntervals
from scheduler.service.sweeps.sweep_run import ACTOR, JobAccess
from scheduler.service.sweeps.sweeps import LOOK_S, SweepService
from scheduler.workloads.spec.paths import PathLook

WARM_UP_AFTER_S = 1.0
"""Seconds from the start until the service begins what keeps a processor busy."""
CHECK_S = 30.0
"""Seconds between two looks at the service, its pools and its nodes."""


def accounts(parts: Components) -> ProjectAccounts:
    """The accounts of projects."""
    book = ProjectBook(parts.store, parts.projects)
    return ProjectAccounts(parts.store, book, parts.half_life_s, fair=parts.fair_share)


def live_jobs(
    parts: Components, nodes: ClusterNodes, placements: Placements, accounts: ProjectAccounts
) -> LiveJobs:
    """The live jobs, still empty."""
    return LiveJobs(
        nodes.inventory.present,
        placements.estimates,
        parts.active_policy.preference,
        parts.store.job,
        parts.origin,
        lambda: parts.active_policy.preempts,
        nodes,
        accounts,
    )


def policy_control(
    parts: Components, nodes: ClusterNodes, access: PolicyAccess
) -> PolicyController:
    """The controller of the active policy."""
    return PolicyController(
        parts.active_policy,
        parts.store,
        parts.clock,
        lambda: nodes.inventory.present,
        baseline=parts.baseline,
        replay=parts.replay,
        replay_at_start=parts.replay_at_start,
        shadow=parts.shadow,
        shadow_log=parts.data / "shadow" / "decisions.jsonl",
        crashes=parts.crashes,
        access=access,
    )


def dispatcher(
    parts: Components,
    live_jobs: LiveJobs,
    launch_specs: LaunchSpecBuilder,
    nodes: ClusterNodes,
    policy_control: PolicyController,
) -> Dispatcher:
    """The dispatcher, not yet started."""
    return Dispatcher(
        parts.store,
        live_jobs,
        parts.executor,
        launch_specs,
        parts.estimator,
        parts.active_policy,
        parts.clock,
        grace=parts.grace,
        nodes=nodes,
        watch=policy_control.watch,
    )


def retention(parts: Components, live_jobs: LiveJobs, permit: Callable[[str], None]) -> Retention:
    """The rules by which files of ended jobs are removed."""
    return Retention(
        parts.store,
        live_jobs,
        parts.folders,
        parts.clock,
        parts.data,
        rules=parts.retention,
        success_checkpoints=parts.success_checkpoints,
        permit=permit,
        outputs=Outputs(parts.folders, parts.storage),
    )


def projects(
    parts: Components,
    accounts: ProjectAccounts,
    live_jobs: LiveJobs,
    placements: Placements,
    *,
    post: Callable[[Reestimate], None],
    refresh: Callable[[], None],
    permit: Callable[[str], None],
) -> ProjectControl:
    """The control of projects and their quotas."""
    return ProjectControl(
        accounts,
        Quotas(
            parts.store,
            accounts,
            live_jobs.lock,
            lambda spec: cheapest(placements.estimates(spec)),
        ),
        live_jobs.lock,
        live_jobs.projects_of_jobs,
        parts.clock,
        lambda name: post(Reestimate(lambda spec: spec.project == name)),
        refresh,
        permit,
    )


def job_control(
    parts: Components,
    admission: Admission,
    secrets: SecretVault,
    projects: ProjectControl,
    submissions: Submissions,
    post: Callable[..., None],
) -> JobControl:
    """What submits and changes jobs."""
    return JobControl(
        parts.store, admission, secrets, projects.quotas, submissions, parts.clock, post
    )


def job_queries(
    parts: Components,
    live_jobs: LiveJobs,
    nodes: ClusterNodes,
    admission: Admission,
    quotas: Quotas,
    refresh: Callable[[], None],
) -> JobQueries:
    """What answers questions about jobs."""
    policy, estimates = parts.active_policy, admission.placements.estimates
    forecasts = QueueForecasts(live_jobs, policy)
    return JobQueries(
        parts.store,
        ExplainService(
            live_jobs,
            policy,
            estimates,
            StartIntervals(live_jobs, parts.estimator),
            nodes,
            admission.placements.paths.obstacles,
        ),
        forecasts,
        DeadlineCheck(live_jobs, policy, estimates, lambda: forecasts.at(parts.clock.now())),
        JobFiguresQuery(parts.store, live_jobs, parts.folders),
        parts.clock,
        admission.check,
        quotas.warnings,
        refresh,
    )


def checkup(
    parts: Components,
    live_jobs: LiveJobs,
    dispatcher: Dispatcher,
    submissions: Submissions,
    nodes: ClusterNodes,
) -> Checkup:
    """The checks of the service."""
    return Checkup(
        parts.store,
        parts.executor,
        live_jobs,
        dispatcher,
        parts.active_policy,
        parts.folders,
        parts.clock,
        lambda: submissions.alive,
        nodes,
        parts.crashes,
        parts.disks,
        parts.least_free,
        parts.node_warnings,
    )


def sweeps(
    parts: Components,
    jobs: JobControl,
    job: Callable[[int], Job],
    post: Callable[..., None],
    look: Callable[[ResourceRequest], PathLook],
) -> SweepService:
    """The sweeps, whose trials are jobs."""

    def submit(spec: JobSpec, key: str) -> Job:
        (job,), _ = jobs.submit([spec], actor=ACTOR, key=key)
        return job

    now = parts.clock.now
    return SweepService(JobAccess(parts.store, parts.folders, job, submit, post, now, look))


def notifier(parts: Components, live_jobs: LiveJobs, job: Callable[[int], Job]) -> Notifier:
    """What tells people of their jobs."""
    return Notifier(
        parts.store,
        parts.channels,
        parts.clock,
        lambda: spent_of_budgets(live_jobs, parts.clock.now()),
        job,
    )


def event_feed(parts: Components) -> EventFeed:
    """What tells operators of events: the log, if anybody reads it, and a trace."""
    listeners: list[EventListener] = [job_log.JobEventLog()] if job_log.enabled() else []
    provider = job_spans.configured()
    if provider is not None:
        listeners.append(job_spans.JobSpans(parts.store, provider))
    return EventFeed(parts.store, listeners)


def periodic_threads(
    parts: Components,
    learning: EstimateLearning,
    checkup: Checkup,
    retention: Retention,
    policy_control: PolicyController,
    dispatcher: Dispatcher,
    sweeps: SweepService,
    notifier: Notifier,
    look_at_paths: Callable[[], None],
) -> list[Housekeeping]:
    """The threads of what a service does again and again, not yet started."""

    def look_at_nodes() -> None:
        """A node that never answers makes no event: after a while it is down."""
        dispatcher.post(NodesChanged(parts.executor.nodes()))

    learn = PeriodicTask("learning runtimes", LEARN_S, learning.learn)
    learn.due = time.monotonic() + WARM_UP_AFTER_S
    paths = PeriodicTask("the look at what jobs name", PATHS_S, look_at_paths)
    look_at_messages = PeriodicTask("notifications", MESSAGES_S, notifier.look)
    return [
        Housekeeping(
            [
                learn,
                PeriodicTask("the look at the service", CHECK_S, checkup.log_changes),
                PeriodicTask("the sweep", SWEEP_S, retention.sweep),
                PeriodicTask("the look at the pools", CHECK_S, policy_control.look_at_pools),
                PeriodicTask("the look at the nodes", CHECK_S, look_at_nodes),
            ]
        ),
        Housekeeping([PeriodicTask("the look at sweeps", LOOK_S, sweeps.look)], "sweeps"),
        Housekeeping([look_at_messages] if parts.channels.any else [], "notifications"),
        Housekeeping([] if parts.ask is None else [paths], "paths"),
    ]
