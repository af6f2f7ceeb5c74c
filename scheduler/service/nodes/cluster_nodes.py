"""The nodes as the service knows them: what the executor tells, and what people want."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import inf
from typing import Any, NamedTuple

from scheduler.domain.errors import MissingError, StateError
from scheduler.domain.nodes import (
    LEFT,
    LOCAL,
    NOT_HEARD_YET,
    Node,
    NodeEvent,
    NodeEventName,
    NodeFacts,
    NodeState,
)
from scheduler.domain.pools import Pool
from scheduler.hardware.inventory import Inventory
from scheduler.hardware.node_pools import closed_up, places
from scheduler.service.nodes.idle_costs import POOLS
from scheduler.store.base import Store

EXECUTOR = "executor"
NOT_HEARD = "not heard since the service started"
_DRAINED = "drained by "
"""Begins the reason of a node that a person drains."""
_UNUSED = "the service runs jobs on its own machine alone"
_UNKNOWN = "it left, or the head of its cluster was started again"
"""Reason of a node that the executor no longer knows."""
START_S = 120.0
"""Nodes that are not heard for so long after the service's start are down."""
REPAIR_S = 600.0
"""A node that is gone is expected back after this time; the scenarios of simulations say the
same."""

Derive = Callable[[Sequence[Node]], Inventory]


class HeldNode(NamedTuple):
    """A node of a pool on which nothing may start."""

    pool: int
    number: int
    """Which of the pool's nodes."""
    name: str
    end: float
    """Unix seconds at which it is expected back; inf: not in sight."""


