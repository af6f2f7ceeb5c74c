"""Linear and integer programs, solved by HiGHS (Huangfu and Hall, 2018)."""

from __future__ import annotations

from math import inf
from typing import NamedTuple

import numpy as np

from scheduler.arrays import Floats, Ints


class Coefficients(NamedTuple):
    """A sparse matrix: entries of the same row and column are added."""

    row: Ints
    column: Ints
    value: Floats


def maximum(
    value: Floats,
    taken: Coefficients,
    limits: Floats,
    least: Floats | None = None,
    *,
    integer: bool = False,
) -> Floats:
    """(n,) The x with `taken` · x ≤ `limits` and x ≥ `least` (0) whose `value` · x is greatest.

    `integer`: of whole numbers. The same arguments give the same x. Raises `ValueError` if there is
    none.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import coo_array

    columns = len(value)
    where = (taken.row, taken.column)
    matrix = coo_array((taken.value, where), shape=(len(limits), columns)).tocsr()
    solved = milp(
        -value,
        integrality=np.full(columns, int(integer)),
        bounds=Bounds(np.zeros(columns) if least is None else least, np.full(columns, inf)),
        constraints=LinearConstraint(matrix, ub=limits),
    )
    if not solved.success:
        raise ValueError(f"no solution: {solved.message}")
    found: Floats = np.asarray(solved.x, dtype=np.float64)
    return found
