"""Compiled scorers: policies that kernels know, as numbers."""

from __future__ import annotations

from itertools import count
from typing import NamedTuple

import numpy as np

from scheduler.compilation.columns import Floats2D, Floats32, Ints
from scheduler.decisions.kernel.choosing import (
    KIND,
    LEARNED_INDEX,
    NETWORK,
    NUMBER,
    ORDERED,
    WGC,
)
from scheduler.decisions.kernel.learned.choice import SHOWN_LIMIT
from scheduler.decisions.kernel.queue.orders import DOLLARS

_NUMBERS = count(1)
_NO_CONSTANTS: Floats2D = np.zeros((1, 1))
_NO_WEIGHTS: Floats32 = np.zeros(1, dtype=np.float32)


class Scorer(NamedTuple):
    """What `kernel.choosing` needs of a policy. No type arises from its constants."""

    codes: Ints
    constants: Floats2D = _NO_CONSTANTS
    weights: Floats32 = _NO_WEIGHTS

    @property
    def rows(self) -> int:
        """Rows of a table that it looks at together; 0: it looks at all, one by one."""
        return int(self.constants[SHOWN_LIMIT, 0]) if self.codes[KIND] == NETWORK else 0

    def renumbered(self, constants: Floats2D) -> Scorer:
        """The same with other constants, as a scorer of its own."""
        codes = self.codes.copy()
        codes[NUMBER] = next(_NUMBERS)
        return self._replace(codes=codes, constants=constants)


def ordered(order: int, placement: int, constants: Floats2D | None = None) -> Scorer:
    """A textbook order of jobs with the cost that decides where: see `kernel.queue.orders`.

    `constants`: wgc's, if the placement is `PRICE`.
    """
    table = _NO_CONSTANTS if constants is None else np.ascontiguousarray(constants)
    return Scorer(_codes(ORDERED, order, placement), table)


def congestion_priced(constants: Floats2D) -> Scorer:
    """Wgc with these constants: see `kernel.wgc`."""
    return Scorer(_codes(WGC), np.ascontiguousarray(constants))


def by_network(constants: Floats2D, weights: Floats32) -> Scorer:
    """A learned policy: see `kernel.learned.choice` and `kernel.learned.network`."""
    return Scorer(_codes(NETWORK, placement=DOLLARS, heeds=1), constants, weights)


def by_learned_index(
    order: int, placement: int, constants: Floats2D | None, weights: Floats32
) -> Scorer:
    """A learned index of jobs: see `kernel.learned.job_index`. `constants`: wgc's, if its base."""
    codes = _codes(LEARNED_INDEX, order, placement)
    table = _NO_CONSTANTS if constants is None else np.ascontiguousarray(constants)
    return Scorer(codes, table, weights)


def _codes(kind: int, order: int = 0, placement: int = 0, heeds: int = 0) -> Ints:
    return np.array([kind, next(_NUMBERS), order, placement, heeds], dtype=np.int64)
