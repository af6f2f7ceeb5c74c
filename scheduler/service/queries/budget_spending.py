"""What live jobs with a budget have cost so far."""

from __future__ import annotations

from scheduler.service.live.live_jobs import LiveJobs


def spent_of_budgets(live: LiveJobs, now: float) -> dict[int, float]:
    """Dollars by number of job, running attempts up to `now` (Unix seconds) included."""
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
