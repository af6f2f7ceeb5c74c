"""What people ask about the cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from scheduler.clock import Clock
from scheduler.domain.lifecycle import JobState
from scheduler.service.dispatch.dispatcher import Dispatcher
from scheduler.service.dispatch.submissions import Submissions
from scheduler.service.live.live_jobs import LiveJobs
from scheduler.service.nodes.cluster_nodes import ClusterNodes
from scheduler.service.nodes.idle_costs import IdleCost, idle_costs
from scheduler.service.policy_control.controller import PolicyController
from scheduler.service.queries.views import ClusterView, LeaderView, PoolView
from scheduler.store.base import Store


@dataclass(frozen=True, slots=True)
class ClusterQueries:
    """Answers questions about the whole cluster now; changes nothing. Thread-safe."""

    store: Store
    live_jobs: LiveJobs
    nodes: ClusterNodes
    dispatcher: Dispatcher
    submissions: Submissions
    policy_control: PolicyController
    clock: Clock
    troubles: Callable[[], Mapping[str, str]]
    """Node on which no job starts → what is said of it."""
    leader: Callable[[], LeaderView | None]
    """Who leads the services of one database; None: there is only one."""
    refresh: Callable[[], None]
    """Called before every answer."""

    def view(self) -> ClusterView:
        """The pools, their devices, and the jobs that hold them."""
        self.refresh()
        inventory = self.nodes.inventory
        with self.live_jobs.lock:
            holders = list(self.live_jobs.attempts.values())
            queued = sum(job.state is JobState.QUEUED for job in self.live_jobs.jobs.values())
        return ClusterView(
            now=self.clock.now(),
            pools=[
                PoolView.of(pool, inventory, holders, self.troubles()) for pool in inventory.pools
            ],
            queued=queued,
            active=len(holders),
            policy=self.policy_control.view(),
            leader=self.leader(),
        )

    def idle_costs(self, since: float | None, until: float | None) -> list[IdleCost]:
        """What idle devices cost in pools that are billed while they are up; Unix seconds."""
        self.refresh()
        now, inventory = self.clock.now(), self.nodes.inventory
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

    def statistics(self) -> Mapping[str, float]:
        """Counters and gauges for monitoring, by name; beside a leader, what it counts is 0."""
        self.refresh()
        seconds = list(self.dispatcher.decision_s)
        numbers: dict[str, float] = dict(self.dispatcher.counters)
        numbers |= {f"jobs_{cause}": count for cause, count in self.live_jobs.counts().items()}
        numbers["commits"] = self.submissions.commits
        numbers["lost_seconds"] = self.dispatcher.lost_s
        policy = self.policy_control.view()
        numbers["fallbacks"] = policy.fallbacks
        numbers |= {f"fallbacks_{fault}": count for fault, count in policy.faults.items()}
        numbers["decision_seconds_last"] = seconds[-1] if seconds else 0.0
        numbers["decision_seconds_mean"] = sum(seconds) / len(seconds) if seconds else 0.0
        numbers["decision_seconds_max"] = max(seconds, default=0.0)
        return numbers
