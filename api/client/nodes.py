"""Calls about the nodes of the cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from api.client.transport import Transport

if TYPE_CHECKING:
    from api.schemas import NodeEventPage, NodesOut


class NodeCalls:
    """The part of `Client` that is about nodes."""

    _transport: Transport

    def nodes(self) -> NodesOut:
        """All nodes with their states, pools and jobs."""
        from api.schemas import NodesOut

        return NodesOut.model_validate(self._transport.get("/v1/nodes"))

    def node_events(
        self, node: str | None = None, *, after: int = 0, limit: int = 1000
    ) -> NodeEventPage:
        """What happened to nodes, oldest first; of one node or of all."""
        from api.schemas import NodeEventPage

        found = self._transport.get("/v1/nodes/events", node=node, after=after, limit=limit)
        return NodeEventPage.model_validate(found)

    def drain_node(self, name: str, reason: str = "") -> NodesOut:
        """Let no further job start on a node; those that run there go on.

        Raises `NotFoundError`.
        """
        return self._change(name, "drain", {"reason": reason})

    def resume_node(self, name: str) -> NodesOut:
        """Let jobs start on a drained node again. Raises `NotFoundError`."""
        return self._change(name, "resume", None)

    def retire_node(self, name: str) -> NodesOut:
        """Forget a node that is gone. Raises `NotFoundError`, `ConflictError` if it is not."""
        return self._change(name, "retire", None)

    def _change(self, name: str, change: str, body: dict[str, str] | None) -> NodesOut:
        from api.schemas import NodesOut

        path = f"/v1/nodes/{quote(name, safe='')}/{change}"
        return NodesOut.model_validate(self._transport.json("POST", path, json=body))
