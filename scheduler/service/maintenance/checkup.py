"""All checks that tell whether the service is well."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from scheduler.clock import Clock
from scheduler.domain.jobs import Attempt
from scheduler.domain.nodes import LEFT, NodeState
from scheduler.executors.base import Executor
from scheduler.problems import HealthProblem, disks
from scheduler.service.dispatch.dispatcher import Dispatcher
from scheduler.service.live.live_jobs import LiveJobs
from scheduler.service.maintenance import health
from scheduler.service.maintenance.health import Health, PolicyHealth
from scheduler.service.nodes.cluster_nodes import ClusterNodes
from scheduler.service.nodes.sentences import sentence
from scheduler.service.paths import Paths
from scheduler.service.policy_control.active_policy import ActivePolicy
from scheduler.service.policy_control.crash_marks import CrashMarks, refusal
from scheduler.store.base import Store

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Checkup:
    """All checks of one service. Thread-safe, except `log_changes`."""

    store: Store
    executor: Executor
    live_jobs: LiveJobs
    dispatcher: Dispatcher
    active_policy: ActivePolicy
    folders: Paths
    clock: Clock
    accepting: Callable[[], bool]
    """Whether submissions are stored."""
    nodes: ClusterNodes
    crashes: CrashMarks | None
    disks: Mapping[str, Path]
    """Name → folder that must not run full; the first is the service's own."""
    least_free: int
    """Bytes that must be free there."""
    node_warnings: Callable[[], Iterable[HealthProblem]]
    """What is not well with the nodes, but keeps no job from starting."""
    _health: Health = field(init=False)
    _logged: frozenset[str] = field(default=frozenset(), init=False)

    def __post_init__(self) -> None:
        self._health = Health(
            {
                "disk": self.look_at_disks,
                "store": self.look_at_store,
                "executor": self._look_at_executor,
                "policy": PolicyHealth(
                    self.active_policy, self.live_jobs, self.dispatcher, self.clock
                ),
                "logs": lambda: health.logs(self.live_jobs, self._log_of),
            }
        )

    def problems(self) -> tuple[HealthProblem, ...]:
        """The problems, fatal ones first; returns within seconds, whatever hangs."""
        found = (
            *health.dispatching(self.dispatcher, self.accepting),
            *self._health.problems(),
            *self._known_from_start(),
            *self.node_warnings(),
        )
        return tuple(sorted(found, key=lambda one: not one.fatal))

    def log_changes(self) -> None:
        """Log the problems that are new since the last call, and those that are over."""
        found = frozenset(problem.text for problem in self.problems())
        for text in found - self._logged:
            _log.warning("not well: %s", text)
        for text in self._logged - found:
            _log.warning("over: %s", text)
        self._logged = found

    def look_at_disks(self) -> Iterator[HealthProblem]:
        """Problems of the disks."""
        own = next(iter(self.disks.items()), None)
        if own is not None and not own[1].is_dir():
            yield HealthProblem(
                "disk", f"the {own[0]} is gone", "put it back and restart the service"
            )
        yield from disks(self.disks, self.least_free)

    def look_at_store(self) -> Iterator[HealthProblem]:
        """Problems of the store."""
        self.store.check()
        for text in self.store.health():
            yield HealthProblem("store", text, "restore it from a backup if it does not recover")

    def _look_at_executor(self) -> Iterator[HealthProblem]:
        for text in self.executor.health():
            yield HealthProblem("executor", text, "look at the service's log")

    def _known_from_start(self) -> Iterator[HealthProblem]:
        for name in self.crashes.refused if self.crashes is not None else ():
            again = f"choose another, or this one again: fulcrum policy use {name}"
            yield HealthProblem("policy", f"{refusal(name)}; it is not asked", again, fatal=False)
        for name, why in self.nodes.inventory.absent.items():
            text = f"pool {name} is unavailable: {why}"
            way_out = f"set pools.{name}.enabled = false, or repair its devices and restart"
            yield HealthProblem("pools", text, way_out, fatal=False)

        for node in self.nodes.all():
            if node.state in (NodeState.UNREACHABLE, NodeState.DOWN) and node.reason != LEFT:
                text = sentence(node, self.live_jobs.jobs_on(node.name))
                way_out = f"repair it, or forget it: fulcrum nodes retire {node.name}"
                if node.facts is not None and node.facts.elastic:
                    way_out = "it is asked for again by itself; Ray's autoscaler logs why it failed"
                yield HealthProblem("nodes", text, way_out, fatal=False)

    def _log_of(self, attempt: Attempt) -> Path:
        return self.folders.attempt(attempt.job, attempt.number) / "log.txt"
