"""The nodes of a pool whose nodes come and go: boots, shutdowns, revocations, breakdowns."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field

import simpy
from simpy.events import Event

from envs.scenarios.scenario import Failures
from envs.scenarios.supply import Supply
from envs.simulator.meter import overlap
from envs.simulator.random_events import RandomEvents
from scheduler.decisions.state.entries import Nodes, RunningAttempt
from scheduler.decisions.state.world import World


@dataclass(slots=True)
class _Node:
    number: int
    on: bool = False
    """Whether it boots or is up, and so is billed where nodes are billed while up."""
    since: float = 0.0
    """When it was switched on."""
    ready: float = 0.0
    """When it has booted."""
    life: int = 0
    """How often it was switched on."""
    attempts: set[int] = field(default_factory=set)
    """Jobs on it."""
    changes: int = 0
    """Counts attempts that come or go. An idle timer that finds another number is void."""
    process: simpy.Process | None = None


class NodePool:
    """All nodes of one pool. The supply's least number of nodes is up from the start.

    `lose` is called with each job whose attempt ends because its node is gone, `notify` whenever
    capacity has changed, and `switched` with the time and +1 or -1 when a node goes on or off.
    `counted_time`: (start, end) of the time whose seconds are counted.
    """

    def __init__(
        self,
        env: simpy.Environment,
        world: World,
        index: int,
        supply: Supply,
        failures: Failures,
        random_events: RandomEvents,
        lose: Callable[[int], None],
        notify: Callable[[], None],
        switched: Callable[[float, int], None],
        counted_time: tuple[float, float],
    ) -> None:
        self._time = counted_time
        self._env, self._world, self._index = env, world, index
        self._supply, self._failures, self._random_events = supply, failures, random_events
        self._lose, self._notify, self._switched = lose, notify, switched
        self._nodes = [_Node(number) for number in range(supply.pool.nodes)]
        self._node_seconds = 0.0
        self.on = 0
        """Nodes that are up or booting."""
        for node in self._nodes[: supply.min_nodes]:
            self._switch_on(node, boot_s=0.0)

    @property
    def device_seconds(self) -> float:
        """Device-seconds switched on so far in the time that counts, boots included."""
        now = self._env.now
        running = sum(overlap(node.since, now, self._time) for node in self._nodes if node.on)
        return (self._node_seconds + running) * self._supply.pool.devices_per_node

    def occupy(self, job: int, nodes: Nodes) -> float:
        """Put an attempt on nodes, booting those that are off; returns when all of them are up."""
        ready = self._env.now
        for number, _ in nodes:
            node = self._nodes[number]
            if not node.on:
                self._switch_on(node, self._supply.pool.boot_s)
            node.attempts.add(job)
            node.changes += 1
            ready = max(ready, node.ready)
        return ready

    def release(self, job: int, nodes: Nodes) -> None:
        """Take an attempt off its nodes; nodes left idle may be shut down."""
        for number, _ in nodes:
            node = self._nodes[number]
            node.attempts.discard(job)
            node.changes += 1
            if node.on and not node.attempts and self._supply.elastic:
                self._env.process(self._idle(node, node.changes))

    def _switch_on(self, node: _Node, boot_s: float) -> None:
        node.on = True
        node.since = self._env.now
        node.ready = node.since + boot_s
        node.life += 1
        self.on += 1
        self._switched(node.since, 1)
        node.process = self._env.process(self._life(node, boot_s))

    def _switch_off(self, node: _Node) -> None:
        node.on = False
        self._node_seconds += overlap(node.since, self._env.now, self._time)
        self.on -= 1
        self._switched(self._env.now, -1)
        node.process = None
        self._world.mark_down(self._index, node.number)

    def _life(self, node: _Node, boot_s: float) -> Generator[Event, None, None]:
        try:
            if boot_s:
                yield self._env.timeout(boot_s)
            self._world.mark_up(self._index, node.number)
            life = (self._index, node.number, node.life)
            revoked = self._random_events.revocation(*life, self._supply.revocations_per_hour)
            broken = self._random_events.breakdown(*life, self._failures.per_node_hour)
            if min(revoked, broken) == simpy.core.Infinity:
                return
            yield self._env.timeout(min(revoked, broken))
        except simpy.Interrupt:
            return
        self._switch_off(node)
        # The node goes down before its jobs are lost, so that no job is placed there meanwhile.
        jobs = sorted(node.attempts)
        for job in jobs:
            self._lose(job)
        if broken < revoked:
            yield from self._repair(node)
        if self._supply.elasticity.lacking(self.on):
            self._switch_on(node, self._supply.pool.boot_s)
        self._notify()

    def _repair(self, node: _Node) -> Generator[Event, None, None]:
        """Hold a broken node until it is repaired: decisions see it as in use."""
        pool = self._supply.pool
        whole = ((node.number, pool.devices_per_node),)
        end = self._env.now + self._failures.repair_s
        # Jobs have positive numbers.
        held = -1 - node.number - self._index * 1_000_000
        self._world.start(RunningAttempt(end, held, self._index, whole, pool.memory_per_node))
        self._notify()
        yield self._env.timeout(self._failures.repair_s)
        self._world.finish(held)

    def _idle(self, node: _Node, changes: int) -> Generator[Event, None, None]:
        yield self._env.timeout(self._supply.idle_timeout_s)
        unused = node.on and node.changes == changes
        if unused and self._supply.elasticity.spares(self.on):
            if node.process is not None and node.process.is_alive:
                node.process.interrupt()
            self._switch_off(node)
