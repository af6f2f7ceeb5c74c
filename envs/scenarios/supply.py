"""How a pool's nodes come and go, and when they are paid for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from scheduler.domain.pools import Pool


class Billing(StrEnum):
    """Which device-hours cost the pool's price."""

    BUSY = "busy"
    """Those on which a job runs."""
    UP = "up"
    """All of a node, from its boot to its shutdown: how clouds bill."""
    AMORTISED = "amortised"
    """All of all nodes, used or not: owned machines over their lifetime."""


@dataclass(frozen=True, slots=True)
class Supply:
    """A pool, and how it is had."""

    pool: Pool
    """With the most nodes there can be; `boot_s` is the time until a further one is up."""
    min_nodes: int
    """Nodes that are always up; below `pool.nodes` the pool is elastic."""
    idle_timeout_s: float = 300.0
    """An idle node beyond `min_nodes` is shut down after this."""
    revocations_per_hour: float = 0.0
    """Rate at which a spot node is taken away, with its attempts; 0: not a spot pool."""
    billing: Billing = Billing.BUSY
    origin: str = ""
    """Where its price, power and rate come from."""

    @property
    def elastic(self) -> bool:
        """Whether nodes come and go."""
        return self.min_nodes < self.pool.nodes

    @property
    def spot(self) -> bool:
        """Whether nodes may be taken away."""
        return self.revocations_per_hour > 0
