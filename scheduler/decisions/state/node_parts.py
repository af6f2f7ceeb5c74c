"""What jobs ask single nodes for: the mix that the placement rule FGD learns."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from scheduler.domain.pools import Pool


class MixPart(NamedTuple):
    """What a placement takes from one node."""

    pool: int
    devices: int
    memory: int
    """Bytes; 0 where memory is not limited."""


def asked(
    pools: Sequence[Pool], places: Collection[tuple[int, int]], memory: int
) -> Iterator[tuple[MixPart, float]]:
    """The parts of a job that accepts these (pool, width), each with its weight in the mix."""
    for pool, width in places:
        its = pools[pool]
        per_node, limited = its.devices_per_node, its.memory_per_node > 0
        whole, rest = divmod(width, per_node)
        for devices, times in ((per_node, whole), (rest, 1 if rest else 0)):
            if times:
                claim = -(-memory * devices // width) if limited else 0
                yield MixPart(pool, devices, claim), times * (1.0 / len(places))
