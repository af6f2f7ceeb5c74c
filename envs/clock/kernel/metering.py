"""The meter of `envs.simulator.meter` in compiled code: rates, integrated over time."""

from __future__ import annotations

from envs.clock.kernel.columns import (
    BUSY,
    DOLLARS,
    DRAWING,
    IMPATIENCE,
    JOB_SECONDS,
    JOULES,
    METERED,
    METERS,
    MISSES,
    POWER,
    PRESENT,
    PRICE,
    SLOWDOWN,
    TIME,
    WEIGHED_SECONDS,
    WEIGHT,
    EpisodeColumns,
    WorkloadColumns,
)
from envs.simulator.results import BOUND_S
from scheduler.compilation.functions import compiled, entry_point
from scheduler.decisions.kernel.columns import Columns
from scheduler.domain.jobs import MIDDLE_PRIORITY


@entry_point
def settle_meter(e: EpisodeColumns) -> None:
    """Add what has accrued since the last change."""
    passed = e.figure[TIME] - e.figure[METERED]
    if passed != 0.0:
        e.figure[METERED] = e.figure[TIME]
        e.figure[JOB_SECONDS] += passed * e.count[PRESENT]
        e.figure[WEIGHED_SECONDS] += passed * e.figure[WEIGHT]
        e.figure[SLOWDOWN] += passed * e.figure[IMPATIENCE]
        e.figure[DOLLARS] += passed * e.figure[PRICE]
        e.figure[JOULES] += passed * e.figure[POWER]


@compiled
def meter_arrival(e: EpisodeColumns, t: WorkloadColumns, job: int) -> None:
    """A job enters the system."""
    if t.setting[METERS]:
        settle_meter(e)
        e.figure[WEIGHT] += t.job_priority[job] / MIDDLE_PRIORITY
        e.figure[IMPATIENCE] += 1.0 / max(t.job_ideal[job], BOUND_S)
        e.count[PRESENT] += 1


@compiled
def meter_end(e: EpisodeColumns, t: WorkloadColumns, job: int) -> None:
    """A job leaves the system."""
    if not t.setting[METERS]:
        return
    settle_meter(e)
    e.count[PRESENT] -= 1
    # Sums of many small rates leave a rounding error, which would accrue without end.
    if e.count[PRESENT]:
        e.figure[IMPATIENCE] -= 1.0 / max(t.job_ideal[job], BOUND_S)
        e.figure[WEIGHT] -= t.job_priority[job] / MIDDLE_PRIORITY
    else:
        e.figure[IMPATIENCE] = e.figure[WEIGHT] = 0.0
    e.count[MISSES] += e.figure[TIME] > t.job_deadline[job]


@entry_point
def draw_power(e: EpisodeColumns, dollars_per_hour: float, watts: float) -> None:
    """Devices start to cost and to draw this much more."""
    settle_meter(e)
    e.figure[PRICE] += dollars_per_hour / 3600
    e.figure[POWER] += watts
    e.count[DRAWING] += 1


@compiled
def stop_power(e: EpisodeColumns, dollars_per_hour: float, watts: float) -> None:
    """Devices stop to cost and to draw what `draw_power` added."""
    settle_meter(e)
    e.count[DRAWING] -= 1
    if e.count[DRAWING]:
        e.figure[PRICE] -= dollars_per_hour / 3600
        e.figure[POWER] -= watts
    else:
        e.figure[PRICE] = e.figure[POWER] = 0.0


@compiled
def busy_price(w: Columns, t: WorkloadColumns, pool: int, width: int) -> float:
    """Dollars per hour that busy devices add to the cluster."""
    return width * w.pool_price[pool] if t.pool_billing[pool] == BUSY else 0.0


@compiled
def busy_watts(w: Columns, t: WorkloadColumns, pool: int, width: int) -> float:
    """Watts that busy devices add to the cluster."""
    return float(width * (w.pool_watts[pool] - t.pool_idle_watts[pool]))
