"""When placements could start, by the estimates of what runs.

A pool is looked at again only if it has changed since, which its version tells.
"""

from __future__ import annotations

import numpy as np

from scheduler.compilation.functions import compiled, entry_point
from scheduler.decisions.kernel.cluster.attempts import released, settle
from scheduler.decisions.kernel.cluster.nodes import boot_of, copy_plane, fit, release
from scheduler.decisions.kernel.columns import (
    LIVE,
    NOW,
    RESERVED,
    SHAPES_USED,
    TRIAL,
    Columns,
)

NEVER = np.inf
AHEAD_S = (0.0, 600.0, 3600.0, 14_400.0)
"""Now, in 10 minutes, in an hour, in four."""


@entry_point
def look_now(w: Columns, pool: int) -> None:
    """Which shapes fit now in a pool."""
    if w.pool_fits_seen[pool] == w.pool_version[pool]:
        return
    w.pool_fits_seen[pool] = w.pool_version[pool]
    for shape in range(1, w.count[SHAPES_USED]):
        if w.shape_pool[shape] == pool and w.shape_users[shape]:
            width, memory = w.shape_width[shape], w.shape_memory[shape]
            w.shape_fits[shape] = fit(w, LIVE, pool, width, memory)


@entry_point
def look_ahead(w: Columns, pool: int) -> None:
    """When each shape could have its devices in a pool: -inf now, inf never; and the boot there.

    One walk along the pool's releases serves all shapes: what fits once, fits from then on.
    """
    if w.pool_starts_seen[pool] == w.pool_version[pool]:
        return
    w.pool_starts_seen[pool] = w.pool_version[pool]
    left, narrowest = 0, 0
    for shape in range(1, w.count[SHAPES_USED]):
        if w.shape_pool[shape] != pool or not w.shape_users[shape]:
            continue
        width = w.shape_width[shape]
        if fit(w, LIVE, pool, width, w.shape_memory[shape]):
            w.shape_start[shape], w.shape_boot[shape] = -NEVER, boot_of(w, LIVE, pool)
        else:
            w.shape_start[shape], w.shape_boot[shape] = NEVER, 0.0
            narrowest = width if left == 0 else min(narrowest, width)
            left += 1
    if left:
        _walk(w, pool, left, narrowest)


@compiled
def _walk(w: Columns, pool: int, left: int, narrowest: int) -> None:
    """Release one attempt after another, for `left` shapes that do not fit now."""
    settle(w, pool)
    copy_plane(w, LIVE, TRIAL, pool)
    first = w.pool_first_release[pool]
    for at in range(first, first + w.pool_releases[pool]):
        attempt = w.release_attempt[0, at]
        release(w, TRIAL, attempt)
        if w.plane_free[TRIAL, pool] < narrowest:
            continue
        for shape in range(1, w.count[SHAPES_USED]):
            if (
                w.shape_pool[shape] == pool
                and w.shape_users[shape]
                and w.shape_start[shape] == NEVER
                and fit(w, TRIAL, pool, w.shape_width[shape], w.shape_memory[shape])
            ):
                w.shape_start[shape] = w.attempt_end[attempt]
                w.shape_boot[shape] = boot_of(w, TRIAL, pool)
                left -= 1
        if left == 0:
            return


@compiled
def delay_of(w: Columns, shape: int) -> float:
    """Seconds from now until a shape could run, boot included; inf: never. Its pool is seen."""
    return max(w.shape_start[shape], w.figure[NOW]) - w.figure[NOW] + w.shape_boot[shape]


@compiled
def reserve(w: Columns, pool: int, width: int, memory: int) -> float:
    """When a placement could start, by estimates; RESERVED becomes what is free then.

    Estimated ends that have passed count as now; inf if it does not fit even when all that runs has
    ended. The nodes that it takes are left in `fit_node`.
    """
    copy_plane(w, LIVE, RESERVED, pool)
    if fit(w, RESERVED, pool, width, memory):
        return w.figure[NOW]
    settle(w, pool)
    first = w.pool_first_release[pool]
    for at in range(first, first + w.pool_releases[pool]):
        attempt = w.release_attempt[0, at]
        release(w, RESERVED, attempt)
        if w.plane_free[RESERVED, pool] >= width and fit(w, RESERVED, pool, width, memory):
            return max(w.figure[NOW], w.attempt_end[attempt])
    return NEVER


@compiled
def free_ahead(w: Columns, pool: int, ahead: int) -> float:
    """Share of a pool's devices that is free so many seconds ahead; `ahead`: 0 … 3 of `AHEAD_S`."""
    free, count = w.plane_free[LIVE, pool], w.pool_count[pool]
    if ahead and free < count:
        free += released(w, pool, w.figure[NOW] + AHEAD_S[ahead])
    return free / count
