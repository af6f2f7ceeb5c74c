"""Rules that say which of a pool's nodes a placement takes.

A rule decides between nodes that suffice; whether one suffices does not depend on it. Nodes that
are up come before nodes that have to boot, and among equal ones the fullest is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from scheduler.domain.errors import InputError
from scheduler.domain.pools import Pool

Cost = Callable[[int, int, int, int], float]
"""(devices, bytes free on a node, devices, bytes to be taken there) → the least is chosen.

Bytes are 0 where a pool does not limit memory.
"""


class Mix:
    """How often jobs have asked the nodes of one pool for parts of each size."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._parts: dict[tuple[int, int], float] = {}
        self._total = 0.0
        self._known: dict[tuple[int, int], float] = {}

    def add(self, width: int, memory: int, weight: float = 1.0) -> None:
        """A placement of this size was asked for; one wider than a node counts as its parts."""
        whole, rest = divmod(width, self._pool.devices_per_node)
        limited = self._pool.memory_per_node > 0
        for devices, times in ((self._pool.devices_per_node, whole), (rest, 1 if rest else 0)):
            if times:
                part = devices, -(-memory * devices // width) if limited else 0
                self._parts[part] = self._parts.get(part, 0.0) + times * weight
                self._total += times * weight
        self._known.clear()

    def lost(self, devices: int, memory: int) -> float:
        """Free devices of a node that a part drawn from the mix could not use, expected."""
        if not devices or not self._total:
            return 0.0
        size = devices, memory
        share = self._known.get(size)
        if share is None:
            unfit = sum(
                weight
                for (count, claim), weight in self._parts.items()
                if count > devices or claim > memory
            )
            share = self._known[size] = unfit / self._total
        return devices * share


@dataclass(frozen=True, slots=True)
class NodePlacementRule:
    """A rule by name; get one from `RULES` or `rule`."""

    name: str
    summary: str
    """One line for people, with its source."""
    cost: Callable[[Pool, Mix], Cost] | None = None
    """(pool, mix of requests) → cost of a node; None: the fullest node that suffices."""


def _dot_product(pool: Pool, _: Mix) -> Cost:
    """Demand · free, both as shares of a node, over devices and memory.

    Panigrahy, Talwar, Uyeda, Wieder, "Heuristics for vector bin packing", 2011. They fill one bin
    with the item of the greatest product. Here the item is given: the least product is what leaves
    the bins that suit other items best (so, too, the comparison of Weng et al. 2023); the greatest
    would always be the emptiest node.
    """
    devices, memory = pool.devices_per_node**2, pool.memory_per_node**2

    def cost(free: int, memory_free: int, count: int, claim: int) -> float:
        return free * count / devices + (memory_free * claim / memory if memory else 0.0)

    return cost


def _fragmentation(_: Pool, mix: Mix) -> Cost:
    """How much the free devices grow that a typical job cannot use.

    Weng et al., "Beware of fragmentation", USENIX ATC 2023: the fragmentation of a node is the
    expectation over the mix of jobs of those of its free devices which a job cannot use; a job
    goes where it grows least. Parts of devices are devices, see `ClusterSpec`.
    """

    def cost(free: int, memory_free: int, count: int, claim: int) -> float:
        return mix.lost(free - count, memory_free - claim) - mix.lost(free, memory_free)

    return cost


BEST_FIT = NodePlacementRule("best-fit", "the fullest node that suffices (Johnson 1973)")
DOT_PRODUCT = NodePlacementRule(
    "dot-product", "least demand · free, over devices and memory (Panigrahy 2011)", _dot_product
)
FGD = NodePlacementRule(
    "fgd", "least growth of fragmentation, given the mix (Weng 2023)", _fragmentation
)

RULES: Mapping[str, NodePlacementRule] = {each.name: each for each in (BEST_FIT, DOT_PRODUCT, FGD)}


def rule(name: str) -> NodePlacementRule:
    """The rule of that name; raises `InputError` listing the legal ones."""
    if name not in RULES:
        raise InputError(
            f"there is no node placement rule {name!r}", {"placement": f"one of {', '.join(RULES)}"}
        )
    return RULES[name]
