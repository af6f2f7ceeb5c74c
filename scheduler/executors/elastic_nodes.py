"""Which nodes of elastic pools are on: boots, idle times, boots that failed.

It only counts: executors tell what happens, with the time, and do what follows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf

from scheduler.domain.elastic_pools import ElasticPool

REST_S = 600.0
"""A node whose boot failed is not asked for again before; others of its pool are."""


@dataclass(slots=True)
class ElasticNode:
    """One name of an elastic pool, and the machine that has it now. Times are monotonic seconds."""

    name: str
    pool: ElasticPool
    on: bool = False
    """Whether it was asked for: it boots, or is up."""
    up: bool = False
    """Whether it has been ready since it was asked for."""
    busy: bool = False
    """Whether attempts were placed on it that have not ended."""
    boots_until: float = inf
    """When its boot has failed."""
    idle_until: float = inf
    """When its idle time is over; inf: it is busy, or the end of its idle time was decided on."""
    rests_until: float = -inf
    """It is not asked for again before that has passed."""
    reason: str = ""
    """Why it is off."""

    @property
    def booting(self) -> bool:
        """Whether it was asked for and is not ready yet."""
        return self.on and not self.up


class ElasticNodes:
    """The nodes of all elastic pools, by name."""

    def __init__(self, pools: Sequence[ElasticPool]) -> None:
        self._nodes = {name: ElasticNode(name, pool) for pool in pools for name in pool.node_names}
        self._pools = tuple(pools)

    def get(self, name: str) -> ElasticNode | None:
        """The node of that name; None if it is not of an elastic pool."""
        return self._nodes.get(name)

    def all(self) -> Iterable[ElasticNode]:
        """All nodes: pool by pool, in the order in which they are booted."""
        return self._nodes.values()

    def wanted(self) -> dict[str, ElasticPool]:
        """The names of the nodes that are on, with their pools."""
        return {node.name: node.pool for node in self._nodes.values() if node.on}

    def switch_on(self, node: ElasticNode, now: float) -> None:
        """Ask for it."""
        node.on, node.up, node.reason = True, False, ""
        node.boots_until, node.idle_until = now + node.pool.boot_timeout_s, inf

    def ready(self, node: ElasticNode) -> None:
        """Its boot is over."""
        node.up, node.boots_until = True, inf

    def switch_off(
        self, node: ElasticNode, reason: str, now: float, *, rest_s: float = 0.0
    ) -> None:
        """Release it; it can be asked for again later than `rest_s` seconds from now."""
        node.on = node.up = False
        node.boots_until = node.idle_until = inf
        node.reason, node.rests_until = reason, now + rest_s

    def occupy(self, node: ElasticNode) -> None:
        """An attempt was placed on it."""
        node.busy, node.idle_until = True, inf

    def leave(self, node: ElasticNode, now: float) -> None:
        """Its last attempt is gone; its idle time begins."""
        node.busy, node.idle_until = False, now + node.pool.elasticity.idle_timeout_s

    def end_idle_times(self, now: float) -> list[ElasticNode]:
        """Switch off the nodes whose idle time is over, where the pool spares them; these."""
        due = [node for node in self._nodes.values() if node.on and node.idle_until <= now]
        ended = []
        for node in sorted(due, key=lambda node: node.idle_until):
            node.idle_until = inf
            if node.pool.elasticity.spares(self._on(node.pool)):
                idle_s = node.pool.elasticity.idle_timeout_s
                self.switch_off(node, f"it had no job for {idle_s:g} s", now)
                ended.append(node)
        return ended

    def boot_least(self, now: float) -> list[ElasticNode]:
        """Switch on what pools lack of the least number of nodes that are on; these."""
        booted = []
        for pool in self._pools:
            rested = [
                node
                for node in map(self._nodes.__getitem__, pool.node_names)
                if not node.on and node.rests_until < now
            ]
            for node in rested[: pool.elasticity.lacking(self._on(pool))]:
                self.switch_on(node, now)
                booted.append(node)
        return booted

    def restart_boots(self, now: float) -> None:
        """Boots begin to be waited for now: until now nobody could hear of them."""
        for node in self._nodes.values():
            if node.booting:
                node.boots_until = now + node.pool.boot_timeout_s

    def next_due(self) -> float:
        """When the next idle time is over; inf: not before something happens."""
        return min((node.idle_until for node in self._nodes.values() if node.on), default=inf)

    def _on(self, pool: ElasticPool) -> int:
        return sum(self._nodes[name].on for name in pool.node_names)
