"""Dollars and joules of device-seconds: those that attempts use, and those of idle devices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import inf

from envs.scenarios.supply import Billing
from envs.simulator.cluster_spec import ClusterSpec
from envs.simulator.meter import Meter, PowerRates, overlap


class CostModel:
    """Adds up what attempts use, and tells a meter when devices start and stop to cost.

    `counted_time`: (start, end) in seconds of the time whose idle devices count. `used`:
    device-seconds by pool that attempts have used in it already; None: none.
    """

    def __init__(
        self,
        spec: ClusterSpec,
        meter: Meter | None,
        counted_time: tuple[float, float] = (0.0, inf),
        used: Sequence[float] | None = None,
    ) -> None:
        self._time = counted_time
        self._pools = spec.pools
        self._meter = meter
        self._how = [spec.supply(index).billing for index in range(len(spec.pools))]
        self._idle = [spec.supply(index).idle_watts_per_device for index in range(len(spec.pools))]
        self._used = [0.0] * len(spec.pools) if used is None else list(used)
        changing = spec.changing()
        for index, pool in enumerate(spec.pools):
            if meter is not None:
                how, up = self._how[index], index not in changing
                paid = how is Billing.AMORTISED or (how is Billing.UP and up)
                price = pool.count * pool.dollars_per_device_hour if paid else 0.0
                watts = pool.count * self._idle[index] if up else 0.0
                if price or watts:
                    meter.draw(0.0, PowerRates(idle_dollars=price, idle_watts=watts))

    def nodes(self, pool: int, now: float, change: int) -> None:
        """Count a node that is switched on (1) or off (-1)."""
        if self._meter is None:
            return
        each = self._pools[pool]
        price = each.dollars_per_device_hour if self._how[pool] is Billing.UP else 0.0
        tell = self._meter.draw if change > 0 else self._meter.stop
        idle = PowerRates(
            idle_dollars=each.devices_per_node * price,
            idle_watts=each.devices_per_node * self._idle[pool],
        )
        tell(now, idle)

    def rates(self, pool: int, width: int, *, counted: bool) -> PowerRates:
        """What `width` busy devices add to the cluster; they are idle no more."""
        each, idle = self._pools[pool], self._idle[pool]
        dollars = width * each.dollars_per_device_hour
        saved = 0.0 if self._how[pool] is Billing.BUSY else dollars
        if not counted:
            return PowerRates(0.0, 0.0, -saved, -(width * idle))
        return PowerRates(dollars, width * each.watts_per_device, -saved, -(width * idle))

    def attempt(self, pool: int, width: int, start: float, end: float) -> tuple[float, float]:
        """Count an attempt that has used devices from start to end; returns its dollars, joules."""
        self._used[pool] += overlap(start, end, self._time) * width
        device_seconds = max(0.0, end - start) * width
        each = self._pools[pool]
        dollars = device_seconds / 3600 * each.dollars_per_device_hour
        return dollars, device_seconds * each.watts_per_device

    def device_seconds(
        self,
        now: float,
        switched_on: Mapping[int, float],
        running: Iterable[tuple[int, int, float]] = (),
    ) -> tuple[Sequence[float], Sequence[float]]:
        """Device-seconds by pool in the time that counts: billed until now, and used.

        `switched_on`: those of the pools whose nodes come and go. `running`: (pool, width, start)
        of attempts that have not ended.
        """
        used = list(self._used)
        for index, width, start in running:
            used[index] += overlap(start, now, self._time) * width
        up = overlap(0.0, now, self._time)
        billed = []
        for index, (pool, how) in enumerate(zip(self._pools, self._how, strict=True)):
            if how is Billing.BUSY:
                billed.append(used[index])
            elif how is Billing.UP:
                billed.append(switched_on.get(index, pool.count * up))
            else:
                billed.append(pool.count * up)
        return billed, used

    def idle_dollars(self, billed: Sequence[float], used: Sequence[float]) -> float:
        """Dollars that no attempt pays."""
        return sum(
            # Both are sums in different orders: their difference may be below 0 by rounding.
            max(0.0, paid - had) / 3600 * pool.dollars_per_device_hour
            for pool, paid, had in zip(self._pools, billed, used, strict=True)
        )

    def idle_joules(
        self, now: float, switched_on: Mapping[int, float], used: Sequence[float]
    ) -> float:
        """Energy until now, in the time that counts, of devices that were up or booting and unused.

        `switched_on`, `used`: as for `device_seconds`.
        """
        up = overlap(0.0, now, self._time)
        return sum(
            max(0.0, switched_on.get(index, pool.count * up) - had) * watts
            for index, (pool, had, watts) in enumerate(
                zip(self._pools, used, self._idle, strict=True)
            )
        )
