"""What nodes cost while no job held their devices, in pools that are billed while they are up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from math import inf
from typing import NamedTuple

from scheduler.domain.nodes import NodeEvent, NodeEventName
from scheduler.domain.pools import Pool
from scheduler.store.base import Store

_PAGE = 1000
_OFF = frozenset({NodeEventName.OFF, NodeEventName.DOWN, NodeEventName.RETIRED})
POOLS = "pools"
"""In the data of a node's event: its pools."""


class IdleCost(NamedTuple):
    """What the idle devices of a pool cost."""

    pool: str
    device_seconds: float
    dollars: float


def idle_costs(
    store: Store,
    pools: Iterable[Pool],
    running: Mapping[str, float],
    since: float | None,
    until: float,
) -> list[IdleCost]:
    """One entry for each pool of `pools` that had idle devices between `since` and `until`.

    `running`: pool → device-seconds so far of attempts that have not ended. Ended attempts count
    by their end, as in `Store.costs`.
    """
    on = _seconds_on(_events(store), since or 0.0, until)
    busy = {cost.group: cost.device_seconds for cost in store.costs("pool", since=since)}
    found = []
    for pool in pools:
        held = busy.get(pool.name, 0.0) + running.get(pool.name, 0.0)
        idle = on.get(pool.name, 0.0) * pool.devices_per_node - held
        if idle > 0.0:
            dollars = idle / 3600 * pool.dollars_per_device_hour
            found.append(IdleCost(pool.name, idle, dollars))
    return found


def _events(store: Store) -> Iterator[NodeEvent]:
    after = 0
    while page := store.node_events(after=after, limit=_PAGE):
        yield from page
        after = page[-1].seq


def _seconds_on(events: Iterable[NodeEvent], since: float, until: float) -> Mapping[str, float]:
    """Pool → node-seconds for which its nodes were on, boots included."""
    seconds: defaultdict[str, float] = defaultdict(float)
    begun: dict[str, tuple[float, tuple[str, ...]]] = {}

    def end(node: str, at: float) -> None:
        start, pools = begun.pop(node, (inf, ()))
        for pool in pools:
            seconds[pool] += max(0.0, min(at, until) - max(start, since))

    for event in events:
        if event.name in _OFF:
            end(event.node, event.time)
        elif event.node not in begun and event.name is not NodeEventName.JOINED:
            begun[event.node] = event.time, tuple(event.data.get(POOLS, ()))
    for node in list(begun):
        end(node, until)
    return seconds
