"""Columns in one piece of memory, so that copying a world takes one step instead of a hundred."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from scheduler.arrays import Ints
from scheduler.compilation.handles import Handle, positions_of
from scheduler.decisions.kernel.columns import CHANGING, SCRATCH, STATIC, Columns
from scheduler.decisions.state.allocation import NAMES

_ALIGNED = 64
_POSITIONS = positions_of(Columns)


class Block(NamedTuple):
    """All columns of one use, one after another."""

    memory: Any
    """Bytes."""
    layout: tuple[tuple[str, tuple[int, ...], Any, int], ...]
    """(name, shape, type, offset)."""
    offsets: Ints
    positions: Ints
    """Where the columns stand in a handle."""

    def moved(self, columns: Columns, memory: Any) -> Block:
        """Give `columns` the columns of this block, in other memory of the same size."""
        for name, shape, dtype, offset in self.layout:
            setattr(columns, name, np.ndarray(shape, dtype, memory, offset))
        return self._replace(memory=memory)

    @property
    def addresses(self) -> Ints:
        """Of the columns."""
        addresses: Ints = self.offsets + self.memory.ctypes.data
        return addresses


class Blocks(NamedTuple):
    """The memory of a world, but for the columns that its copies share."""

    changing: Block
    scratch: Block

    @classmethod
    def of(cls, columns: Columns) -> Blocks:
        """Move the columns into new blocks; handles of them are void."""
        return cls(_packed(columns, CHANGING), _packed(columns, SCRATCH))

    def copied(self, columns: Columns) -> Blocks:
        """Blocks for `columns`, a copy: what changes is copied; scratch holds anything."""
        return Blocks(
            self.changing.moved(columns, self.changing.memory.copy()),
            self.scratch.moved(columns, unset(self.scratch.memory)),
        )

    def handle(self, original: Handle, columns: Columns) -> Handle:
        """The handle of the copy `columns` to which these blocks belong."""
        shared = [getattr(columns, name) for name in NAMES[STATIC]]
        return original.moved(
            np.concatenate((self.changing.positions, self.scratch.positions)),
            np.concatenate((self.changing.addresses, self.scratch.addresses)),
            [self.changing.memory, self.scratch.memory, *shared],
        )


def unset(memory: Any) -> Any:
    """As much memory, which holds anything.

    Scratch of a long queue has dozens of megabytes: clearing them would take milliseconds.
    """
    return np.empty_like(memory)


def _packed(columns: Columns, use: str) -> Block:
    layout, size = [], 0
    for name in NAMES[use]:
        column = getattr(columns, name)
        layout.append((name, column.shape, column.dtype, size))
        size += -(-column.nbytes // _ALIGNED) * _ALIGNED
    block = Block(
        np.zeros(size, dtype=np.uint8),
        tuple(layout),
        np.array([offset for *_, offset in layout], dtype=np.int64),
        np.array([_POSITIONS[name] for name in NAMES[use]], dtype=np.int64),
    )
    before = {name: getattr(columns, name) for name in NAMES[use]}
    block.moved(columns, block.memory)
    for name, column in before.items():
        getattr(columns, name)[...] = column
    return block
