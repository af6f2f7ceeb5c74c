"""What the client asks of the cluster as a whole."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Literal

from api.client.transport import Transport, instant, url_part

if TYPE_CHECKING:
    from api.schemas import (
        ClusterOut,
        CostsOut,
        EstimatesOut,
        ForecastOut,
        NodeEventPage,
        NodesOut,
        UsageOut,
    )
    from scheduler.domain.records import CostGroup


class ClusterCalls:
    """The calls about nodes and devices, starts to come, costs and space."""

    _transport: Transport

    def cluster(self) -> ClusterOut:
        """Pools, devices, who holds them, and who decides."""
        from api.schemas import ClusterOut

        return ClusterOut.model_validate(self._transport.get("/v1/cluster"))

    def forecast(self) -> ForecastOut:
        """What the cluster will do next by its estimates, if nothing new arrives."""
        from api.schemas import ForecastOut

        return ForecastOut.model_validate(self._transport.get("/v1/forecast"))

    def costs(
        self,
        by: CostGroup = "user",
        *,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> CostsOut:
        """Measured device time, dollars and joules of ended attempts."""
        from api.schemas import CostsOut

        return CostsOut.model_validate(
            self._transport.get("/v1/costs", by=by, since=instant(since), until=instant(until))
        )

    def estimates(
        self, by: Literal["source", "kind"] = "source", *, limit: int = 100
    ) -> EstimatesOut:
        """How far the estimates of runtimes were from the truth."""
        from api.schemas import EstimatesOut

        return EstimatesOut.model_validate(self._transport.get("/v1/estimates", by=by, limit=limit))

    def usage(self, *, limit: int = 10) -> UsageOut:
        """What takes the space in the service's data folder; `limit`: of the biggest jobs."""
        from api.schemas import UsageOut

        return UsageOut.model_validate(self._transport.get("/v1/usage", limit=limit))

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

        path = f"/v1/nodes/{url_part(name)}/{change}"
        return NodesOut.model_validate(self._transport.json("POST", path, json=body))
