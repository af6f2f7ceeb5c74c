"""The simulated cluster: its pools, how they are supplied, and what can fail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from envs.scenarios.scenario import Failures, Scenario
from envs.scenarios.supply import Billing, Supply
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.state.node_placement import BEST_FIT, rule
from scheduler.decisions.state.preemption import AS_PUBLISHED, PreemptionRules
from scheduler.decisions.state.usage import SharingRules
from scheduler.domain.errors import InputError
from scheduler.domain.pools import Pool


@dataclass(frozen=True, slots=True)
class ClusterSpec:
    """A cluster to simulate.

    Raises `InputError` for a supply whose pool is not among `pools`, or an unknown placement rule.

    A device that can be shared in parts is a pool that counts parts: quarters of 8 GPUs are 8
    nodes of 4 devices, each at a quarter of the price; a whole GPU is then a width of 4.
    """

    pools: tuple[Pool, ...]
    mode: Mode = Mode.EASY
    preference: float = 0.5
    """w of jobs that name none: 0 cheapest … 1 fastest."""
    every_event: bool = False
    """Decide after every single event, arrivals first, instead of once per instant."""
    supplies: tuple[Supply, ...] = ()
    """How pools are supplied, in any order. A pool without a supply is always up, is billed while
    busy, and every start in it waits for `boot_s`."""
    failures: Failures = field(default_factory=Failures)
    placement: str = BEST_FIT.name
    """The rule that chooses nodes, by a name of `scheduler.decisions.state.node_placement`."""

    preemption: PreemptionRules = AS_PUBLISHED
    """When running attempts may be preempted. By default only policies that preempt by themselves
    do, as their papers say."""
    sharing: SharingRules | None = None
    """How projects share it; None: projects do not matter."""

    def __post_init__(self) -> None:
        rule(self.placement)
        for supply in self.supplies:
            if supply.pool not in self.pools:
                raise InputError(
                    f"pool {supply.pool.name!r} has a supply but is not part of the cluster",
                    {"supplies": f"pools among {', '.join(pool.name for pool in self.pools)}"},
                )

    @classmethod
    def of(cls, scenario: Scenario) -> ClusterSpec:
        """The cluster of a scenario that was drawn (`Scenario.draw`)."""
        return cls(
            scenario.pools,
            scenario.mode,
            scenario.preference,
            supplies=scenario.supplies,
            failures=scenario.failures,
            placement=scenario.placement,
            preemption=scenario.preemption,
        )

    def supply(self, index: int) -> Supply:
        """The supply of the pool at this index."""
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
