"""What the client asks of the cluster as a whole."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Literal

from api.client.transport import Transport, instant

if TYPE_CHECKING:
    from api.schemas import ClusterOut, CostsOut, EstimatesOut, ForecastOut, UsageOut
    from scheduler.domain.records import CostGroup


class ClusterCalls:
    """The calls about devices, starts to come, costs and space."""

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
