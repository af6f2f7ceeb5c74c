"""What is simulated, besides the workload: pools, how they are had, and what goes wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from envs.scenarios.scenario import Failures, Scenario
from envs.scenarios.supply import Billing, Supply
from scheduler.decisions.rounds.round import Mode
from scheduler.decisions.state.node_placement import BEST_FIT, rule
from scheduler.domain.errors import InputError
from scheduler.domain.pools import Pool


@dataclass(frozen=True, slots=True)
class ClusterSpec:
    """Raises `InputError` for a supply whose pool is not among `pools`, or an unknown placement.

    A device that can be shared in parts is a pool that counts parts: quarters of 8 GPUs are 8
    nodes of 4 devices, each at a quarter of the price; a whole GPU is then a width of 4.
    """

    pools: tuple[Pool, ...]
    mode: Mode = Mode.EASY
    preference: float = 0.5
    """Of jobs that name none."""
    each: bool = False
    """Decide after every single event, arrivals first, instead of once per instant."""
    supplies: tuple[Supply, ...] = ()
    """How pools are had, in any order. A pool without one is always there, billed while busy, and
    every start in it waits for `boot_s`."""
    failures: Failures = field(default_factory=Failures)
    placement: str = BEST_FIT.name
    """Which nodes of a pool are taken: a name of `scheduler.decisions.state.node_placement`."""

    def __post_init__(self) -> None:
        rule(self.placement)
        for supply in self.supplies:
            if supply.pool not in self.pools:
                raise InputError(
                    f"pool {supply.pool.name!r} is supplied, but is not part of the site",
                    {"supplies": f"of {', '.join(pool.name for pool in self.pools)}"},
                )

    @classmethod
    def of(cls, scenario: Scenario) -> ClusterSpec:
        """Of a scenario with its cluster drawn (`Scenario.draw`)."""
        return cls(
            scenario.pools,
            scenario.mode,
            scenario.preference,
            supplies=scenario.supplies,
            failures=scenario.failures,
            placement=scenario.placement,
        )

    def supply(self, index: int) -> Supply:
        """How the pool of this index is had."""
        pool = self.pools[index]
        for supply in self.supplies:
            if supply.pool == pool:
                return supply
        return Supply(pool, pool.nodes, billing=Billing.BUSY)

    def changing(self) -> Sequence[int]:
        """Indices of the pools whose nodes come and go, or fail."""
        failing = self.failures.per_node_hour > 0
        return [
            index
            for index, pool in enumerate(self.pools)
            if failing
            or any(each.pool == pool and (each.elastic or each.spot) for each in self.supplies)
        ]
