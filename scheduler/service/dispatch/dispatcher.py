"""The dispatcher: one thread that hears what happened, decides, commits and launches.

`step` is the whole of it for one instant and may be driven by hand; `start` drives it by the
clock. Nobody else changes a live job.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from scheduler.clock import Clock
from scheduler.decisions.rounds.explanation import observer
from scheduler.decisions.rounds.policy import Policy
from scheduler.decisions.rounds.round import Mode
from scheduler.decisions.rounds.run import run_round
from scheduler.decisions.state.plan import Action, Placement, Plan
from scheduler.decisions.state.snapshot import Snapshot
from scheduler.domain import transitions
from scheduler.domain.errors import FulcrumError, OutageError, StateError
from scheduler.domain.events import Transition
from scheduler.domain.jobs import Attempt, fresh_nonce
from scheduler.domain.lifecycle import AttemptState, JobState
from scheduler.domain.records import Decision
from scheduler.estimates.estimator import Estimator
from scheduler.executors.base import Executor, Exited, Started
from scheduler.service.dispatch import event_handlers
from scheduler.service.dispatch.launch_spec import LaunchSpecBuilder
from scheduler.service.dispatch.launcher import Launcher
from scheduler.service.dispatch.live_jobs import LiveJobs
from scheduler.service.dispatch.measurement import measured
from scheduler.service.dispatch.messages import (
    Admitted,
    Cancel,
    Message,
    Reestimate,
    Request,
    Update,
)
from scheduler.service.dispatch.progress import latest
from scheduler.service.dispatch.transaction import Transaction
from scheduler.service.policy_control.active_policy import ActivePolicy
from scheduler.store.base import Store

_log = logging.getLogger(__name__)

TICK_S = 2.0
"""How often running attempts' progress is read."""
REPRICE_S = 30.0
"""How often the whole queue is estimated anew, if anything was learned."""
RETRY_S = 1.0
"""Pause after a failed step."""

Watch = Callable[[Snapshot, Mode, Sequence[Placement]], None]
"""(what was decided on, the cluster's mode, what was placed)."""


