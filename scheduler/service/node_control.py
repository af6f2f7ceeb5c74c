"""Nodes as interfaces see and change them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from scheduler.service.dispatch.messages import ChangeNode, NodeChange, confirm
from scheduler.service.live.live_jobs import LiveJobs
from scheduler.service.nodes.cluster_nodes import ClusterNodes
from scheduler.service.queries.views import NodeView


@dataclass(frozen=True, slots=True)
class NodeControl:
    """Shows, drains and forgets nodes. Thread-safe."""

    nodes: ClusterNodes
    live_jobs: LiveJobs
    post: Callable[[ChangeNode], None]
    """Takes a change whose answer is set later."""
    refresh: Callable[[], None]
    """Called before nodes are shown."""
    permit: Callable[[str], None]
    """Called before a change with what is changed; raises `StateError` if another service leads."""

    def views(self) -> list[NodeView]:
        """All nodes, with the jobs on them."""
        self.refresh()
        with self.live_jobs.lock:
            attempts = list(self.live_jobs.attempts.values())
        return [
            NodeView(node, tuple(sorted(each.job for each in attempts if node.name in each.nodes)))
            for node in self.nodes.all()
        ]

    def change(
        self, name: str, change: NodeChange, *, actor: str, reason: str = ""
    ) -> NodeView | None:
        """Drain a node, use it again, or forget it; returns the node, None if it is forgotten.

        Raises `MissingError`, `StateError` for a node that is not gone and shall be forgotten, or
        if another service leads; `OutageError` if it is not confirmed in time.
        """
        self.permit("nodes are changed")
        message = ChangeNode(name, change, actor, reason)
        self.post(message)
        confirm(message.answer, f"the change of node {name}")
        return next((view for view in self.views() if view.node.name == name), None)
