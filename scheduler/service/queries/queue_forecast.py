"""Expected starts of all waiting jobs and ends of running ones, for those who watch the cluster."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from scheduler.compilation.interim import INTERIM
from scheduler.decisions.rounds.forecast import forecast
from scheduler.service.live.live_jobs import LiveJobs
from scheduler.service.policy_control.active_policy import ActivePolicy
from scheduler.service.queries.explain import too_slow
from scheduler.service.queries.views import ExpectedEnd, QueueForecast, WaitingJob

FRESH_S = 2.0
"""A forecast is answered again for so long."""
SHARE = 20.0
"""And for so many times the seconds that it took: all watchers together use 1/20 of a core."""


@dataclass(frozen=True, slots=True)
class _Made:
    forecast: QueueForecast
    until: float
    """Seconds of the monotonic clock."""


class QueueForecasts:
    """Forecasts the whole queue, once for all who ask at about the same time. Thread-safe."""

    def __init__(self, live_jobs: LiveJobs, active_policy: ActivePolicy) -> None:
        self._live_jobs = live_jobs
        self._active_policy = active_policy
        self._lock = threading.Lock()
        self._made: _Made | None = None

    def at(self, now: float) -> QueueForecast:
        """The forecast, a few seconds old at most if it is quick to make; `now`: Unix seconds."""
        with self._lock:
            begun = time.monotonic()
            if self._made is None or begun >= self._made.until:
                found = self._forecast(now)
                ended = time.monotonic()
                pause_s = max(FRESH_S, SHARE * (ended - begun))
                self._made = _Made(found, ended + pause_s)
            return self._made.forecast

    def _forecast(self, now: float) -> QueueForecast:
        with self._live_jobs.lock:
            held = dict(self._live_jobs.held)
            running = [
                ExpectedEnd(
                    job=attempt.job,
                    attempt=attempt.number,
                    pool=attempt.pool,
                    devices=attempt.devices,
                    start=attempt.started_at or attempt.placed_at,
                    end=self._live_jobs.active.end(attempt, now),
                    dollars=attempt.estimate.dollars,
                )
                for attempt in self._live_jobs.attempts.values()
            ]
        snapshot = self._live_jobs.snapshot(now)
        note = ""
        waiting: Sequence[WaitingJob] = ()
        if too_slow(snapshot):
            note = f"no start is forecast yet: {INTERIM.sentence()}"
        else:
            policy, mode = self._active_policy.uncounted()
            starts = forecast(snapshot, policy, mode).values()
            waiting = [
                WaitingJob(
                    job=one.job,
                    position=position,
                    start=one.start,
                    end=one.end,
                    pool=one.pool,
                    width=one.width,
                    dollars=one.dollars,
                )
                for position, one in enumerate(sorted(starts, key=lambda one: one.start), 1)
            ]
        return QueueForecast(
            now=now,
            depth=snapshot.world.depth,
            running=sorted(running, key=lambda one: one.end),
            waiting=waiting,
            held={job: reasons.text for job, reasons in held.items()},
            note=note,
        )
