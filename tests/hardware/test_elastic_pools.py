"""Elastic pools out of settings, and their nodes while they are off and when they are up."""

from dataclasses import replace

import pytest

from scheduler.domain.elastic_pools import Elasticity, ElasticPool, device
from scheduler.domain.errors import InputError
from scheduler.domain.nodes import POOL_LABEL, Node, NodeFacts, NodeState
from scheduler.domain.resources import DeviceKind
from scheduler.hardware.elastic_pools import elastic_pools
from scheduler.hardware.node_pools import inventory_of, places
from scheduler.settings import PoolSettings

GIB = 2**30
WISH = PoolSettings(kind="cuda", model="NVIDIA A10", devices=2, nodes=3, boot_s=90.0, min_nodes=1)
GPUS = ElasticPool("spot", DeviceKind.CUDA, "NVIDIA A10", 2, 3)


def inventory(*facts: NodeFacts, wish: PoolSettings = WISH):
    nodes = [Node(each.name, each.state, 0.0, facts=each) for each in facts]
    numbers = places(nodes)
    placed = [replace(node, places=numbers[node.name]) for node in nodes]
    return inventory_of(placed, {"spot": wish})


def test_a_pool_with_nodes_and_a_boot_time_is_elastic():
    wishes = {"spot": WISH, "cpu": PoolSettings(devices=4), "t4": PoolSettings(boot_s=9.0)}
    (pool,) = elastic_pools(wishes)
    assert pool.node_names == ("spot-0", "spot-1", "spot-2")
    assert pool.elasticity == Elasticity(1, 300.0)
    assert elastic_pools({"spot": WISH.model_copy(update={"enabled": False})}) == ()


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"kind": None}, "kind"), ({"devices": None}, "devices"), ({"min_nodes": 4}, "min_nodes")],
)
def test_what_an_elastic_pool_lacks_is_said(changes, field):
    with pytest.raises(InputError) as caught:
        elastic_pools({"spot": WISH.model_copy(update=changes)})
    assert f"pools.spot.{field}" in caught.value.fields


def test_nodes_that_are_off_make_the_same_pool_as_nodes_that_are_up():
    off = [GPUS.off(name) for name in GPUS.node_names]
    up = GPUS.on(
        NodeFacts(
            "spot-1",
            NodeState.UP,
            cpus=("0", "1"),
            gpus=tuple((f"GPU-{at}", "NVIDIA A10G", 24 * GIB) for at in range(4)),
            labels={POOL_LABEL: "another"},
        )
    )
    (pool,) = inventory(*off).pools
    assert (pool.name, pool.nodes, pool.devices_per_node, pool.boot_s) == ("spot", 3, 2, 90.0)
    mixed = inventory(off[0], up, off[2])
    assert [each.name for each in mixed.pools] == ["spot"]
    assert mixed.by_node("spot", (0, 2, 3)) == {"spot-0": ["#0"], "spot-1": ["GPU-0", "GPU-1"]}
    assert not mixed.notes


def test_a_launch_that_names_positions_gets_the_devices_of_the_machine():
    up = GPUS.on(
        NodeFacts("spot-1", gpus=(("GPU-a", "A10", GIB), ("GPU-b", "A10", GIB)), cpus=("7",))
    )
    assert [device(up, name) for name in ("#1", "GPU-a", "#0")] == ["GPU-b", "GPU-a", "GPU-a"]
    cpus = replace(GPUS, kind=DeviceKind.CPU).on(NodeFacts("spot-1", cpus=("4", "5", "6")))
    assert (cpus.cpus, device(cpus, "#1")) == (("4", "5"), "5")


def test_a_machine_with_too_few_devices_is_not_of_the_pool():
    with pytest.raises(InputError, match="it has 0 cuda devices instead of 2"):
        GPUS.on(NodeFacts("spot-1", cpus=("0",)))


def test_what_a_machine_had_is_expected_of_the_next_one():
    cpu = ElasticPool("spot", DeviceKind.CPU, "Test CPU", 2, 1)
    assert cpu.off("spot-0", 8 * GIB).memory_bytes == 8 * GIB
    assert GPUS.off("spot-0", 48 * GIB).gpus[0] == ("#0", "NVIDIA A10", 24 * GIB)
