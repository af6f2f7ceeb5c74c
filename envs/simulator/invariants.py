"""Invariants of a simulation, checked at every instant by sums of their own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set

from scheduler.decisions.state.entries import RunningAttempt
from scheduler.domain.pools import Pool


class Invariants:
    """Checks a simulation. Each method raises `AssertionError` that says what is wrong."""

    def __init__(self, pools: Sequence[Pool]) -> None:
        self._pools = pools
        self._now = 0.0

    def instant(
        self,
        now: float,
        held: Iterable[RunningAttempt],
        arrived: int,
        waiting: Set[int],
        running: Set[int],
        ended: int,
    ) -> None:
        """Time advances, no job is lost or in two states, and no node holds more than it has."""
        assert now >= self._now, f"time ran back from {self._now} to {now}"
        self._now = now
        assert not waiting & running, f"jobs {waiting & running} wait while they run"
        present = len(waiting) + len(running)
        assert arrived == present + ended, f"{arrived} arrived, {present} present, {ended} ended"
        attempts = list(held)
        assert {each.job for each in attempts if each.job > 0} == running
        self._capacity(attempts)

    def end(self, billed: Sequence[float], used: Sequence[float]) -> None:
        """Device-seconds by pool: no more are used than billed."""
        for pool, paid, had in zip(self._pools, billed, used, strict=True):
            assert paid >= had - 1e-6 * max(1.0, had), f"{pool.name}: {had} used, {paid} billed"

    def _capacity(self, attempts: Sequence[RunningAttempt]) -> None:
        devices: dict[tuple[int, int], int] = {}
        memory: dict[tuple[int, int], int] = {}
        for each in attempts:
            for node, count in each.nodes:
                at = each.pool, node
                devices[at] = devices.get(at, 0) + count
                memory[at] = memory.get(at, 0) + -(-each.memory * count // each.width)
        for (index, node), count in devices.items():
            pool = self._pools[index]
            assert 0 <= node < pool.nodes, f"{pool.name} has no node {node}"
            assert count <= pool.devices_per_node, f"{pool.name}: {count} devices on node {node}"
            limit = pool.memory_per_node
            claimed = memory[index, node]
            assert not limit or claimed <= limit, f"{pool.name}: {claimed} bytes on node {node}"
