"""The service: what every door calls."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from scheduler.decisions.state.queue import EstimatedPlacement
from scheduler.domain.errors import (
    IllegalTransitionError,
    InfeasibleError,
    InputError,
    MissingError,
    OutageError,
)
from scheduler.domain.jobs import Attempt, Job, JobSpec
from scheduler.domain.lifecycle import JobState
from scheduler.domain.units import money
from scheduler.executors.base import LaunchSpec
from scheduler.problems import HealthProblem
from scheduler.service import folder_check
from scheduler.service.components import Components
from scheduler.service.dispatch.dispatcher import Dispatcher
from scheduler.service.dispatch.launch_spec import LaunchSpecBuilder
from scheduler.service.dispatch.live_jobs import LiveJobs
from scheduler.service.dispatch.messages import Admitted, Cancel, Reestimate, Request, Update
from scheduler.service.dispatch.placement_options import priced
from scheduler.service.dispatch.reconciler import reconcile
from scheduler.service.dispatch.submissions import Submissions
from scheduler.service.maintenance.checkup import Checkup
from scheduler.service.maintenance.housekeeping import Housekeeping, PeriodicTask
from scheduler.service.maintenance.retention import SWEEP_S, Kind, Retention
from scheduler.service.policy_control.controller import PolicyController
from scheduler.service.queries.explain import ExplainService
from scheduler.service.queries.views import (
    ActivePolicyView,
    ClusterView,
    Explanation,
    Outlook,
    PoolView,
    Preferences,
)
from scheduler.store.base import Submission
from scheduler.workloads.spec.specs import references

ANSWER_S = 30.0
"""How long a change may take to become durable before its caller is sent away."""


class Service:
    """Submits, cancels, explains; decides and launches in a thread of its own."""

    def __init__(self, parts: Components) -> None:
        self.store = parts.store
        self.folders = parts.folders
        self._parts = parts
        self._clock = parts.clock
        self._ruling = parts.ruling
        self._pools = parts.inventory.present
        self._board = LiveJobs(
            self._pools,
            self._options,
            parts.ruling.preference,
            lambda job: self.store.job(job).state,
            parts.origin,
        )
        self._orders = LaunchSpecBuilder(parts.folders, parts.inventory.devices)
        self._choosing = PolicyController(
            parts.ruling,
            parts.store,
            parts.clock,
            self._pools,
            rival=parts.rival,
            replay=parts.replay,
            fit=parts.fit,
            shadow=parts.shadow,
            shadow_log=parts.folders.root.with_name("shadow") / "decisions.jsonl",
        )
        self._dispatcher = Dispatcher(
            parts.store,
            self._board,
            parts.executor,
            self._orders,
            parts.estimator,
            parts.ruling,
            parts.clock,
            grace_s=parts.grace_s,
            watch=self._choosing.watch,
        )
        self._submissions = Submissions(parts.store, self._admit)
        self._explaining = ExplainService(self._board, parts.ruling, parts.estimator)
        self._checkup = Checkup(
            parts.store,
            parts.executor,
            self._board,
            self._dispatcher,
            parts.ruling,
            parts.folders,
            parts.clock,
            lambda: self._submissions.alive,
            parts.inventory.absent,
            parts.crashes,
            parts.disks,
            parts.least_free,
        )
        self.retention = Retention(
            parts.store,
            self._board,
            parts.folders,
            parts.clock,
            parts.folders.root.parent,
            rules=parts.retention,
            success_checkpoints=parts.success_checkpoints,
        )
        self._housekeeping = Housekeeping(
            [
                PeriodicTask("the look at the service", 30.0, self._checkup.tell),
                PeriodicTask("the sweep", SWEEP_S, self.retention.sweep),
            ]
        )

    @property
    def dispatcher(self) -> Dispatcher:
        """For those who drive time by hand: its `step` and `tick`."""
        return self._dispatcher

    def start(self, *, threaded: bool = True) -> None:
        """Load, reconcile, accept. `threaded=False`: the caller drives `dispatcher.step`."""
        self._choosing.start()
        jobs, attempts = self.store.live()
        for job in jobs:
            if job.spec.budget is not None and job.attempts:
                ended = self.store.attempts(job.id)
                self._board.spend(job.id, sum(attempt.dollars or 0.0 for attempt in ended))
        self._board.load(jobs, attempts, self._clock.now())
        self._parts.executor.start(self._dispatcher.post)
        self._parts.executor.stop_others([self.folders.key(attempt) for attempt in attempts])
        folder_check.settle(self.folders.root, self.store)
        reconcile(
            self._board,
            self._parts.executor,
            self.folders,
            self._order,
            self._dispatcher.post,
            self._clock,
            grace_s=self._parts.grace_s,
        )
        self._submissions.start()
        if threaded:
            self._dispatcher.start()
            self._housekeeping.start()

    def stop(self) -> None:
        """Finish what was accepted, then leave; attempts run on."""
        self._housekeeping.stop()
        self._submissions.stop()
        self._dispatcher.stop()
        self._choosing.stop()
        if self._parts.crashes is not None:
            self._parts.crashes.close()
        self._parts.executor.close()
        self.store.close()
        if self._parts.lock is not None:
            self._parts.lock.release()

    def problems(self) -> tuple[HealthProblem, ...]:
        """What is not well, the fatal first; returns within seconds, whatever hangs."""
        return self._checkup.problems()

    def job(self, job_id: int) -> Job:
        """From memory while it is live, which lags a moment behind; raises `MissingError`."""
        return self._board.jobs.get(job_id) or self.store.job(job_id)

    def submit(
        self,
        specs: Sequence[JobSpec],
        *,
        actor: str,
        key: str | None = None,
        digest: str = "",
    ) -> list[Job]:
        """Store jobs, all or none; they are durable on return.

        Inside one submission `-k` in `after` and in `work["models"]` means its k-th job. `key` is
        the idempotency key: the same with the same `digest` answers the jobs of the first time.
        Raises `InputError`, `InfeasibleError`, `ConflictError`, `OutageError`.
        """
        for position, spec in enumerate(specs):
            self._check(spec, f"jobs[{position}]." if len(specs) > 1 else "")
        return self._submissions.submit(
            Submission(specs, self._clock.now(), actor, key=key, digest=digest)
        )

    def cancel(self, job_id: int, *, actor: str, reason: str = "") -> Job:
        """Stop a job; raises `MissingError`, or `IllegalTransitionError` if it has ended.

        `OutageError` if nobody confirms it: then it may take effect later.
        """
        return self._asked(Cancel(job_id, actor, reason))

    def update(self, job_id: int, changes: Mapping[str, Any], *, actor: str) -> Job:
        """Change `CHANGEABLE` fields of a waiting job, from the next round on.

        Raises `MissingError`, or `IllegalTransitionError` if it does not wait; `OutageError`
        as `cancel`.
        """
        return self._asked(Update(job_id, changes, actor))

    def retry(self, job_id: int, *, actor: str, key: str | None = None, digest: str = "") -> Job:
        """Submit an ended job once more, as a new job; raises as `submit` and for live jobs."""
        job = self.store.job(job_id)
        if not job.state.final:
            raise IllegalTransitionError(
                f"job {job.id} is {job.state}",
                {"state": "only a job that has ended can be run again"},
            )
        self._check(job.spec, "")
        submission = Submission(
            [job.spec], self._clock.now(), actor, key=key, digest=digest, retry_of=job.id
        )
        return self._submissions.submit(submission)[0]

    def explain(self, job_id: int) -> Explanation:
        """Why the job is where it is; raises `MissingError`."""
        job = self.store.job(job_id)
        decisions = self.store.decisions(job_id)
        return self._explaining.explain(job, decisions, self._clock.now())

    def plan(self, spec: JobSpec) -> list[Outlook]:
        """What would happen to it, for fast, balanced and cheap; raises `InfeasibleError`."""
        self._check(spec, "")
        return self._explaining.plan(spec, self._clock.now())

    def cluster(self) -> ClusterView:
        """Pools, devices and who holds them."""
        inventory = self._parts.inventory
        with self._board.lock:
            holders = list(self._board.attempts.values())
            queued = sum(job.state is JobState.QUEUED for job in self._board.jobs.values())
        return ClusterView(
            now=self._clock.now(),
            pools=[PoolView.of(pool, inventory, holders) for pool in inventory.pools],
            queued=queued,
            active=len(holders),
            policy=self.policy(),
        )

    def policies(self) -> Mapping[str, str]:
        """Name → summary of every policy that can be used."""
        return self._parts.policies

    def policy(self) -> ActivePolicyView:
        """Who decides now."""
        return self._choosing.view()

    def use_policy(
        self,
        name: str,
        *,
        mode: str | None = None,
        preference: float | None = None,
        actor: str,
    ) -> ActivePolicyView:
        """Switch without a restart, and remember it; raises `MissingError`, `InputError`."""
        if self._parts.crashes is not None:
            self._parts.crashes.pardon(name)
        view = self._choosing.use(name, mode, preference, actor)
        self._dispatcher.post(Reestimate(lambda spec: spec.preference is None))
        return view

    def preferences(self) -> Preferences:
        """The cluster's, and the projects'."""
        return self._ruling.preferences()

    def prefer(
        self,
        cluster: float | None = None,
        projects: Mapping[str, float | None] | None = None,
        *,
        actor: str,
    ) -> Preferences:
        """Change them without a restart, for waiting jobs too, and remember it.

        None for a project: the cluster's from now on. Raises `InputError`.
        """
        chosen = projects or {}
        preferences = self._choosing.prefer(cluster, chosen, actor)
        self._dispatcher.post(
            Reestimate(
                lambda spec: (
                    spec.preference is None and (cluster is not None or spec.project in chosen)
                )
            )
        )
        return preferences

    def fit_policy(self, name: str | None = None, *, actor: str) -> ActivePolicyView:
        """Replay jobs with it and its rival; the better decides; see `PolicyController.fit`."""
        return self._choosing.fit(name, actor)

    def shadow_policy(self, name: str | None, *, actor: str) -> ActivePolicyView:
        """Let a candidate see every decision (None: stop); see `PolicyController.follow`."""
        return self._choosing.follow(name, actor)

    def score_shadow(self) -> ActivePolicyView:
        """Replay the shadow and the active policy; see `PolicyController.score`."""
        return self._choosing.score()

    def wait_for_change(self, job_id: int, version: int, timeout_s: float) -> Job:
        """The job as soon as its version is above `version`, or as it is after `timeout_s`."""
        until = time.monotonic() + timeout_s
        with self._board.changed:
            # Looking under the lock: a change after the look cannot slip by before the wait. The
            # board is asked first, so that waiters do not read the store at every job's change.
            while True:
                job = self.job(job_id)
                left = until - time.monotonic()
                if job.version > version or job.state.final or left <= 0:
                    return job
                self._board.changed.wait(left)

    def statistics(self) -> Mapping[str, float]:
        """Counters and gauges for monitoring, by name."""
        seconds = list(self._dispatcher.decision_s)
        numbers: dict[str, float] = dict(self._dispatcher.counters)
        numbers |= {f"jobs_{cause}": count for cause, count in self._board.counts().items()}
        numbers["commits"] = self._submissions.commits
        policy = self.policy()
        numbers["fallbacks"] = policy.fallbacks
        numbers |= {f"fallbacks_{fault}": count for fault, count in policy.faults.items()}
        numbers["decision_seconds_last"] = seconds[-1] if seconds else 0.0
        numbers["decision_seconds_mean"] = sum(seconds) / len(seconds) if seconds else 0.0
        numbers["decision_seconds_max"] = max(seconds, default=0.0)
        return numbers

    def _asked(self, request: Request) -> Job:
        self._dispatcher.post(request)
        try:
            request.answer.result(ANSWER_S)
        except TimeoutError:
            raise OutageError(
                f"the change of job {request.job} is not confirmed yet; ask for its state later"
            ) from None
        return self.store.job(request.job)

    def _admit(self, jobs: Sequence[Job]) -> None:
        self._dispatcher.post(Admitted(jobs))

    def _options(self, spec: JobSpec) -> Sequence[EstimatedPlacement]:
        try:
            return priced(spec, self._pools, self._parts.estimator)
        except InfeasibleError as error:
            absent = [
                f"pool {pool.name} cannot run it: {why}"
                for pool in self._parts.inventory.pools
                if (why := self._parts.inventory.absent.get(pool.name))
                and spec.request.accepts(pool.kind, pool.model)
            ]
            raise InfeasibleError("; ".join((error.message, *absent)), error.fields) from None

    def _check(self, spec: JobSpec, prefix: str) -> None:
        """Refuse what could never start: no model, no pool that fits, too small a budget."""
        for number in references(spec.work):
            if self.retention.touched(number, Kind.MODELS):
                self._require_model(number, prefix)
        try:
            found = self._options(spec)
        except InfeasibleError as error:
            fields = {f"{prefix}{field}": legal for field, legal in error.fields.items()}
            raise InfeasibleError(error.message, fields) from None
        if spec.budget is None:
            return
        least = min(option.dollars for option in found)
        if least > spec.budget:
            raise InfeasibleError(
                f"its cheapest placement costs {money(least, up=True)} by estimate",
                {f"{prefix}budget": f"at least {money(least, up=True)}"},
            )

    def _require_model(self, number: int, prefix: str) -> None:
        model = self.folders.artifacts(number) / "model.pt"
        try:
            self.retention.require(self.store.job(number), Kind.MODELS, model)
        except MissingError as error:
            raise InputError(error.message, {f"{prefix}work.models": error.message}) from None

    def _order(self, job: Job, attempt: Attempt) -> LaunchSpec | None:
        pool = self._board.pool(attempt.pool)
        if pool is None:
            return None
        try:
            return self._orders.order(job, attempt, pool)
        except MissingError:  # the pool has become smaller
            return None
