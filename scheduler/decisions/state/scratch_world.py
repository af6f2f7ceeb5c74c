"""A copy of a world that is made again and again in the same memory."""

from __future__ import annotations

import numpy as np

from scheduler.arrays import Ints
from scheduler.decisions.kernel.columns import (
    JOBS,
    ROWS,
    ROWS_USED,
    SCORER,
    SHAPES,
    SHAPES_USED,
    SLOTS_USED,
    STATIC,
    TOTALLED,
)
from scheduler.decisions.state.allocation import GROUP_OF, NAMES
from scheduler.decisions.state.entries import Shape
from scheduler.decisions.state.world import World


class ScratchWorld:
    """Copies of worlds, to try things out without new memory for each copy.

    `shapes`: what jobs that come later may take; copies have numbers for them.
    """

    def __init__(self, shapes: tuple[Shape, ...]) -> None:
        self.shapes = shapes
        self.numbers: Ints = np.zeros(len(shapes), dtype=np.int64)
        """(n,) the number of each of `shapes` in the last copy."""
        self.changing: Ints = np.zeros(0, dtype=np.int64)
        """All that changes in the last copy, as one piece of memory."""
        self._copy: World | None = None
        self._known: tuple[Shape, ...] = ()
        """Shapes of the original."""

    def renew(self, world: World, jobs: int, rows: int) -> World:
        """A copy of `world` with room for so many more jobs and rows; the last copy is void.

        `world` may get larger columns, too: its handle is then another one.
        """
        _make_room(world, jobs, rows, len(self.shapes))
        blocks, copy = world.blocks, self._copy
        if copy is None or copy.blocks.changing.layout != blocks.changing.layout:
            copy = self._copy = world.copy()
            copy.keep_apart()
            self.changing, self._known = copy.blocks.changing.memory.view(np.int64), ()
        else:
            np.copyto(copy.blocks.changing.memory, blocks.changing.memory)
            used = {JOBS: int(world.count[SLOTS_USED]), ROWS: int(world.count[ROWS_USED])}
            for name in NAMES[STATIC]:
                count = used[GROUP_OF[name]]
                getattr(copy, name)[..., :count] = getattr(world, name)[..., :count]
            copy.state[SCORER] = copy.state[TOTALLED] = 0
            copy.pools = world.pools
        self._number_shapes(world, copy)
        return copy

    def _number_shapes(self, world: World, copy: World) -> None:
        known = tuple(world._shapes)
        if known != self._known:
            self._known, copy._shapes = known, world._shapes.copy()
            self.numbers = np.array([copy.shape(shape) for shape in self.shapes], dtype=np.int64)
            return
        extra = list(copy._shapes)[len(known) :]
        copy.count[SHAPES_USED] = len(known)
        for shape in extra:
            del copy._shapes[shape]
        for shape in extra:
            copy.shape(shape)


def _make_room(world: World, jobs: int, rows: int, shapes: int) -> None:
    while world.count[SLOTS_USED] + jobs > len(world.job_id) or world.count[ROWS_USED] + rows > len(
        world.row_slot
    ):
        world.grow_queue()
    while world.count[SHAPES_USED] + shapes > len(world.shape_pool):
        world._grow(SHAPES)
