"""Free devices and memory of one pool, node by node, and which nodes a placement takes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import chain

from scheduler.decisions.state.node_placement import Cost
from scheduler.domain.pools import Pool

Nodes = tuple[tuple[int, int], ...]
"""Devices taken: (node, how many) pairs."""


class Occupancy:
    """What is free in one pool. Mutable; `copy()` before trying things out.

    Nodes with equally many free devices share a bucket, so finding the fullest node that still
    fits (best-fit: least left over; Johnson 1973) takes one look per possible count. A pool of
    one node needs none. Another rule has a `cost`, which decides between the nodes that suffice.

    A node is *cold* if a start there waits for the pool's boot time: in a pool that has one, every
    node, until `mark_up`. Of empty nodes those that are up come first.
    """

    def __init__(self, pool: Pool, cost: Cost | None = None) -> None:
        self._pool = pool
        self._cost = cost
        self._devices = [pool.devices_per_node] * pool.nodes
        self._memory = [pool.memory_per_node] * pool.nodes
        self._cold = set(range(pool.nodes)) if pool.boot_s else set[int]()
        # By free devices; empty nodes that are cold have a bucket of their own at the end.
        self._buckets: list[dict[int, None]] = []
        if pool.nodes > 1:
            self._buckets = [{} for _ in range(pool.devices_per_node + 2)]
            self._buckets[-1 if self._cold else -2] = dict.fromkeys(range(pool.nodes))
        self.free = pool.count
        """Free devices in the whole pool."""

    def copy(self) -> Occupancy:
        """An independent copy."""
        twin = object.__new__(Occupancy)
        twin._pool = self._pool
        twin._cost = self._cost
        twin._devices = self._devices.copy()
        twin._memory = self._memory.copy()
        twin._cold = self._cold.copy()
        twin._buckets = [bucket.copy() for bucket in self._buckets]
        twin.free = self.free
        return twin

    @property
    def widest(self) -> int:
        """The greatest width that fits now if memory does not matter; all below it fit too."""
        if not self._buckets:
            return self.free
        empty, partly = len(self._buckets[-1]) + len(self._buckets[-2]), 0
        for count in range(len(self._buckets) - 3, 0, -1):
            if self._buckets[count]:
                partly = count
                break
        return empty * self._pool.devices_per_node + partly

    def fit(self, width: int, memory: int = 0) -> Nodes | None:
        """The nodes that `width` devices with `memory` bytes take by the rule; None if none do."""
        if width > self.free:
            return None
        if not self._buckets:
            if memory and self._pool.memory_per_node and self._memory[0] < memory:
                return None
            return ((0, width),)
        per_node = self._pool.devices_per_node
        whole, rest = divmod(width, per_node)
        if whole == 0:
            node = self._best(rest, memory)
            return None if node is None else ((node, rest),)
        if whole == 1 and rest == 0:
            node = self._best(per_node, memory)
            return None if node is None else ((node, per_node),)
        return self._spanning(whole, rest, memory, width)

    def boot_s(self, nodes: Nodes) -> float:
        """Seconds until an attempt that starts there runs: the pool's, if a node is cold."""
        if self._cold and any(node in self._cold for node, _ in nodes):
            return self._pool.boot_s
        return 0.0

    def mark_up(self, node: int) -> None:
        """The node is up."""
        if node in self._cold:
            old = self._bucket(node)
            self._cold.remove(node)
            self._move(node, old)

    def mark_down(self, node: int) -> None:
        """The node is down until a start boots it."""
        if node not in self._cold:
            old = self._bucket(node)
            self._cold.add(node)
            self._move(node, old)

    def allocate(self, nodes: Nodes, memory: int = 0) -> None:
        """Occupy; raises `ValueError` if a node has too little."""
        self._check(nodes, memory)
        for (node, count), share in zip(nodes, _shares(nodes, memory), strict=True):
            self._change(node, -count, -share)

    def release(self, nodes: Nodes, memory: int = 0) -> None:
        """Free again what `allocate` occupied."""
        for (node, count), share in zip(nodes, _shares(nodes, memory), strict=True):
            self._change(node, count, share)

    def least(self, other: Occupancy) -> Occupancy:
        """What is free in both of two states of the same pool, per node."""
        both = Occupancy(self._pool, self._cost)
        for node in both._cold - self._cold:
            both.mark_up(node)
        for node in self._cold - both._cold:
            both.mark_down(node)
        for node in range(self._pool.nodes):
            both._change(
                node,
                min(self._devices[node], other._devices[node]) - both._devices[node],
                min(self._memory[node], other._memory[node]) - both._memory[node],
            )
        return both

    def _best(self, count: int, memory: int) -> int | None:
        if self._cost is not None:
            return self._least(self._cost, count, memory)
        limited = memory and self._pool.memory_per_node
        for bucket in self._buckets[count:]:
            if not limited:
                for node in bucket:
                    return node
            else:
                for node in bucket:
                    if self._memory[node] >= memory:
                        return node
        return None

    def _least(self, cost: Cost, count: int, memory: int, used: Collection[int] = ()) -> int | None:
        """The node of least cost; equal nodes are asked about once."""
        limited = self._pool.memory_per_node > 0
        claim = memory if limited else 0
        alike = not (limited or self._cold)
        best: tuple[bool, float] | None = None
        found: int | None = None
        seen: set[tuple[bool, int, int]] = set()
        for bucket in self._buckets[count:]:
            for node in bucket:
                memory_free = self._memory[node] if limited else 0
                state = node in self._cold, self._devices[node], memory_free
                if memory_free < claim or node in used or state in seen:
                    continue
                seen.add(state)
                rank = state[0], cost(state[1], memory_free, count, claim)
                if best is None or rank < best:
                    best, found = rank, node
                if alike:
                    break
        return found

    def _spanning(self, whole: int, rest: int, memory: int, width: int) -> Nodes | None:
        per_node = self._pool.devices_per_node
        share = -(-memory * per_node // width)
        limited = bool(memory and self._pool.memory_per_node)
        empty = [
            node
            for node in chain(self._buckets[-2], self._buckets[-1])
            if not limited or self._memory[node] >= share
        ][: whole + 1]
        if len(empty) < whole:
            return None
        taken = [(node, per_node) for node in empty[:whole]]
        if not rest:
            return tuple(taken)
        used = set(empty[:whole])
        need = -(-memory * rest // width)
        if self._cost is not None:
            node = self._least(self._cost, rest, need, used)
            return None if node is None else (*taken, (node, rest))
        for bucket in self._buckets[rest:]:
            for node in bucket:
                if node not in used and (not limited or self._memory[node] >= need):
                    return (*taken, (node, rest))
        return None

    def _check(self, nodes: Nodes, memory: int) -> None:
        for (node, count), share in zip(nodes, _shares(nodes, memory), strict=True):
            short = self._pool.memory_per_node and self._memory[node] < share
            if self._devices[node] < count or short:
                raise ValueError(f"node {node} of pool {self._pool.name!r} is too full")

    def _change(self, node: int, devices: int, memory: int) -> None:
        if devices:
            if self._buckets:
                old = self._bucket(node)
                self._devices[node] += devices
                self._move(node, old)
            else:
                self._devices[node] += devices
            self.free += devices
        self._memory[node] += memory

    def _bucket(self, node: int) -> int:
        free = self._devices[node]
        return free + 1 if free == self._pool.devices_per_node and node in self._cold else free

    def _move(self, node: int, old: int) -> None:
        if self._buckets:
            del self._buckets[old][node]
            self._buckets[self._bucket(node)][node] = None


def _shares(nodes: Sequence[tuple[int, int]], memory: int) -> list[int]:
    """Memory of each node's part, in proportion to its devices; the sum is at least `memory`."""
    if len(nodes) == 1:
        return [memory]
    width = sum(count for _, count in nodes)
    return [-(-memory * count // width) for _, count in nodes]
