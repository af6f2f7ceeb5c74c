"""Pools made of nodes: equal devices together, numbers that stay."""

from dataclasses import replace

from scheduler.domain.nodes import Node, NodeFacts, NodeState
from scheduler.hardware.node_pools import inventory_of, places, shares
from scheduler.settings import PoolSettings

GIB = 2**30


def node(name: str, *, cpus: int = 0, gpus: int = 0, model: str = "NVIDIA A10", **labels: str):
    facts = NodeFacts(
        name,
        cpus=tuple(map(str, range(cpus))),
        cpu_model="AMD EPYC 7B13" if cpus else "",
        gpus=tuple((f"{name}-gpu-{at}", model, 24 * GIB) for at in range(gpus)),
        memory_bytes=64 * GIB,
        labels={key.replace("__", "/"): value for key, value in labels.items()},
    )
    return Node(name, NodeState.UP, 0.0, facts=facts)


def placed(*nodes: Node) -> list[Node]:
    numbers = places(nodes)
    return [replace(each, places=numbers[each.name]) for each in nodes]


def test_equal_machines_make_one_pool_and_others_another():
    inventory = inventory_of(
        placed(node("b", cpus=4, gpus=2), node("a", cpus=4, gpus=2), node("c", cpus=8)), {}
    )
    found = {pool.name: (pool.nodes, pool.devices_per_node) for pool in inventory.pools}
    assert found == {
        "a10-x2": (2, 2),
        "cpu-amd-epyc-7b13-x4": (2, 4),
        "cpu-amd-epyc-7b13-x8": (1, 8),
    }
    assert inventory.nodes["a10-x2"] == ("a", "b")
    assert inventory.by_node("a10-x2", (1, 2)) == {"a": ["a-gpu-1"], "b": ["b-gpu-0"]}
    gpus = next(pool for pool in inventory.pools if pool.name == "a10-x2")
    assert gpus.memory_per_node == 48 * GIB


def test_numbers_of_known_nodes_stay_when_others_come_and_go():
    first = placed(node("m", gpus=1), node("z", gpus=1))
    assert [each.places for each in first] == [{"a10-x1": 0}, {"a10-x1": 1}]
    joined = {each.name: each.places for each in placed(*first, node("a", gpus=1))}
    assert joined == {"m": {"a10-x1": 0}, "z": {"a10-x1": 1}, "a": {"a10-x1": 2}}
    # A node was forgotten; the next one takes its number.
    after = {each.name: each.places for each in placed(first[1], node("b", gpus=1))}
    assert after == {"z": {"a10-x1": 1}, "b": {"a10-x1": 0}}
    assert inventory_of([first[1]], {}).nodes["a10-x1"] == ("", "z")


def test_a_label_names_the_pool_and_settings_give_its_price():
    nodes = placed(node("a", gpus=1, fulcrum__pool="fast"), node("b", cpus=2, fulcrum__pool="slow"))
    wishes = {"fast": PoolSettings(dollars_per_device_hour=1.25)}
    inventory = inventory_of(nodes, wishes)
    prices = {pool.name: pool.dollars_per_device_hour for pool in inventory.pools}
    assert prices["fast"] == 1.25
    assert set(prices) == {"fast", "slow"}
    assert "settings: dollars_per_device_hour" in inventory.sources["fast"]
    switched_off = inventory_of(nodes, {"slow": PoolSettings(enabled=False)})
    assert [pool.name for pool in switched_off.pools] == ["fast"]


def test_a_node_with_other_devices_under_the_same_label_is_left_out_with_a_note():
    label = {"fulcrum__pool": "fast"}
    inventory = inventory_of(placed(node("a", gpus=2, **label), node("b", gpus=1, **label)), {})
    assert inventory.nodes["fast"] == ("a", "")
    assert inventory.notes["fast"] == "left out, because their devices are others: b"


def test_gpus_of_two_models_make_two_pools():
    facts = NodeFacts("x", gpus=(("1", "NVIDIA A10", GIB), ("2", "Tesla T4", GIB)))
    assert [share.pool for share in shares(facts)] == ["a10-x1", "t4-x1"]
