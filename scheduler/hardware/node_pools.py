"""Pools made of the nodes of an executor: equal devices on nodes with equally many of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from scheduler.domain.nodes import POOL_LABEL, Node, NodeFacts
from scheduler.domain.pools import Pool
from scheduler.domain.resources import DeviceKind
from scheduler.hardware.figures import figures_for
from scheduler.hardware.inventory import (
    FIGURES,
    Inventory,
    overridden,
    slug,
)
from scheduler.settings import PoolSettings


@dataclass(frozen=True, slots=True)
class Share:
    """What a node brings into one pool."""

    pool: str
    kind: DeviceKind
    model: str
    devices: tuple[str, ...]
    memory_bytes: int


def shares(facts: NodeFacts) -> list[Share]:
    """What a node brings: its GPUs of each model, and its CPUs.

    A label names the pool of its GPUs; that of its CPUs if it has no GPU.
    """
    found: list[Share] = []
    named = facts.labels.get(POOL_LABEL, "")
    by_model: dict[str, list[tuple[str, int]]] = {}
    for identifier, model, memory in facts.gpus:
        by_model.setdefault(model, []).append((identifier, memory))
    for model, gpus in by_model.items():
        devices = tuple(identifier for identifier, _ in gpus)
        memory = min(size for _, size in gpus) * len(gpus)
        name = named if named and len(by_model) == 1 else f"{slug(model)}-x{len(gpus)}"
        found.append(Share(name, DeviceKind.CUDA, model, devices, memory))
    if facts.cpus:
        model = facts.cpu_model or "CPU"
        name = named if named and not by_model else f"cpu-{slug(model)}-x{len(facts.cpus)}"
        found.append(Share(name, DeviceKind.CPU, model, facts.cpus, facts.memory_bytes))
    return found


def places(nodes: Iterable[Node]) -> dict[str, dict[str, int]]:
    """Node → pool → its number there, for all nodes with facts; known numbers stay.

    Attempts hold devices by these numbers, so they must not move while a node is known.
    """
    known = sorted(nodes, key=lambda node: (not node.places, node.name))
    taken: dict[str, set[int]] = {}
    found: dict[str, dict[str, int]] = {}
    wanted = {node.name: shares(node.facts) if node.facts else [] for node in known}
    for node in known:
        mine = {
            share.pool: node.places[share.pool]
            for share in wanted[node.name]
            if share.pool in node.places
        }
        found[node.name] = mine
        for pool, number in mine.items():
            taken.setdefault(pool, set()).add(number)
    for node in known:
        for share in wanted[node.name]:
            if share.pool not in found[node.name]:
                used = taken.setdefault(share.pool, set())
                number = next(n for n in range(len(used) + 1) if n not in used)
                used.add(number)
                found[node.name][share.pool] = number
    return found


def closed_up(nodes: Iterable[Node], pools: Collection[str]) -> list[Node]:
    """The nodes with numbers without gaps in these pools, in which no attempt holds a device."""
    given = sorted(nodes, key=lambda node: node.name)
    kept = [
        replace(node, places={at: n for at, n in node.places.items() if at not in pools})
        for node in given
    ]
    numbers = places(kept)
    return [replace(node, places=numbers.get(node.name, {})) for node in kept]


def inventory_of(nodes: Sequence[Node], wishes: Mapping[str, PoolSettings]) -> Inventory:
    """The pools of these nodes, with the settings' figures. Nodes need `places`.

    A pool has as many devices on each node as its first node; a node with another number of
    devices under the same label is left out of it, with a note.
    """
    pools: list[Pool] = []
    identifiers: dict[str, tuple[str, ...]] = {}
    sources: dict[str, str] = {}
    notes: dict[str, str] = {}
    names: dict[str, tuple[str, ...]] = {}
    for name, members in sorted(_members(nodes).items()):
        wish = wishes.get(name, PoolSettings())
        if not wish.enabled:
            continue
        _, first = members[min(members)]
        alike = {at: each for at, each in members.items() if _fits(each[1], first)}
        if odd := [node.name for at, (node, _) in members.items() if at not in alike]:
            notes[name] = f"left out, because their devices are others: {', '.join(odd)}"
        pool = overridden(_pool(name, first, max(members) + 1), wish)
        pools.append(pool)
        empty = ("",) * len(first.devices)
        rows = [alike[at][1].devices if at in alike else empty for at in range(pool.nodes)]
        identifiers[name] = tuple(device for row in rows for device in row)
        names[name] = tuple(alike[at][0].name if at in alike else "" for at in range(pool.nodes))
        given = [figure for figure in FIGURES if getattr(wish, figure) is not None]
        default = figures_for(pool.kind, pool.model).source
        sources[name] = f"settings: {', '.join(given)}; else {default}" if given else default
    billed_up = frozenset(name for name, wish in wishes.items() if wish.billed == "up")
    return Inventory(tuple(pools), identifiers, sources, notes, nodes=names, billed_up=billed_up)


def _members(nodes: Sequence[Node]) -> dict[str, dict[int, tuple[Node, Share]]]:
    found: dict[str, dict[int, tuple[Node, Share]]] = {}
    for node in nodes:
        for share in shares(node.facts) if node.facts else []:
            if share.pool in node.places:
                found.setdefault(share.pool, {})[node.places[share.pool]] = node, share
    return found


def _fits(share: Share, first: Share) -> bool:
    return (share.kind, share.model, len(share.devices)) == (
        first.kind,
        first.model,
        len(first.devices),
    )


def _pool(name: str, share: Share, nodes: int) -> Pool:
    figures = figures_for(share.kind, share.model)
    return Pool(
        name=name,
        kind=share.kind,
        model=share.model,
        devices_per_node=len(share.devices),
        nodes=nodes,
        memory_per_node=share.memory_bytes,
        dollars_per_device_hour=figures.dollars_per_hour,
        watts_per_device=figures.watts,
        flops_per_device=figures.flops,
    )
