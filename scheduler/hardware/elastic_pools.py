"""The elastic pools that the settings describe."""

from __future__ import annotations

from collections.abc import Mapping

from scheduler.domain.elastic_pools import Elasticity, ElasticPool
from scheduler.domain.errors import InputError
from scheduler.domain.resources import DeviceKind
from scheduler.settings import PoolSettings


def elastic_pools(wishes: Mapping[str, PoolSettings]) -> tuple[ElasticPool, ...]:
    """The pools with a most of nodes and a boot time.

    Raises `InputError` for one without kind or devices, or with a least of nodes above the most.
    """
    return tuple(
        _pool(name, wish)
        for name, wish in wishes.items()
        if wish.enabled and wish.nodes is not None and wish.boot_s
    )


def _pool(name: str, wish: PoolSettings) -> ElasticPool:
    if wish.kind is None or wish.devices is None or wish.nodes is None:
        kinds = ", ".join(kind.value for kind in DeviceKind)
        raise InputError(
            f"pool {name!r} is elastic, because it has nodes and boot_s; "
            "it also needs kind and devices",
            {
                f"pools.{name}.kind": f"one of {kinds}",
                f"pools.{name}.devices": "a whole number ≥ 1: devices of one node",
            },
        )
    if wish.min_nodes > wish.nodes:
        raise InputError(
            f"pool {name!r} has {wish.nodes} nodes at most, and {wish.min_nodes} at least",
            {f"pools.{name}.min_nodes": f"a whole number from 0 to {wish.nodes}"},
        )
    return ElasticPool(
        name,
        wish.kind,
        wish.model or name,
        wish.devices,
        wish.nodes,
        Elasticity(wish.min_nodes, wish.idle_timeout_s),
        wish.boot_timeout_s,
        int(wish.memory or 0),
    )
