"""Dollars and joules of device-seconds: those that attempts use, and those of idle devices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from envs.scenarios.supply import Billing
from envs.simulator.cluster_spec import ClusterSpec
from envs.simulator.meter import Meter


class CostModel:
    """Adds up what attempts use, and tells a meter when devices start and stop to cost."""

    def __init__(self, spec: ClusterSpec, meter: Meter | None) -> None:
        self._pools = spec.pools
        self._meter = meter
        self._how = [spec.supply(index).billing for index in range(len(spec.pools))]
        self._idle = [spec.supply(index).idle_watts_per_device for index in range(len(spec.pools))]
        self._used = [0.0] * len(spec.pools)
        changing = spec.changing()
        for index, pool in enumerate(spec.pools):
            if meter is not None:
                how, up = self._how[index], index not in changing
                paid = how is Billing.AMORTISED or (how is Billing.UP and up)
                price = pool.count * pool.dollars_per_device_hour if paid else 0.0
                watts = pool.count * self._idle[index] if up else 0.0
                if price or watts:
                    meter.draw(0.0, price, watts)

    def nodes(self, pool: int, now: float, change: int) -> None:
        """Count a node that is switched on (1) or off (-1)."""
        if self._meter is None:
            return
        each = self._pools[pool]
        price = each.dollars_per_device_hour if self._how[pool] is Billing.UP else 0.0
        tell = self._meter.draw if change > 0 else self._meter.stop
        tell(now, each.devices_per_node * price, each.devices_per_node * self._idle[pool])

    def rates(self, pool: int, width: int) -> tuple[float, float]:
        """(dollars per hour, watts) that `width` busy devices add to the cluster."""
        each = self._pools[pool]
        extra = self._how[pool] is Billing.BUSY
        watts = each.watts_per_device - self._idle[pool]
        return extra * width * each.dollars_per_device_hour, width * watts

    def attempt(self, pool: int, device_seconds: float) -> tuple[float, float]:
        """Count the device-seconds of an ended attempt; returns its dollars and joules."""
        self._used[pool] += device_seconds
        each = self._pools[pool]
        dollars = device_seconds / 3600 * each.dollars_per_device_hour
        return dollars, device_seconds * each.watts_per_device

    def device_seconds(
        self, now: float, switched_on: Mapping[int, float]
    ) -> tuple[Sequence[float], Sequence[float]]:
        """Device-seconds by pool: those billed until now, and those used by ended attempts.

        `switched_on`: device-seconds of the pools whose nodes come and go.
        """
        billed = []
        for index, (pool, how) in enumerate(zip(self._pools, self._how, strict=True)):
            if how is Billing.BUSY:
                billed.append(self._used[index])
            elif how is Billing.UP:
                billed.append(switched_on.get(index, pool.count * now))
            else:
                billed.append(pool.count * now)
        return billed, tuple(self._used)

    def idle_dollars(self, billed: Sequence[float], used: Sequence[float]) -> float:
        """Dollars that no attempt pays."""
        return sum(
            (paid - had) / 3600 * pool.dollars_per_device_hour
            for pool, paid, had in zip(self._pools, billed, used, strict=True)
        )

    def idle_joules(self, now: float, switched_on: Mapping[int, float]) -> float:
        """Energy until now of devices that were up or booting and not used by ended attempts.

        `switched_on`: as for `device_seconds`.
        """
        return sum(
            max(0.0, switched_on.get(index, pool.count * now) - used) * watts
            for index, (pool, used, watts) in enumerate(
                zip(self._pools, self._used, self._idle, strict=True)
            )
        )