class ClusterNodes:
    """Nodes by name, and the pools that they make up. Changes come from one thread."""

    def __init__(self, store: Store, inventory: Inventory, derive: Derive | None = None) -> None:
        """`derive` makes pools of nodes; None: `inventory` is fixed, as on one machine."""
        self._store = store
        self._derive = derive
        self._lock = threading.Lock()
        self._nodes: dict[str, Node] = {}
        self._retired: set[str] = set()
        """Forgotten nodes of which the executor still tells that they are down."""
        self.inventory = inventory
        """The pools now."""
        self.changes = 0
        """Counts the changes of nodes and pools."""

    def load(self, facts: Mapping[str, NodeFacts], now: float) -> None:
        """At the start: the nodes that are known, and those that the executor has.

        The executor has yet to hear of the others: until then nothing starts on them.
        """
        self.read()
        if self._derive is not None and LOCAL in self._nodes and LOCAL not in facts:
            # The service ran jobs on its own machine before it had nodes.
            self._store.record_nodes(retired=[LOCAL])
            self._keep({name: node for name, node in self._nodes.items() if name != LOCAL})
        state, why = NodeState.BOOTING, NOT_HEARD
        if self._derive is None:  # this machine alone: no other node will be heard
            state, why = NodeState.DOWN, _UNUSED
        waited_for = {
            name: replace(node, state=state, since=now, reason=why)
            for name, node in self._nodes.items()
            if name not in facts and node.state in (NodeState.UP, NodeState.BOOTING)
        }
        self._keep(self._nodes | waited_for)
        self.hear(facts, now)

    def read(self) -> None:
        """Take over what another service has stored."""
        self._keep({node.name: node for node in self._store.nodes()})

    def hear(self, facts: Mapping[str, NodeFacts], now: float) -> bool:
        """Take over what the executor tells; returns whether the pools are others now."""
        after = dict(self._nodes)
        down = {name for name, told in facts.items() if told.state is NodeState.DOWN}
        self._retired &= down
        for name, told in facts.items():
            if name in self._retired:
                continue
            known = self._nodes.get(name) or Node(name, told.state, told.since or now)
            after[name] = _told(known, told, now)
        for name in self._nodes.keys() - facts.keys():
            after[name] = _silent(self._nodes[name], now)
        numbers = self._places() if self._derive is None else places(after.values())
        after = {name: replace(node, places=numbers.get(name, {})) for name, node in after.items()}
        return self._adopt(after, EXECUTOR, now)

    def drain(self, name: str, actor: str, reason: str, now: float) -> None:
        """Let no job start on the node any more. Raises `MissingError`."""
        node = self.node(name)
        why = _DRAINED + actor + (f": {reason}" if reason else "")
        wanted = replace(node, drained_by=actor, reason=why)
        self._adopt({**self._nodes, name: _as_wanted(wanted, now)}, actor, now)

    def resume(self, name: str, actor: str, now: float) -> None:
        """Let jobs start on the node again. Raises `MissingError`, `StateError` if it is gone."""
        node = self.node(name)
        gone = node.state in (NodeState.DOWN, NodeState.UNREACHABLE)
        if gone and not node.drained_by:
            raise StateError(f"node {name} is {node.state}", {"node": "one that is drained"})
        node = replace(node, drained_by="")
        if node.state is NodeState.DRAINING:
            state = NodeState.UP if node.facts is None else node.facts.state
            node = replace(node, state=state, since=now, reason="")
        elif node.state is NodeState.OFF:
            node = replace(node, reason="")
        self._adopt({**self._nodes, name: node}, actor, now)

    def retire(self, name: str, actor: str, jobs_on: Callable[[str], int], now: float) -> None:
        """Forget a node that is gone; `jobs_on` counts the attempts of a node.

        The other nodes of its pools close up, where none of them has attempts. Raises
        `MissingError`, `StateError` if it is not gone.
        """
        node = self.node(name)
        busy = jobs_on(name) > 0
        if busy or node.state not in (NodeState.DOWN, NodeState.OFF):
            legal = "a node that is down or off, and on which no attempt runs"
            what = "has attempts" if busy else f"is {node.state}"
            raise StateError(f"node {name} {what}", {"node": legal})
        rest = {other: each for other, each in self._nodes.items() if other != name}
        if self._derive is not None:
            idle = {
                pool
                for pool in node.places
                if not any(jobs_on(each.name) for each in rest.values() if pool in each.places)
            }
            rest |= {each.name: each for each in closed_up(rest.values(), idle)}
        changed = [each for other, each in rest.items() if each != self._nodes[other]]
        event = NodeEvent(name, NodeEventName.RETIRED, now, actor)
        self._store.record_nodes(changed, [event], retired=[name])
        self._retired.add(name)
        self._keep(rest)

    def node(self, name: str) -> Node:
        """The node of that name; raises `MissingError`."""
        found = self._nodes.get(name)
        if found is None:
            known = ", ".join(sorted(self._nodes)) or "none"
            raise MissingError(f"there is no node {name!r}", {"node": f"one of {known}"})
        return found

    def all(self) -> list[Node]:
        """All nodes, by name."""
        with self._lock:
            return [node for _, node in sorted(self._nodes.items())]

    def held(self, pools: Sequence[Pool], now: float) -> Iterator[HeldNode]:
        """The nodes of the pools on which nothing may start."""
        for at, pool in enumerate(pools):
            for number in range(pool.nodes):
                name = self.inventory.node(pool.name, number)
                node = self._nodes.get(name)
                if node is None or not node.usable:
                    yield HeldNode(at, number, name, inf if node is None else _back(node, now))

    def warm(self, pools: Sequence[Pool]) -> Iterator[tuple[int, int]]:
        """(pool, number) of the nodes that need not be booted, in pools whose nodes boot."""
        for at, pool in enumerate(pools):
            for number in range(pool.nodes if pool.boot_s else 0):
                node = self._nodes.get(self.inventory.node(pool.name, number))
                if node is not None and node.state is not NodeState.OFF and not node.boots:
                    yield at, number

    def boot_s(self, names: Iterable[str], pool: Pool, now: float) -> float:
        """Seconds until these nodes of a pool are expected to have booted; 0: they are up."""
        nodes = filter(None, map(self._nodes.get, names))
        return max((_boot_left(node, pool, now) for node in nodes), default=0.0)

    def seen(self, names: Iterable[str]) -> float | None:
        """When the last of these nodes to fall silent was heard of; None: all answer."""
        silent = [
            node.seen_at
            for name in names
            if (node := self._nodes.get(name)) is not None
            and node.state in (NodeState.UNREACHABLE, NodeState.DOWN)
        ]
        return min(silent, default=None)

    def _places(self) -> dict[str, dict[str, int]]:
        """Node → pool → its first number there, of fixed pools."""
        found: dict[str, dict[str, int]] = {}
        for pool in self.inventory.present:
            for number in range(pool.nodes):
                mine = found.setdefault(self.inventory.node(pool.name, number), {})
                mine.setdefault(pool.name, number)
        return found

    def _adopt(self, after: dict[str, Node], actor: str, now: float) -> bool:
        """Store what is new, then believe it."""
        changed = [node for name, node in after.items() if self._differs(name, node)]
        if not changed:
            return False
        events = [event for node in changed for event in self._events(node, actor, now)]
        self._store.record_nodes(changed, events)
        return self._keep(after)

    def _differs(self, name: str, node: Node) -> bool:
        """Whether more than the time at which it was heard of is new."""
        known = self._nodes.get(name)
        return known is None or replace(known, seen_at=0.0) != replace(node, seen_at=0.0)

    def _keep(self, after: dict[str, Node]) -> bool:
        before = self.inventory
        inventory = before if self._derive is None else self._derive(list(after.values()))
        with self._lock:
            self._nodes, self.inventory = after, inventory
            self.changes += 1
        return inventory != before

    def _events(self, node: Node, actor: str, now: float) -> Iterator[NodeEvent]:
        known = self._nodes.get(node.name)
        facts = node.facts
        data: dict[str, Any] = {POOLS: dict(node.places)}
        if facts is not None:
            data |= {"address": facts.address, "engine": facts.engine_id}
        if known is None:
            yield NodeEvent(node.name, NodeEventName.JOINED, now, actor, "", data)
        if known is None or known.state is not node.state:
            name = NodeEventName(node.state.value)
            yield NodeEvent(node.name, name, now, actor, node.reason, data)


