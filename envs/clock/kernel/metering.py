"""The meter of `envs.simulator.meter` in compiled code: rates, integrated over time."""

from __future__ import annotations

from envs.clock.kernel.columns import (
    BEYOND,
    BUSY,
    COUNTED,
    COUNTED_END,
    COUNTED_START,
    DOLLARS,
    DRAWING,
    IDLE_POWER,
    IDLE_PRICE,
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


@compiled
def counts(t: WorkloadColumns, job: int) -> bool:
    """Whether figures are about the job."""
    return bool(t.setting[COUNTED] <= job < t.setting[BEYOND])


@compiled
def counted_seconds(t: WorkloadColumns, start: float, end: float) -> float:
    """Seconds of `start` to `end` that lie in the time that counts."""
    first, last = t.number[COUNTED_START], t.number[COUNTED_END]
    return float(max(0.0, min(end, last) - max(start, first)))


@entry_point
def settle_meter(e: EpisodeColumns, t: WorkloadColumns) -> None:
    """Add what has accrued since the last change."""
    passed = e.figure[TIME] - e.figure[METERED]
    if passed != 0.0:
        idle = counted_seconds(t, e.figure[METERED], e.figure[TIME])
        e.figure[METERED] = e.figure[TIME]
        e.figure[JOB_SECONDS] += passed * e.count[PRESENT]
        e.figure[WEIGHED_SECONDS] += passed * e.figure[WEIGHT]
        e.figure[SLOWDOWN] += passed * e.figure[IMPATIENCE]
        e.figure[DOLLARS] += passed * e.figure[PRICE] + idle * e.figure[IDLE_PRICE]
        e.figure[JOULES] += passed * e.figure[POWER] + idle * e.figure[IDLE_POWER]


@compiled
def meter_arrival(e: EpisodeColumns, t: WorkloadColumns, job: int) -> None:
    """A job enters the system."""
    if t.setting[METERS] and counts(t, job):
        settle_meter(e, t)
        e.figure[WEIGHT] += t.job_priority[job] / MIDDLE_PRIORITY
        e.figure[IMPATIENCE] += 1.0 / max(t.job_ideal[job], BOUND_S)
        e.count[PRESENT] += 1


@compiled
def meter_end(e: EpisodeColumns, t: WorkloadColumns, job: int) -> None:
    """A job leaves the system."""
    if not t.setting[METERS] or not counts(t, job):
        return
    settle_meter(e, t)
    e.count[PRESENT] -= 1
    # Sums of many small rates leave a rounding error, which would accrue without end.
    if e.count[PRESENT]:
        e.figure[IMPATIENCE] -= 1.0 / max(t.job_ideal[job], BOUND_S)
        e.figure[WEIGHT] -= t.job_priority[job] / MIDDLE_PRIORITY
    else:
        e.figure[IMPATIENCE] = e.figure[WEIGHT] = 0.0
    e.count[MISSES] += e.figure[TIME] > t.job_deadline[job]


@entry_point
def draw_power(
    e: EpisodeColumns,
    t: WorkloadColumns,
    dollars: float,
    watts: float,
    idle_dollars: float,
    idle_watts: float,
) -> None:
    """Counted jobs and idle devices start to cost (dollars per hour) and to draw so much more."""
    settle_meter(e, t)
    e.figure[PRICE] += dollars / 3600
    e.figure[POWER] += watts
    e.figure[IDLE_PRICE] += idle_dollars / 3600
    e.figure[IDLE_POWER] += idle_watts
    e.count[DRAWING] += 1


@compiled
def stop_power(
    e: EpisodeColumns,
    t: WorkloadColumns,
    dollars: float,
    watts: float,
    idle_dollars: float,
    idle_watts: float,
) -> None:
    """Take back what `draw_power` added."""
    settle_meter(e, t)
    e.count[DRAWING] -= 1
    if e.count[DRAWING]:
        e.figure[PRICE] -= dollars / 3600
        e.figure[POWER] -= watts
        e.figure[IDLE_PRICE] -= idle_dollars / 3600
        e.figure[IDLE_POWER] -= idle_watts
    else:
        e.figure[PRICE] = e.figure[POWER] = 0.0
        e.figure[IDLE_PRICE] = e.figure[IDLE_POWER] = 0.0


@compiled
def change_power(
    w: Columns, e: EpisodeColumns, t: WorkloadColumns, job: int, pool: int, width: int, sign: float
) -> None:
    """An attempt starts to use devices (sign 1), or stops to (-1): they are idle no more."""
    dollars, idle_watts = width * w.pool_price[pool], width * t.pool_idle_watts[pool]
    saved = 0.0 if t.pool_billing[pool] == BUSY else dollars
    watts = width * w.pool_watts[pool]
    if not counts(t, job):
        dollars = watts = 0.0
    if sign > 0.0:
        draw_power(e, t, dollars, watts, -saved, -idle_watts)
    else:
        stop_power(e, t, dollars, watts, -saved, -idle_watts)
