"""The dispatcher: one thread that handles messages, decides, commits and launches.

`step` is all of it for one instant and may be called by hand; `start` calls it by the clock. Only
the dispatcher changes a live job.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import inf, isfinite

from scheduler.clock import Clock
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.observer import observer
from scheduler.decisions.rounds.policy import Policy, traits
from scheduler.decisions.rounds.run import run_round
from scheduler.decisions.state.plan import Action, Placement, Plan
from scheduler.decisions.state.snapshot import Snapshot
from scheduler.domain import transitions
from scheduler.domain.errors import FulcrumError, StateError
from scheduler.domain.events import Transition
from scheduler.domain.lifecycle import JobState
from scheduler.estimates.estimator import Estimator
from scheduler.executors.base import Executor, Exited, NodesChanged, Started
from scheduler.service.dispatch import event_handlers
from scheduler.service.dispatch.consequences import Consequences
from scheduler.service.dispatch.launch_spec import LaunchSpecBuilder
from scheduler.service.dispatch.launcher import Launcher
from scheduler.service.dispatch.messages import (
    Admitted,
    Cancel,
    ChangeNode,
    Inbox,
    Message,
    Preempt,
    Reestimate,
    Request,
    Update,
    refuse,
    subject,
)
from scheduler.service.dispatch.observation import ProgressReader
from scheduler.service.dispatch.plan_changes import PlanChanges
from scheduler.service.dispatch.step_record import StepRecord
from scheduler.service.dispatch.transaction import Transaction
from scheduler.service.grace_periods import GracePeriods
from scheduler.service.live.live_jobs import LiveJobs
from scheduler.service.nodes.cluster_nodes import ClusterNodes
from scheduler.service.policy_control.active_policy import ActivePolicy
from scheduler.service.running.losses import Losses
from scheduler.store.base import Store

_log = logging.getLogger(__name__)

TICK_S = 2.0
"""How often running attempts' progress is read."""
REESTIMATE_S = 30.0
"""How often the whole queue is estimated again, if anything was learned."""
RETRY_S = 1.0
"""Pause after a failed step."""

Watch = Callable[[Snapshot, Mode, Sequence[Placement]], None]
"""Called with the snapshot of a round, the cluster's mode, and what was placed."""


