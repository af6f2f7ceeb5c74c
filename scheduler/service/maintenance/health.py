"""Checks of the service's health, made in a thread of their own."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from scheduler import problems
from scheduler.clock import Clock
from scheduler.compilation.interim import INTERIM
from scheduler.decisions.rounds.policy import mode_of
from scheduler.decisions.rounds.run import run_round
from scheduler.domain.errors import FulcrumError
from scheduler.domain.jobs import Attempt
from scheduler.domain.units import counted
from scheduler.problems import HealthProblem
from scheduler.service.dispatch.dispatcher import Dispatcher
from scheduler.service.live.live_jobs import LiveJobs
from scheduler.service.policy_control.active_policy import ActivePolicy

_log = logging.getLogger(__name__)

FRESH_S = 1.0
"""An answer of so many seconds ago is given again without a new look."""
PATIENCE_S = 2.0
"""Seconds that an answer waits for a look; then it is that of the last look."""
HANGS_S = 30.0
"""A look or a scheduling step that takes so many seconds is a problem."""
FAILS = 3
"""So many failed steps in a row are a problem."""
IDLE_S = 300.0
"""Seconds without a placement, while jobs wait and devices are free, that are a problem."""
WINDOW_S = 300.0
"""Seconds for which faults of the policy are reported."""
BIG_LOG = 2**30
"""A running job's log of so many bytes is reported."""

Check = Callable[[], Iterable[HealthProblem]]


class Health:
    """Runs the checks in a thread, one look at a time; callers wait briefly. Thread-safe."""

    def __init__(self, checks: Mapping[str, Check]) -> None:
        """`checks`: by the part that each looks at."""
        self._checks = checks
        self._lock = threading.Lock()
        self._known: tuple[HealthProblem, ...] = ()
        self._at = -float("inf")
        self._begun = 0.0
        self._under_way: threading.Event | None = None
        self._part = ""

    def problems(self) -> tuple[HealthProblem, ...]:
        """The problems now, or of the last look; returns within `PATIENCE_S`."""
        with self._lock:
            if time.monotonic() - self._at < FRESH_S:
                return self._known
            if self._under_way is None:
                self._under_way, self._begun = threading.Event(), time.monotonic()
                threading.Thread(target=self._look, name="health", daemon=True).start()
            ended, begun = self._under_way, self._begun
        ended.wait(max(0.0, begun + PATIENCE_S - time.monotonic()))
        took = time.monotonic() - begun
        if ended.is_set() or took < HANGS_S:
            return self._known
        text = f"the look at the {self._part} has not ended for {took:.0f} s"
        hanging = HealthProblem(
            "checks", text, "a disk or the database hangs: look at the system's log"
        )
        return (*self._known, hanging)

    def _look(self) -> None:
        found: list[HealthProblem] = []
        for part, check in self._checks.items():
            self._part = part
            try:
                found += check()
            except FulcrumError as error:
                found.append(HealthProblem(part, error.message, "look at the service's log"))
            except Exception as error:
                _log.exception("the look at the %s failed", part)
                text = f"the look at the {part} failed: {type(error).__name__}"
                found.append(HealthProblem(part, text, "look at the service's log"))
        with self._lock:
            self._known = tuple(sorted(found, key=lambda one: not one.fatal))
            self._at = time.monotonic()
            if self._under_way is not None:
                self._under_way.set()
            self._under_way = None


def dispatching(dispatcher: Dispatcher, accepting: Callable[[], bool]) -> Iterator[HealthProblem]:
    """Problems of the threads that accept and decide."""
    restart = "restart the service; running jobs go on"
    if not dispatcher.alive:
        yield HealthProblem("dispatcher", "the dispatcher does not run", restart)
        return
    if not accepting():
        yield HealthProblem("dispatcher", "submissions are no longer stored", restart)
    since = dispatcher.steps.busy_since
    if since is not None and (took := time.monotonic() - since) > HANGS_S:
        text = f"a scheduling step has not ended for {took:.0f} s: nothing starts meanwhile"
        advice = f"look at the service's log; then {restart}"
        if INTERIM.lasts:
            text += f"; {INTERIM.sentence()}"
        yield HealthProblem("dispatcher", text, advice)
    if dispatcher.steps.failures >= FAILS:
        steps = dispatcher.steps
        text = f"{steps.failures} scheduling steps failed in a row: {steps.error}"
        yield HealthProblem("dispatcher", text, "look at the service's log")


def logs(live_jobs: LiveJobs, log_of: Callable[[Attempt], Path]) -> Iterator[HealthProblem]:
    """Running jobs whose logs take much of the disk."""
    with live_jobs.lock:
        attempts = list(live_jobs.attempts.values())
    for attempt in attempts:
        path = log_of(attempt)
        try:
            size, left = path.lstat().st_size, problems.free(path)
        except OSError:
            continue  # none yet; the disk is another check's
        if size > BIG_LOG or size > left:
            text = f"the log of job {attempt.job} has {size / 2**20:,.0f} MiB"
            yield HealthProblem(
                "logs", text, f"see fulcrum logs {attempt.job} --tail 20", fatal=False
            )


class PolicyHealth:
    """Whether the active policy decides by itself, and decides at all. For one thread."""

    def __init__(
        self, active_policy: ActivePolicy, live_jobs: LiveJobs, dispatcher: Dispatcher, clock: Clock
    ) -> None:
        self._active_policy = active_policy
        self._live_jobs = live_jobs
        self._dispatcher = dispatcher
        self._clock = clock
        self._faults: deque[tuple[float, str, int]] = deque()
        self._launches = -1
        self._since = time.monotonic()

    def __call__(self) -> Iterator[HealthProblem]:
        """The problems of the policy."""
        yield from self.replaced(time.monotonic())
        yield from self.idle(time.monotonic())

    def replaced(self, now: float) -> Iterator[HealthProblem]:
        """Whether the guard had to decide instead."""
        policy = self._active_policy.view()
        self._faults.append((now, policy.name, policy.fallbacks))
        while self._faults[0][0] < now - WINDOW_S or self._faults[0][1] != policy.name:
            self._faults.popleft()
        # A policy that has just been chosen begins with none.
        times = policy.fallbacks - self._faults[0][2]
        if times > 0:
            why = ", ".join(f"{count} {fault}" for fault, count in policy.faults.items() if count)
            text = f"{policy.name} was replaced {times} times in {WINDOW_S / 60:.0f} min ({why})"
            yield HealthProblem(
                "policy", text, "choose another: fulcrum policy use wgc", fatal=False
            )

    def idle(self, now: float) -> Iterator[HealthProblem]:
        """Whether nothing starts although the fallback would start something.

        `now`: monotonic seconds, as in `replaced`.
        """
        launches = self._dispatcher.counters["launches"]
        waiting = self._live_jobs.counts()["devices"]
        if not waiting or launches != self._launches:
            self._launches, self._since = launches, now
            return
        if now - self._since < IDLE_S:
            return
        fallback = self._active_policy.fallback
        snapshot = self._live_jobs.snapshot(self._clock.now())
        plan = run_round(snapshot, fallback, mode_of(fallback, self._active_policy.mode))
        if plan.placements:
            text = (
                f"{self._active_policy.view().name} has started nothing for "
                f"{(now - self._since) / 60:.0f} min: {counted(waiting, 'waiting job')}, "
                f"{fallback.name} would start {len(plan.placements)} now"
            )
            yield HealthProblem(
                "policy", text, f"let it: fulcrum policy use {fallback.name}", fatal=False
            )
