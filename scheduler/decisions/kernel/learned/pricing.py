"""What a placement costs the job and those that wait."""

from __future__ import annotations

from scheduler.compilation.functions import compiled
from scheduler.decisions.kernel.columns import QUEUE_PRESSURE, QUEUE_WEIGHT, Columns


@compiled
def price_row(w: Columns, row: int) -> None:
    """Write both prices of a row. Valid after `refresh_totals` and `refresh_delays`.

    In seconds (0): p · v · end + (1 - p) · dollars + p · V · runtime · share, dollars as seconds of
    one device of the most expensive pool, v = priority ÷ 50. In slowdown (1): the job's own part ÷
    (ideal + 30 s), and U instead of V. End: seconds from now; V: Σ v of the jobs that wait; U:
    Σ v ÷ (ideal + 30 s).
    """
    slot = w.row_slot[row]
    end = w.shape_delay[w.row_shape[row]] + w.row_runtime[row]
    cost = w.job_rate[slot] * end + w.row_paid[row]
    held = w.job_preference[slot] * w.row_held[row]
    w.row_price[0, row] = cost + w.figure[QUEUE_WEIGHT] * held
    w.row_price[1, row] = cost * w.job_unit[slot] + w.figure[QUEUE_PRESSURE] * held