class Dispatcher:
    """Owns the board: hears, decides, commits, launches."""

    def __init__(
        self,
        store: Store,
        board: LiveJobs,
        executor: Executor,
        orders: LaunchSpecBuilder,
        estimator: Estimator,
        ruling: ActivePolicy,
        clock: Clock,
        *,
        grace_s: float = 5.0,
        watch: Watch | None = None,
    ) -> None:
        """`watch` is told of every round after its plan was carried out, and must not linger."""
        self._store = store
        self._board = board
        self._executor = executor
        self._orders = orders
        self._estimator = estimator
        self._ruling = ruling
        self._clock = clock
        self._grace_s = grace_s
        self._watch = watch
        self._inbox: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._unheard: list[Message] = []
        self._unsettled: deque[Transition] = deque()
        self._behind = False
        self._orphans = True
        self._dirty = True
        self._waits = False
        self._reserved: dict[int, tuple[str, int]] = {}
        self._ruler: Policy | None = None
        self._next_tick = 0.0
        self._told = ""
        self._priced = (estimator.version, 0.0)
        self._thread = threading.Thread(target=self._run, name="dispatcher", daemon=True)
        self._stopping = threading.Event()
        self._gate = threading.Lock()
        self.counters: Counter[str] = Counter()
        """Rounds, launches, messages, stale events, conflicts, failed steps; since the start."""
        self._launcher = Launcher(
            board, executor, orders, self.post, self.counters, grace_s=grace_s
        )
        self.decision_s: deque[float] = deque(maxlen=1000)
        """Seconds of the newest rounds: candidates, scores, plan."""
        self.busy_since: float | None = None
        """Monotonic seconds at which the present step began; None between steps."""
        self.failures = 0
        """Steps that failed since the last that did not."""
        self.error = ""
        """Why the last of these failed."""

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin to decide in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """End after the current step; attempts run on."""
        with self._gate:
            self._stopping.set()
        self._inbox.put(None)
        if self._thread.is_alive():
            self._thread.join()
        unheard, self._unheard = [*self._unheard, *self._drain()], []
        for message in unheard:
            if isinstance(message, Request):
                message.answer.set_exception(_closed())

    def post(self, *messages: Message) -> None:
        """Let the dispatcher know; returns at once."""
        with self._gate:
            for message in messages:
                if isinstance(message, Request) and self._stopping.is_set():
                    message.answer.set_exception(_closed())
                else:
                    self._inbox.put(message)

    def step(self, now: float) -> None:
        """Hear everything posted, then decide once if anything changed.

        If it raises, the next step takes up where this one left off.
        """
        self._heed_clock(now)
        self._catch_up(now)
        self._unheard += self._drain()
        if self._unheard:
            self._hear(now)
        while self._unsettled:
            self._settle(self._unsettled[0], now)
            self._unsettled.popleft()
        self._give_up_dependents(now)
        if self._board.reconsider(now):
            self._dirty = True
        if self._dirty:
            self._decide(now)
            self._dirty = False
        self._launcher.launch(now)
        if self._behind:
            raise StateError("the store did not accept every change; it is read again")

    def tick(self, now: float) -> None:
        """Read how far running attempts are; estimate the queue anew now and then."""
        with self._board.lock:
            running = list(self._board.attempts.values())
        for attempt in running:
            if attempt.started_at is not None:
                self._follow(attempt, now)
        # Only time can change the mind of a policy that chose to wait while nothing happens.
        self._dirty |= self._waits
        version, at = self._priced
        if self._estimator.version != version and now >= at + REPRICE_S:
            self._priced = (self._estimator.version, now)
            self.post(Reestimate(lambda _: True))

    def _run(self) -> None:
        while not self._stopping.is_set():
            now = self._clock.now()
            self.busy_since = time.monotonic()
            try:
                self.step(now)
                if now >= self._next_tick:
                    self._next_tick = now + TICK_S
                    self.tick(now)
            except Exception as error:
                # What was heard is kept and said again; what was not committed did not happen.
                self._tell(error)
                self.counters["failed_steps"] += 1
                self.failures, self.error = self.failures + 1, f"{type(error).__name__}: {error}"
                self.busy_since = None
                self._stopping.wait(RETRY_S)
            else:
                self.failures, self.busy_since = 0, None
                self._told = ""
                self._await_message()

    def _tell(self, error: Exception) -> None:
        """Log a failed step: a part that does not answer in a sentence, once for each trouble."""
        if not isinstance(error, OutageError):
            _log.error("a scheduling step failed; it is tried again", exc_info=error)
        elif error.message != self._told:
            self._told = error.message
            _log.error("nothing is scheduled: %s", error.message)

    def _heed_clock(self, now: float) -> None:
        """If somebody set the clock, no pause, wait or run time shall be longer or shorter."""
        seconds = self._clock.stepped()
        if not seconds:
            return
        _log.warning("the machine's clock was set by %+.0f s; durations are not affected", seconds)
        version, at = self._priced
        self._priced = (version, at + seconds)
        self._next_tick += seconds
        self._board.shift(seconds, now)
        self._dirty = True

    def _await_message(self) -> None:
        due = [self._board.next_due()]
        if self._board.attempts or self._waits:
            due.append(self._next_tick)
        until = min((at for at in due if at is not None), default=None)
        timeout = None if until is None else max(until - self._clock.now(), 0.0)
        try:
            message = self._inbox.get(timeout=timeout)
        except queue.Empty:
            return
        if message is not None:
            self._unheard.append(message)

    def _drain(self) -> Iterable[Message]:
        while not self._inbox.empty():
            message = self._inbox.get()
            if message is not None:
                yield message

    def _hear(self, now: float) -> None:
        changes = Transaction(self._board)
        answers: list[tuple[Request, FulcrumError | None]] = []
        for message in self._unheard:
            match message:
                case Admitted(jobs):
                    self._board.admit(jobs, now)
                    self._orphans = True
                case Reestimate(chosen):
                    self._board.reconsider(now, chosen)
                case Cancel():
                    refused = event_handlers.cancel(message, changes, self._store.job, now)
                    answers.append((message, refused))
                case Update():
                    refused = event_handlers.update(message, changes, self._store.job, now)
                    answers.append((message, refused))
                case Started():
                    event_handlers.started(message, changes)
                case Exited():
                    if not event_handlers.exited(message, changes, self._board.pool):
                        self.counters["stale_events"] += 1
        done, behind = self._commit(changes, now)
        self.counters["messages"] += len(self._unheard)
        self._unheard = [message for message in self._unheard if _about(message) in behind]
        self._unsettled.extend(done)
        self._dirty = True
        self._orphans |= any(item.job.state.final for item in done)
        for message, refused in answers:
            if message.job in behind:
                continue
            if refused is None:
                message.answer.set_result(None)
            else:
                message.answer.set_exception(refused)

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
        """After a commit of unknown outcome: take over what the store says."""
        if not self._behind:
            return
        live = {job.id: job for job in self._store.live()[0]}
        for known in list(self._board.jobs.values()):
            job = live.get(known.id) or self._store.job(known.id)
            if job.version != known.version:
                self._board.restore(job, self._store.attempts(job.id), now)
                holding = self._board.attempts.get(job.id)
                self._launcher.add([holding] if holding is not None else [])
        self._behind = False
        self._dirty = self._orphans = True

    def _settle(self, transition: Transition, now: float) -> None:
        """What follows from a written change: stop an attempt, learn from one."""
        job, attempt = transition.job, transition.attempt
        if job.state is not JobState.QUEUED:
            self._reserved.pop(job.id, None)
        if job.state is JobState.CANCELLING:
            running = self._board.attempts.get(job.id)
            if running is not None:
                self._executor.cancel(running.id, grace_s=self._grace_s)
        if attempt is None or not attempt.state.final:
            return
        self._estimator.forget(attempt.id)
        pool = self._board.pool(attempt.pool)
        if attempt.state is AttemptState.SUCCEEDED and pool is not None:
            measurement = measured(job, attempt, pool)
            self._store.measure(measurement)
            self._estimator.observe(measurement)
            self._board.reprice(measurement.key, now)

    def _give_up_dependents(self, now: float) -> None:
        while self._orphans:
            changes = Transaction(self._board)
            for job, dependency in self._board.unmet():
                changes.add(transitions.unmet(job, self._store.job(dependency), now))
            done, _ = self._commit(changes, now)
            self._orphans = bool(done)

    def _decide(self, now: float) -> None:
        snapshot = self._board.snapshot(now)
        self._waits = False
        if not snapshot.queue.depth:
            return
        policy, mode = self._ruling.current()
        begun = time.perf_counter()
        if policy is not self._ruler:
            # What another policy promised binds nobody.
            self._ruler, snapshot = policy, replace(snapshot, committed=())
        plan = run_round(snapshot, policy, mode, observer(policy))
        self._board.promise(plan.reservations)
        self.decision_s.append(time.perf_counter() - begun)
        self.counters["rounds"] += 1
        self._waits = any(decision.action == Action.WAIT for decision in plan.decisions)
        self._carry_out(plan, now)
        if self._watch is not None:
            self._watch(snapshot, self._ruling.mode, plan.placements)

    def _carry_out(self, plan: Plan, now: float) -> None:
        changes = Transaction(self._board)
        placements = {placement.job: placement for placement in plan.placements}
        taken: list[Attempt] = []
        for decision in plan.decisions:
            job = self._board.jobs.get(decision.job)
            placement = placements.get(decision.job)
            if job is None:
                continue
            if placement is None:
                self._note_reservation(decision, changes)
                continue
            pool = self._board.pools[placement.pool]
            devices = self._board.free_devices(placement.pool, placement.nodes, taken)
            if devices is None:
                self.counters["conflicts"] += 1
                continue
            estimate = self._estimator.estimate(job.spec, pool, placement.width)
            change, attempt = transitions.placed(
                job, pool, devices, estimate, now, decision.reason, fresh_nonce()
            )
            taken.append(attempt)
            changes.add(change, replace(decision, attempt=attempt.number))
        done, _ = self._commit(changes, now)
        self._launcher.add(item.attempt for item in done if item.attempt is not None)

    def _note_reservation(self, decision: Decision, changes: Transaction) -> None:
        place = (decision.chosen.pool, decision.chosen.width)
        if decision.action == Action.RESERVE and self._reserved.get(decision.job) != place:
            self._reserved[decision.job] = place
            changes.note(decision)

    def _follow(self, attempt: Attempt, now: float) -> None:
        elapsed = self._board.elapsed(attempt, now)
        progress = latest(self._metrics(attempt))
        if progress is not None:
            ago = max(0.0, now - progress.time)
            self._estimator.progress(attempt.id, progress.fraction, max(0.0, elapsed - ago))
        job = self._board.jobs.get(attempt.job)
        limit = None if job is None else job.spec.max_duration_s
        left = self._estimator.remaining(attempt.id, attempt.estimate.runtime_s, elapsed, limit)
        self._board.refine(attempt.job, now + left)

    def _metrics(self, attempt: Attempt) -> Path:
        return self._orders.folders.attempt(attempt.job, attempt.number) / "metrics.jsonl"


def _about(message: Message) -> int | None:
    """The one job that a message changes."""
    match message:
        case Cancel() | Update():
            return message.job
        case Started() | Exited():
            return int(message.attempt.partition(".")[0])
        case _:
            return None


def _closed() -> OutageError:
    return OutageError("the service is stopping; ask again later")
