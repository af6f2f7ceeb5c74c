"""Supplies: how a pool's nodes come and go, and when they are billed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from scheduler.domain.elastic_pools import Elasticity
from scheduler.domain.errors import InputError
from scheduler.domain.pools import Pool
from scheduler.domain.resources import DeviceKind

IDLE_SHARE = {DeviceKind.CPU: 0.3, DeviceKind.CUDA: 0.15}
"""Power of an idle device ÷ that of a busy one, where nothing else is known: assumptions.

Servers drew half of their full power idle in 2007 (Barroso and Hölzle, "The case for
energy-proportional computing", IEEE Computer 40(12)), most since about 2012 a fifth to a third
(published SPECpower_ssj2008 results). Data-centre GPUs idle at 10 to 15 % of their board power, and
at 26 to 66 W more while a process holds a CUDA context (Vadari, arXiv:2605.23918).
"""


class Billing(StrEnum):
    """Which device-hours cost the pool's price."""

    BUSY = "busy"
    """Devices on which a job runs."""
    UP = "up"
    """All devices of a node, from its boot to its shutdown, as clouds bill."""
    AMORTISED = "amortised"
    """All devices of all nodes, used or not: the price of owned machines over their lifetime."""


@dataclass(frozen=True, slots=True)
class Supply:
    """A pool, and how its nodes are supplied."""

    pool: Pool
    """The pool with the most nodes that it can have; `boot_s` is the boot time of a node."""
    min_nodes: int
    """Nodes that are always up; below `pool.nodes` the pool is elastic."""
    idle_timeout_s: float = 300.0
    """Seconds after which an idle node beyond `min_nodes` is shut down."""
    revocations_per_hour: float = 0.0
    """Rate at which a spot node is revoked, with its attempts; 0: not a spot pool."""
    billing: Billing = Billing.BUSY
    origin: str = ""
    """The source of its price, power and rate."""
    idle_watts_per_device: float = 0.0
    """Power of a device whose node is up, or booting, while no job uses it (W)."""

    def __post_init__(self) -> None:
        """Raises `InputError` for an idle power that is not from 0 to that of a busy device."""
        most = self.pool.watts_per_device
        if not 0 <= self.idle_watts_per_device <= most:
            raise InputError(
                f"pool {self.pool.name!r}: idle_watts_per_device is {self.idle_watts_per_device}",
                {f"pools.{self.pool.name}.idle_watts_per_device": f"watts from 0 to {most:g}"},
            )

    @classmethod
    def idling(cls, pool: Pool) -> float:
        """The idle power of its devices where none is given: `IDLE_SHARE` of a busy one's (W)."""
        return IDLE_SHARE[pool.kind] * pool.watts_per_device

    @property
    def elasticity(self) -> Elasticity:
        """When its nodes are booted and shut down."""
        return Elasticity(self.min_nodes, self.idle_timeout_s)

    @property
    def elastic(self) -> bool:
        """Whether nodes come and go."""
        return self.min_nodes < self.pool.nodes

    @property
    def spot(self) -> bool:
        """Whether nodes may be revoked."""
        return self.revocations_per_hour > 0
