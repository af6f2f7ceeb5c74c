"""What every `Store` owes those who keep nodes, as tests."""

from __future__ import annotations

from dataclasses import replace

from scheduler.domain.nodes import Node, NodeEvent, NodeEventName, NodeFacts, NodeState
from scheduler.store.base import Store

FACTS = NodeFacts(
    "gpu-a",
    NodeState.UP,
    9.0,
    address="10.0.0.7",
    labels={"rack": "2"},
    cpus=("0", "1"),
    gpus=(("GPU-1", "NVIDIA A10", 24 << 30),),
)
NODE = Node("gpu-a", NodeState.UP, 9.0, "", {"a10": 1, "cpu": 0}, "", 10.0, FACTS)
JOINED = NodeEvent("gpu-a", NodeEventName.JOINED, 9.0, "executor", "", {"address": "10.0.0.7"})


class NodeRecordContract:
    """Nodes, the newest of each, and the history of all."""

    def test_a_node_comes_back_as_it_was_written(self, store: Store) -> None:
        """With all its facts, or without any."""
        bare = Node("b", NodeState.DOWN, 1.5, "does not answer", {}, "ann", 1.0)
        store.record_nodes([NODE, bare])
        assert store.nodes() == [bare, NODE]

    def test_the_newest_state_of_a_node_is_kept(self, store: Store) -> None:
        """Its history holds the others; a retired node has only its history."""
        store.record_nodes([NODE], [JOINED])
        drained = replace(NODE, state=NodeState.DRAINING, since=20.0, drained_by="ann")
        said = NodeEvent("gpu-a", NodeEventName.DRAINING, 20.0, "ann", "new fans")
        store.record_nodes([drained], [said])
        assert store.nodes() == [drained]
        other = NodeEvent("z", NodeEventName.JOINED, 21.0, "executor")
        gone = NodeEvent("gpu-a", NodeEventName.RETIRED, 30.0, "ann")
        store.record_nodes(events=[other, gone], retired=["gpu-a"])
        assert store.nodes() == []
        assert [event.name for event in store.node_events("gpu-a")] == [
            "joined",
            "draining",
            "retired",
        ]
        everything = store.node_events()
        assert [event.node for event in everything] == ["gpu-a", "gpu-a", "z", "gpu-a"]
        assert store.node_events(after=everything[1].seq, limit=1) == [everything[2]]
        assert replace(everything[0], seq=0) == JOINED
