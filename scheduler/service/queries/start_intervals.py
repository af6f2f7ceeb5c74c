"""When a waiting job will probably start: the queue played out on sampled runtimes."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import inf
from typing import NamedTuple

from scheduler.decisions.rounds.forecast import forecast
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.policy import Policy
from scheduler.decisions.state.plan import Placement
from scheduler.decisions.state.snapshot import Snapshot
from scheduler.domain.jobs import Attempt, Estimate, JobSpec
from scheduler.estimates.estimator import Estimator
from scheduler.estimates.learned import RuntimeInterval
from scheduler.estimates.progress import DOUBT
from scheduler.estimates.spread import RuntimeSpread
from scheduler.service.live.live_jobs import LiveJobs

FUTURES = 20
LEAST = 8
"""Fewer futures tell no interval."""
BUDGET_S = 1.0
"""No further future is played out after so many seconds."""
HORIZON_S = 10 * 365 * 86_400.0
"""Later starts are not in sight."""
_LOW, _HIGH = 0.1, 0.9


class StartInterval(NamedTuple):
    """Between these the job starts in 80 % of all sampled futures; Unix seconds, inf: later."""

    low: float
    high: float

    def after(self, now: float) -> tuple[float, float]:
        """Both as seconds from now."""
        return max(0.0, self.low - now), max(0.0, self.high - now)


class _Running(NamedTuple):
    """An attempt that holds devices."""

    job: int
    elapsed_s: float
    spread: RuntimeSpread
    """Of its whole runtime; if it reports progress, of what is left."""
    reports: bool
    limit_s: float

    def left_s(self, chance: float) -> float:
        if self.reports:
            left_s = self.spread.at(chance)
        else:
            left_s = self.spread.given(self.elapsed_s, chance) - self.elapsed_s
        return max(0.0, min(left_s, self.limit_s - self.elapsed_s))


@dataclass(frozen=True, slots=True)
class StartIntervals:
    """Plays the queue out under a policy, with runtimes drawn from the intervals of estimates.

    What runs is drawn given how long it has run. In one future a job draws the same number,
    whatever is asked (common random numbers). Nothing new arrives.
    """

    live_jobs: LiveJobs
    estimator: Estimator

    def assumed(self, attempt: Attempt) -> bool:
        """Whether nothing is known of a running attempt's end: it has reported no progress."""
        return attempt.estimate.assumed and self.estimator.observed(attempt.id) <= 0.0

    def of(
        self, snapshot: Snapshot, policy: Policy, mode: Mode, job: int, share: float = 1.0
    ) -> StartInterval | None:
        """The interval for one waiting job; None if too little is known, or time is short.

        `share`: of the time, for callers that ask several times.
        """
        running = self._running(snapshot)
        if running is None:
            return None
        starts, until = [], time.monotonic() + share * BUDGET_S
        for future in range(FUTURES):
            if time.monotonic() > until:
                break
            world = snapshot.world.copy()
            for each in running:
                world.extend(each.job, snapshot.now + each.left_s(_chance(future, each.job)))
            found = forecast(
                replace(snapshot, world=world),
                policy,
                mode,
                until=job,
                runtime=partial(self._runtime, future),
            ).get(job)
            start = inf if found is None else found.start
            starts.append(start if start < snapshot.now + HORIZON_S else inf)
        if len(starts) < LEAST:
            return None
        starts.sort()
        last = len(starts) - 1
        return StartInterval(starts[math.floor(_LOW * last)], starts[math.ceil(_HIGH * last)])

    def _running(self, snapshot: Snapshot) -> Sequence[_Running] | None:
        """What runs; None if nothing is known about how far estimates are off."""
        now, live = snapshot.now, self.live_jobs
        ends = {one.job: one.end for one in snapshot.world.running()}
        with live.lock:
            held = [
                (attempt, live.jobs[job].spec, live.active.elapsed(attempt, now))
                for job, attempt in live.attempts.items()
                if job in ends and job in live.jobs
            ]
        found = []
        for attempt, spec, elapsed_s in held:
            one = self._attempt(attempt, spec, elapsed_s, ends[attempt.job] - now)
            if one is None:
                return None
            found.append(one)
        return found

    def _attempt(
        self, attempt: Attempt, spec: JobSpec, elapsed_s: float, left_s: float
    ) -> _Running | None:
        spread = self._spread(spec, attempt.estimate, attempt.pool, attempt.width)
        if spread is None:
            return None
        limit_s = inf if spec.max_duration_s is None else spec.max_duration_s
        observed = self.estimator.observed(attempt.id)
        if not observed:
            return _Running(attempt.job, elapsed_s, spread, reports=False, limit_s=limit_s)
        share = left_s / spread.median_s
        low_s, high_s = spread.interval
        left = RuntimeSpread(left_s, RuntimeInterval(low_s * share, high_s * share))
        narrowed = left.narrowed(DOUBT / (DOUBT + observed))
        return _Running(attempt.job, elapsed_s, narrowed, reports=True, limit_s=limit_s)

    def _runtime(self, future: int, placed: Placement) -> float:
        """Seconds of what starts in a future."""
        live = self.live_jobs
        try:
            with live.lock:
                spec, estimate = live.jobs[placed.job].spec, live.estimate(placed)
        except KeyError:
            return placed.runtime_s  # it is not submitted, or has left the queue
        spread = self._spread(spec, estimate, live.pools[placed.pool].name, placed.width)
        if spread is None:
            return placed.runtime_s
        limit_s = inf if spec.max_duration_s is None else spec.max_duration_s
        return min(limit_s, spread.at(_chance(future, placed.job)))

    def _spread(
        self, spec: JobSpec, estimate: Estimate, pool: str, width: int
    ) -> RuntimeSpread | None:
        known = self.live_jobs.pool(pool)
        model = "" if known is None else known.model
        interval = self.estimator.interval(spec, estimate, model, width)
        return None if interval is None else RuntimeSpread(estimate.runtime_s, interval)


def _chance(future: int, job: int) -> float:
    """Uniform in (0, 1): Steele, Lea, Flood, "Fast splittable pseudorandom number generators"."""
    mixed = (future * 0x9E3779B97F4A7C15 + job * 0xD1B54A32D192ED03 + 1) % 2**64
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> shift)) * factor % 2**64
    return ((mixed ^ (mixed >> 31)) + 0.5) / 2**64
