"""Whether anything has changed between two choices of a round: else scores still hold."""

from __future__ import annotations

from scheduler.compilation.functions import compiled
from scheduler.decisions.kernel.columns import SHAPES_USED, Columns


@compiled
def notice_changes(w: Columns) -> bool:
    """Whether the start or the rule of a shape is another than last time."""
    some = False
    for shape in range(1, w.count[SHAPES_USED]):
        if w.shape_users[shape]:
            some = _see(w, shape, 0, w.shape_start[shape]) or some
            some = _see(w, shape, 1, w.shape_boot[shape]) or some
            some = _see(w, shape, 2, float(w.shape_rule[shape])) or some
            some = _see(w, shape, 3, w.shape_begin[shape]) or some
            some = _see(w, shape, 4, w.shape_latest[shape]) or some
            held = 1.0 if w.pool_held[w.shape_pool[shape]] else 0.0
            some = _see(w, shape, 5, held) or some
    return some


@compiled
def _see(w: Columns, shape: int, what: int, value: float) -> bool:
    if w.shape_seen[what, shape] == value:
        return False
    w.shape_seen[what, shape] = value
    return True
