"""A fake executor whose nodes boot and are shut down, on a manual clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from scheduler.domain.elastic_pools import ElasticPool
from scheduler.domain.nodes import NodeState
from scheduler.executors.base import LaunchSpec, NodesChanged
from scheduler.executors.elastic_nodes import ElasticNode, ElasticNodes
from scheduler.testing.clock import ManualClock
from scheduler.testing.executors import FakeExecutor


class ElasticFakeExecutor(FakeExecutor):
    """Boots nodes of elastic pools by the rule of real executors.

    `boot_s`: pool → seconds of a boot. Nodes of other pools are set by the test.
    """

    def __init__(
        self,
        clock: ManualClock,
        runtime: Callable[[LaunchSpec], float],
        pools: Sequence[ElasticPool],
        boot_s: Mapping[str, float],
    ) -> None:
        super().__init__(clock, runtime)
        self._elastic = ElasticNodes(pools)
        self._boot_s = boot_s
        self._ready: dict[str, float] = {}
        """Node that boots → when it is up."""
        self._attempts: dict[str, set[str]] = {}
        """Node → attempts on it."""
        self.known_nodes = {node.name: node.pool.off(node.name) for node in self._elastic.all()}

    def next_event_time(self) -> float:
        """The time at which something happens by itself."""
        boots = min(self._ready.values(), default=float("inf"))
        return min(super().next_event_time(), boots, self._elastic.next_due())

    def _ready_at(self, spec: LaunchSpec) -> float:
        now = self.clock.now()
        for node in self._nodes_of(spec):
            self._attempts.setdefault(node.name, set()).add(spec.attempt)
            if not node.on:
                self._elastic.switch_on(node, now)
                self._ready[node.name] = now + self._boot_s[node.pool.name]
                self._tell(node, NodeState.BOOTING, now)
            self._elastic.occupy(node)
        ready = [self._ready.get(node.name, now) for node in self._nodes_of(spec)]
        return max(ready, default=now)

    def _change_by_itself(self, now: float) -> None:
        for name, ready_at in list(self._ready.items()):
            node = self._elastic.get(name)
            if node is not None and ready_at <= now:
                del self._ready[name]
                self._elastic.ready(node)
                self._tell(node, NodeState.UP, now)
        for node in self._elastic.end_idle_times(now):
            self._ready.pop(node.name, None)
            self._tell(node, NodeState.OFF, now)

    def _end(self, attempt: str, reason: str, **rest: Any) -> None:
        super()._end(attempt, reason, **rest)
        for node in self._nodes_of(self.specs[attempt]):
            left = self._attempts[node.name]
            left.discard(attempt)
            if not left:
                self._elastic.leave(node, self.clock.now())

    def _nodes_of(self, spec: LaunchSpec) -> list[ElasticNode]:
        found = [self._elastic.get(part.node) for part in spec.parts]
        return [node for node in found if node is not None]

    def _tell(self, node: ElasticNode, state: NodeState, now: float) -> None:
        facts = replace(self.known_nodes[node.name], state=state, since=now, reason=node.reason)
        self.known_nodes[node.name] = facts
        self._queue.append(NodesChanged(self.nodes()))