def _told(known: Node, told: NodeFacts, now: float) -> Node:
    """The node, as the executor tells of it and as people want it."""
    gone = told.state in (NodeState.UNREACHABLE, NodeState.DOWN)
    silent = gone or told.reason == NOT_HEARD_YET
    facts = told if told.cpus or told.gpus or known.facts is None else _with_hardware(told, known)
    since = known.since if told.state is known.state else told.since or now
    node = replace(
        known,
        state=told.state,
        since=since,
        reason=told.reason,
        seen_at=known.seen_at if silent else now,
        facts=facts,
    )
    if known.drained_by and not gone:
        said = known.reason.startswith(_DRAINED)
        node = replace(node, reason=known.reason if said else _DRAINED + known.drained_by)
    return _as_wanted(node, known.since if known.state is NodeState.DRAINING else now)


def _with_hardware(told: NodeFacts, known: Node) -> NodeFacts:
    """What is told of a node that says nothing of its devices now."""
    before = known.facts
    assert before is not None
    return replace(
        told,
        cpus=before.cpus,
        cpu_model=before.cpu_model,
        gpus=before.gpus,
        memory_bytes=before.memory_bytes,
        labels=told.labels or before.labels,
        address=told.address or before.address,
    )


def _as_wanted(node: Node, since: float) -> Node:
    """A node that people drain is draining while it could be used; off, nothing runs on it."""
    if not node.drained_by or node.state not in (NodeState.UP, NodeState.BOOTING):
        return node
    return replace(node, state=NodeState.DRAINING, since=since)


def _boot_left(node: Node, pool: Pool, now: float) -> float:
    if node.state is NodeState.OFF:
        return pool.boot_s
    return max(0.0, node.since + pool.boot_s - now) if node.boots else 0.0


def _silent(node: Node, now: float) -> Node:
    """A node that the executor no longer knows."""
    waited_for = node.state is NodeState.BOOTING and now - node.since < START_S
    if node.state is NodeState.DOWN or waited_for:
        return node
    return replace(node, state=NodeState.DOWN, since=now, reason=_UNKNOWN)


def _back(node: Node, now: float) -> float:
    """When a node that cannot be used is expected back, Unix seconds.

    Nobody knows when a node comes back that a person drains, or that has left. A node that is gone
    is first expected back when a repair usually ends; after that it stays away for as long again as
    it has been away, as things do whose age says nothing else.
    """
    if node.state is NodeState.DRAINING or node.drained_by or node.reason in (LEFT, _UNKNOWN):
        return inf
    repaired = node.since + REPAIR_S
    return repaired if repaired > now else now + max(1.0, now - node.since)
