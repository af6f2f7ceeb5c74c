"""The waiting jobs of a world as values, for planners that look at the whole queue."""

from __future__ import annotations

from collections.abc import Sequence

from scheduler.decisions.kernel.columns import GONE, SLOTS_USED
from scheduler.decisions.state.entries import EstimatedPlacement, Waiting
from scheduler.decisions.state.world import World


def waiting_jobs(world: World) -> list[Waiting]:
    """Every waiting job as it entered, in the order of entering."""
    used = int(world.count[SLOTS_USED])
    names = list(world.projects) or [""]
    return [_job(world, slot, names) for slot in range(1, used) if world.job_state[slot] != GONE]


def _job(world: World, slot: int, names: Sequence[str]) -> Waiting:
    rows = slice(int(world.job_first[slot]), int(world.job_first[slot] + world.job_count[slot]))
    shapes = world.row_shape[rows]
    by_shape = (world.shape_pool, world.shape_width, world.shape_memory)
    by_row = (world.row_runtime, world.row_dollars, world.row_joules)
    options = zip(
        *(column[shapes].tolist() for column in by_shape),
        *(column[rows].tolist() for column in by_row),
        strict=True,
    )
    return Waiting(
        id=int(world.job_id[slot]),
        submitted_at=float(world.job_submitted[slot]),
        options=[EstimatedPlacement(*option) for option in options],
        priority=float(world.job_priority[slot]),
        deadline=float(world.job_deadline[slot]),
        preference=float(world.job_preference[slot]),
        project=names[world.job_project[slot]],
    )
