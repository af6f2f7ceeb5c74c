"""What the objective counts of a job, once its end is known."""

from __future__ import annotations

import numpy as np

from scheduler.compilation.functions import compiled
from scheduler.decisions.kernel.columns import Columns
from scheduler.decisions.kernel.playouts.columns import (
    DOLLARS,
    MISS,
    PREFERENCE,
    SECONDS,
    SLOWDOWN,
    PlayoutColumns,
)
from scheduler.domain.jobs import MIDDLE_PRIORITY

SHORTEST_S = 10.0
"""Runtimes below this count as this in the bounded slowdown (Feitelson 2001)."""


@compiled
def charge(w: Columns, f: PlayoutColumns, slot: int, row: int, end: float) -> float:
    """What a job adds that ends at `end` on one of its rows; less is better.

    p · (seconds in the system · priority / 50, or bounded slowdown) + (1 - p) · dollars, and a
    missed deadline, each with its weight.
    """
    ratio, p = f.slot_ratio[slot], f.weight[PREFERENCE]
    if np.isnan(p):
        p = w.job_preference[slot]
    spent = end - w.job_submitted[slot]
    late = f.weight[SECONDS] * spent * w.job_priority[slot] / MIDDLE_PRIORITY
    if f.weight[SLOWDOWN] > 0.0:
        slow = spent / max(w.row_runtime[row] * ratio, SHORTEST_S)
        late += f.weight[SLOWDOWN] * max(slow, 1.0)
    total = p * late + (1.0 - p) * f.weight[DOLLARS] * w.row_dollars[row] * ratio
    return total + f.weight[MISS] if end > w.job_deadline[slot] else total
