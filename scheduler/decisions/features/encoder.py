"""A candidate table as numbers of one size, for policies that are learned.

The same table gives the same numbers in every simulation and in every service, today and after the
next training. What the numbers mean is in `columns`; `kernel.learned.encoding` computes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from scheduler.arrays import Ints
from scheduler.compilation.columns import Floats32
from scheduler.decisions.features.columns import GLOBAL_COLUMNS, ROW_COLUMNS
from scheduler.decisions.kernel.columns import READY, SHOWN
from scheduler.decisions.kernel.learned import choice, encoding
from scheduler.decisions.rounds.candidates import Candidates
from scheduler.decisions.state.world import World


def size(rows: int) -> int:
    """Numbers in an encoding of so many rows."""
    return rows * len(ROW_COLUMNS) + len(GLOBAL_COLUMNS)


def unflatten(values: Floats32, rows: int) -> tuple[Floats32, Floats32]:
    """(…, rows, columns) and (…, globals): views of encodings of shape (…, size(rows))."""
    split = rows * len(ROW_COLUMNS)
    shown = values[..., :split].reshape(*values.shape[:-1], len(ROW_COLUMNS), rows)
    return np.swapaxes(shown, -1, -2), values[..., split:]


class WaitingRule(StrEnum):
    """When WAIT is legal; never while nothing runs, which would be for ever."""

    BESIDE_BEST = "beside-best"
    """Not while a job can start where its price is least."""
    FREE = "free"
    """Whenever something runs, to keep a device free for what is coming."""

    @property
    def code(self) -> int:
        """What compiled functions call it."""
        return choice.FREE if self is WaitingRule.FREE else choice.BESIDE_BEST


@dataclass(frozen=True, slots=True)
class Encoding:
    """A table as numbers."""

    values: Floats32
    """(size(rows),) float32 in [0, TOP]: column by column of the rows, then the globals."""
    positions: Ints
    """(shown,) The table's rows that are shown, in this order; the first is WAIT."""
    ready: bool = False
    """One of the rows could start now at the least price (`kernel.learned.pricing.price_row`,
    seconds) that its job has anywhere, on busy pools too."""


def encode(table: Candidates, rows: int = 64, preference: float = 0.5) -> Encoding:
    """The table as it is, of which at most `rows` rows are shown (`kernel.learned.selection`).

    `preference`: w, of the cluster. The other columns still describe the whole queue.
    """
    world, count = table.world, len(table)
    world.reserve_shown(rows)
    world.table_row[:count] = table.rows
    encoding.encode(world.handle, count, rows, preference)
    return encoding_of(world, rows)


def encoding_of(world: World, rows: int) -> Encoding:
    """What `kernel.learned` has encoded last, padded to `rows` rows."""
    shown = int(world.count[SHOWN])
    values: Floats32 = np.zeros(size(rows), dtype=np.float32)
    split = rows * len(ROW_COLUMNS)
    values[:split].reshape(len(ROW_COLUMNS), rows)[:, :shown] = world.seen[:, :shown]
    values[split:] = world.seen_whole
    return Encoding(values, world.shown[:shown].copy(), bool(world.state[READY]))


def may_wait(table: Candidates, rule: WaitingRule = WaitingRule.BESIDE_BEST) -> bool:
    """Whether WAIT is legal in a table that has been encoded last."""
    return choice.may_wait(table.world.handle, rule.code)
