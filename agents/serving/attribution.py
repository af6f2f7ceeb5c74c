"""Which columns made a row win: each in turn is set to the queue's median of it.

For the chosen row and its best rival let D be the difference of their scores, and D(c) the same
with column c of the chosen row at its median over the shown rows. D - D(c) is what the column did
for the choice; above 0 it spoke for the row. Columns act together in a network, so these need not
sum up to D - D(all): what is left is told under `INTERACTIONS`, and with it they do, exactly.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from scheduler.arrays import Floats32
from scheduler.decisions.features.columns import ROW_COLUMNS
from scheduler.decisions.features.encoder import Encoding, unflatten
from scheduler.decisions.state.entries import WAIT

INTERACTIONS = "interactions"


def ablate(
    score: Callable[[Floats32], Floats32], encoding: Encoding, rows: int, chosen: int, rival: int
) -> dict[str, float]:
    """Column → what it did, in units of the score, greatest effect first; interactions last.

    `score`: (B, size) → (B, K), asked once. `chosen`, `rival`: positions among the shown rows.
    Columns at their median have no entry; for WAIT, which has no columns, there is none at all.
    """
    if chosen == WAIT or len(encoding.positions) < 2:
        return {}
    shown = unflatten(encoding.values, rows)[0][1 : len(encoding.positions)]
    own, median = shown[chosen - 1], np.median(shown, axis=0)
    differing = np.flatnonzero(own != median)
    if not len(differing):
        return {}
    batch = np.repeat(encoding.values[None, :], len(differing) + 2, axis=0)
    table = unflatten(batch, rows)[0]  # a view
    for at, column in enumerate(differing, 1):
        table[at, chosen, column] = median[column]
    table[-1, chosen] = median
    scores = score(batch).astype(np.float64)
    difference = scores[:, chosen] - scores[:, rival]
    effects = difference[0] - difference[1:-1]
    order = np.argsort(-np.abs(effects), kind="stable")
    terms = {ROW_COLUMNS[differing[at]].name: float(effects[at]) for at in order}
    return terms | {INTERACTIONS: float(difference[0] - difference[-1] - effects.sum())}