class Dispatcher:
    """Changes the live jobs: handles messages, decides, commits, launches."""

    def __init__(
        self,
        store: Store,
        live_jobs: LiveJobs,
        executor: Executor,
        launch_specs: LaunchSpecBuilder,
        estimator: Estimator,
        active_policy: ActivePolicy,
        clock: Clock,
        *,
        grace: GracePeriods,
        nodes: ClusterNodes | None = None,
        watch: Watch | None = None,
    ) -> None:
        """`nodes` takes over what happens to nodes; None: nothing does.

        `watch` is called after the plan of a round was carried out, and must return at once.
        """
        self._store = store
        self._live_jobs = live_jobs
        self._estimator = estimator
        self._active_policy = active_policy
        self._clock = clock
        self._nodes = nodes
        self._watch = watch
        self._inbox = Inbox()
        self._pending: list[Message] = []
        """Messages that were taken from the inbox and whose changes are not committed yet."""
        self._behind = False
        """Whether the store may have changes that the live jobs lack."""
        self._orphans = True
        """Whether a job may have a dependency that ended without success."""
        self._dirty = True
        """Whether anything has changed since the last round."""
        self._waits = False
        """Whether the policy chose to wait in the last round."""
        self._again_at = inf
        """Unix seconds: the policy wants to decide again, or projects may spend again."""
        self._last_policy: Policy | None = None
        self._next_tick = 0.0
        self._reestimated = (estimator.version, 0.0)
        """The estimator's version at the last look at the whole queue, and its time."""
        self._thread = threading.Thread(target=self._run, name="dispatcher", daemon=True)
        self._stepped = threading.Condition()
        self.counters: Counter[str] = Counter()
        """Rounds, launches, messages, stale events, conflicts, failed steps; since the start."""
        self._progress = ProgressReader(live_jobs, estimator, launch_specs.folders)
        self._launcher = Launcher(
            live_jobs, executor, launch_specs, self.post, self.counters, grace
        )
        self._losses = Losses(store, launch_specs.folders)
        self._plan_changes = PlanChanges(live_jobs, self.counters)
        self._consequences = Consequences(
            store, live_jobs, executor, estimator, self._plan_changes, self.counters, grace
        )
        self.decision_s: deque[float] = deque(maxlen=1000)
        """Seconds of the newest rounds: candidates, scores, plan."""
        self.steps = StepRecord()

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    @property
    def idle(self) -> bool:
        """Whether nothing is left to do before the next message or the next due time."""
        # In this order: a message is in the inbox until a step has begun.
        return not (
            len(self._inbox)
            or self.steps.busy_since is not None
            or self._pending
            or len(self._consequences)
            or (self._dirty and not self._waits)
            or self._behind
            or len(self._launcher)
        )

    @property
    def lost_s(self) -> float:
        """Seconds of attempts that preemption cost, since the start."""
        return self._consequences.lost_s

    def start(self) -> None:
        """Begin to decide in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """End after the current step; attempts run on."""
        self._inbox.close()
        if self._thread.is_alive():
            self._thread.join()
        pending, self._pending = [*self._pending, *self._inbox.take()], []
        refuse(pending)

    def post(self, *messages: Message) -> None:
        """Let the dispatcher know; returns at once."""
        self._inbox.post(*messages)

    def wait_idle(self, timeout: float) -> bool:
        """Wait until it is `idle`; False: it is not after `timeout` seconds."""
        with self._stepped:
            return self._stepped.wait_for(lambda: self.idle, timeout)

    def step(self, now: float) -> None:
        """Handle everything posted, then decide once if anything changed.

        If it raises, the next step continues where this one failed.
        """
        self._correct_clock(now)
        self._catch_up(now)
        self._pending += self._inbox.take()
        if self._pending:
            self._handle_messages(now)
        self._consequences.draw(now)
        self._give_up_dependents(now)
        if self._live_jobs.reconsider(now) or now >= self._again_at:
            self._dirty, self._again_at = True, inf
        if self._dirty:
            self._decide(now)
            self._dirty = False
        self._consequences.draw(now)
        self._launcher.launch(now)
        if self._behind:
            raise StateError("the store did not accept every change; it is read again")

    def tick(self, now: float) -> None:
        """Read how far running attempts are; estimate the queue again now and then."""
        self._progress.read(now)
        # Only time can change the mind of a policy that chose to wait while nothing happens, or
        # make a running attempt old enough to be preempted and a waiting job urgent enough.
        self._dirty |= self._waits or self._active_policy.preempts
        version, at = self._reestimated
        if self._estimator.version != version and now >= at + REESTIMATE_S:
            self._reestimated = (self._estimator.version, now)
            self.post(Reestimate(lambda _: True))

    def _run(self) -> None:
        while not self._inbox.closed:
            now = self._clock.now()
            self.steps.begin()
            try:
                self.step(now)
                if now >= self._next_tick:
                    self._next_tick = now + TICK_S
                    self.tick(now)
            except Exception as error:
                # Messages are kept and handled again; what was not committed did not happen.
                self.steps.fail(error)
                self.counters["failed_steps"] += 1
                self._inbox.wait_closed(RETRY_S)
            else:
                self.steps.succeed()
                with self._stepped:
                    self._stepped.notify_all()
                self._inbox.wait(self._seconds_left())

    def _seconds_left(self) -> float | None:
        """Until the next step is due without a message; None: not before one."""
        due = [self._live_jobs.next_due(), None if self._again_at == inf else self._again_at]
        if self._live_jobs.attempts or self._waits:
            due.append(self._next_tick)
        until = min((at for at in due if at is not None), default=None)
        return None if until is None else max(until - self._clock.now(), 0.0)

    def _correct_clock(self, now: float) -> None:
        """If somebody set the clock, keep the length of every pause, wait and run time."""
        seconds = self._clock.stepped()
        if not seconds:
            return
        _log.warning("the machine's clock was set by %+.0f s; durations are not affected", seconds)
        version, at = self._reestimated
        self._reestimated = (version, at + seconds)
        self._next_tick += seconds
        self._live_jobs.shift(seconds, now)
        self._dirty = True

    def _handle_messages(self, now: float) -> None:
        self._change_nodes(now)
        changes = Transaction(self._live_jobs)
        answers: list[tuple[Request, FulcrumError | None]] = []
        for message in self._pending:
            match message:
                case Admitted(jobs):
                    self._live_jobs.admit(jobs, now)
                    self._orphans = True
                case Reestimate(chosen):
                    self._live_jobs.reconsider(now, chosen)
                case Cancel() | Update() | Preempt():
                    refused = event_handlers.requested(message, changes, self._store.job, now)
                    answers.append((message, refused))
                case Started():
                    event_handlers.started(message, changes)
                case Exited():
                    pool_of, settle = self._live_jobs.pool, self._losses.settle
                    if not event_handlers.exited(message, changes, pool_of, settle):
                        self.counters["stale_events"] += 1
        done, behind = self._commit(changes, now)
        self.counters["messages"] += len(self._pending)
        self._pending = [message for message in self._pending if subject(message) in behind]
        self._consequences.add(done)
        self._dirty = True
        self._orphans |= any(item.job.state.final for item in done)
        for message, refused in answers:
            if message.job in behind:
                continue
            if refused is None:
                message.answer.set_result(None)
            else:
                message.answer.set_exception(refused)

    def _change_nodes(self, now: float) -> None:
        """Handle what concerns nodes first: no job is placed on one that was just lost."""
        for message in list(self._pending):
            if isinstance(message, NodesChanged | ChangeNode):
                if self._nodes is not None:
                    event_handlers.node_changed(message, self._nodes, self._live_jobs, now)
                self._dirty = True
                # Handled for good, whatever becomes of the others in this step.
                self._pending = [other for other in self._pending if other is not message]

    def _commit(
        self, changes: Transaction, now: float
    ) -> tuple[Sequence[Transition], frozenset[int]]:
        before = self._behind
        self._behind = True  # until the answer is there: a commit may take effect and yet fail
        done, refused = changes.commit(self._store, now)
        self._behind = before or bool(refused)
        self.counters["conflicts"] += len(refused)
        return done, refused

    def _catch_up(self, now: float) -> None:
        """After a commit of unknown outcome, take over what the store says."""
        if not self._behind:
            return
        live = {job.id: job for job in self._store.live()[0]}
        for known in list(self._live_jobs.jobs.values()):
            job = live.get(known.id) or self._store.job(known.id)
            if job.version != known.version:
                self._live_jobs.restore(job, self._store.attempts(job.id), now)
                holding = self._live_jobs.attempts.get(job.id)
                self._launcher.add([holding] if holding is not None else [])
        self._behind = False
        self._dirty = self._orphans = True

    def _give_up_dependents(self, now: float) -> None:
        while self._orphans:
            changes = Transaction(self._live_jobs)
            for job, dependency in self._live_jobs.unmet():
                changes.add(transitions.unmet(job, self._store.job(dependency), now))
            done, _ = self._commit(changes, now)
            self._orphans = bool(done)

    def _decide(self, now: float) -> None:
        snapshot = self._live_jobs.snapshot(now)
        self._waits = False
        policy, mode = self._active_policy.current()
        moves = isfinite(traits(policy).lease_s) and bool(snapshot.running_jobs)
        if not (snapshot.world.depth or moves):
            return
        begun = time.perf_counter()
        if policy is not self._last_policy:
            # Reservations that another policy made do not bind this one.
            self._last_policy, snapshot = policy, replace(snapshot, committed=())
        rules = self._active_policy.preemption
        plan = run_round(snapshot, policy, mode, observer(policy, mode), rules)
        self._live_jobs.promise(plan)
        self._again_at = min(plan.again_at, self._live_jobs.next_period(now))
        self.decision_s.append(time.perf_counter() - begun)
        self.counters["rounds"] += 1
        self.counters.update(f"decided_{decision.action}" for decision in plan.decisions)
        self._waits = any(decision.action == Action.WAIT for decision in plan.decisions)
        self._carry_out(plan, now)
        if self._watch is not None:
            self._watch(snapshot, self._active_policy.mode, plan.placements)

    def _carry_out(self, plan: Plan, now: float) -> None:
        done, _ = self._commit(self._plan_changes.of(plan, now), now)
        self._consequences.add(item for item in done if item.job.state is JobState.PREEMPTING)
        self._launcher.add(item.attempt for item in done if item.attempt is not None)
