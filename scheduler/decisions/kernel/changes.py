"""What has changed between two choices of a round, so that scorers compute only that again."""

from __future__ import annotations

from scheduler.compilation.functions import compiled
from scheduler.decisions.kernel.columns import SHAPES_USED, Columns


@compiled
def notice_changes(w: Columns, all_new: bool) -> bool:
    """Set `shape_changed` where the start or the rule of a shape is another than last time.

    `all_new`: everything counts as changed. Returns whether anything has changed.
    """
    some = False
    for shape in range(1, w.count[SHAPES_USED]):
        changed = all_new
        if w.shape_users[shape]:
            changed = _see(w, shape, 0, w.shape_start[shape]) or changed
            changed = _see(w, shape, 1, w.shape_boot[shape]) or changed
            changed = _see(w, shape, 2, float(w.shape_rule[shape])) or changed
            changed = _see(w, shape, 3, w.shape_begin[shape]) or changed
            changed = _see(w, shape, 4, w.shape_latest[shape]) or changed
            held = 1.0 if w.pool_held[w.shape_pool[shape]] else 0.0
            changed = _see(w, shape, 5, held) or changed
        w.shape_changed[shape] = changed
        some = some or changed
    return some


@compiled
def _see(w: Columns, shape: int, what: int, value: float) -> bool:
    if w.shape_seen[what, shape] == value:
        return False
    w.shape_seen[what, shape] = value
    return True
