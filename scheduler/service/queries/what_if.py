"""What would let a waiting job start earlier or cost less: found by asking the policy again.

Each answer is a forecast of the same queue with one thing changed. By the estimates, and if nothing
new arrives.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from scheduler.decisions.rounds.explanation import Wait
from scheduler.decisions.rounds.forecast import ExpectedStart, forecast
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.policy import Policy
from scheduler.decisions.rounds.round import Round
from scheduler.decisions.rounds.run import decide
from scheduler.decisions.state.snapshot import Snapshot
from scheduler.domain.jobs import HIGHEST_PRIORITY, PREFERENCES, Job, JobSpec
from scheduler.domain.units import counted, duration, money
from scheduler.service.live.live_jobs import LiveJobs
from scheduler.service.queries.views import WhatIf

DEPTH = 1000
"""With more waiting jobs nothing is tried: that would take long."""
LEAST_S, LEAST_SHARE = 1.0, 0.05
"""A change is told if it is at least so large: seconds, and share of what it is compared with."""


@dataclass(frozen=True, slots=True)
class WhatIfs:
    """Tries out changes of one waiting job; changes nothing."""

    live_jobs: LiveJobs
    policy: Policy
    mode: Mode
    snapshot: Snapshot

    def of(self, job: Job, wait: Wait, start: ExpectedStart | None) -> tuple[WhatIf, ...]:
        """What would change its start, end or cost; `start`: as it is now, None: not in sight."""
        if self.snapshot.world.depth > DEPTH or start is None:
            return ()
        found = [self._priority(job, start), *self._preferences(job, start)]
        return tuple(filter(None, [*found, self._devices(job, wait)]))

    def _with(self, job: Job, spec: JobSpec) -> ExpectedStart | None:
        """When it would start with another specification."""
        changed = self.live_jobs.with_changed(job, spec, self.snapshot.now)
        if changed is None:
            return None
        return forecast(changed, self.policy, self.mode, until=job.id).get(job.id)

    def _priority(self, job: Job, start: ExpectedStart) -> WhatIf | None:
        """The least priority that brings the earliest start that any priority brings."""
        low, high = job.spec.priority, HIGHEST_PRIORITY
        best = None if low == high else self._with(job, replace(job.spec, priority=high))
        if best is None:
            return None
        if not _clearly_less(best.start, start.start, start.start - self.snapshot.now):
            text = "a higher priority would not let it start earlier"
            return WhatIf("priority", None, text, None, None, None, None, None)
        while low + 1 < high:
            middle = (low + high) // 2
            tried = self._with(job, replace(job.spec, priority=middle))
            if tried is not None and tried.start <= best.start:
                high, best = middle, tried
            else:
                low = middle
        more = " or more" if high < HIGHEST_PRIORITY else ""
        return self._told("priority", high, f"with priority {high}{more}", start, best)

    def _preferences(self, job: Job, start: ExpectedStart) -> Iterator[WhatIf]:
        for name, value in PREFERENCES.items():
            found = self._with(job, replace(job.spec, preference=value))
            if found is None or (found.pool, found.width) == (start.pool, start.width):
                continue
            span = start.end - self.snapshot.now
            cheaper = _clearly_less(found.dollars, start.dollars, start.dollars, 0.0)
            if cheaper or _clearly_less(found.end, start.end, span):
                yield self._told("preference", value, f"with preference {name}", start, found)

    def _devices(self, job: Job, wait: Wait) -> WhatIf | None:
        """Whether devices of its pool would be given to it if they were free now."""
        world = self.snapshot.world.copy()
        pools = [pool.name for pool in world.pools]
        pool, freed = pools.index(wait.pool), 0
        missing = wait.width - world.free(pool)
        for running in world.releases(pool):
            if freed >= missing:
                break
            if running.job > 0:
                world.finish(running.job)
                freed += running.width
        if not freed:
            return None
        plan = decide(Round(world, self.snapshot.now, self.mode), self.policy)
        if not any(placed.job == job.id for placed in plan.placements):
            other = next((one for one in plan.placements if one.pool == pool), None)
            if other is None:
                return None
            text = f"a free device of {wait.pool} would go to job {other.job} first"
            return WhatIf("devices", freed, text, None, None, None, None, None)
        more = f"{counted(freed, 'more device')} of {wait.pool}"
        here = next(placed for placed in plan.placements if placed.job == job.id)
        return WhatIf(
            change="devices",
            value=freed,
            text=f"with {more} free now, it would start at once",
            start=self.snapshot.now,
            end=self.snapshot.now + here.runtime_s,
            pool=pools[here.pool],
            width=here.width,
            dollars=here.dollars,
        )

    def _told(
        self, change: str, value: float, lead: str, now: ExpectedStart, then: ExpectedStart
    ) -> WhatIf:
        pause = then.start - self.snapshot.now
        when = "at once" if pause <= 0 else f"in about {duration(pause)}"
        told = f"{lead} it would start {when} on {then.pool} × {then.width}"
        told += f" and end {_difference(then.end - now.end)}"
        if abs(then.dollars - now.dollars) > LEAST_SHARE * now.dollars:
            told += f", for {money(then.dollars)} instead of {money(now.dollars)}"
        return WhatIf(
            change, value, told, then.start, then.end, then.pool, then.width, then.dollars
        )


def _clearly_less(one: float, other: float, whole: float, least: float = LEAST_S) -> bool:
    return other - one > max(least, LEAST_SHARE * whole)


def _difference(seconds: float) -> str:
    if abs(seconds) < LEAST_S:
        return "at the same time"
    return f"{duration(abs(seconds))} {'later' if seconds > 0 else 'earlier'}"
