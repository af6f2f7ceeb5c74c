"""Passes all columns of an object to compiled functions as one pointer.

Numba passes an array as seven words and counts its references wherever it is passed or read. A
handle is one pointer to a table of addresses and lengths. Compiled code reads a column from that
table; the handle keeps the arrays alive.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from operator import attrgetter
from typing import Any, Final, TypeVar, cast

import numpy as np

from scheduler.compilation.columns import ColumnType, Ints, columns_of
from scheduler.compilation.functions import load
from scheduler.compilation.interim import INTERIM

_Owner = TypeVar("_Owner")
_NOT_AN_ARRAY: Final = {"data": (0, True), "shape": (), "typestr": "", "strides": None}


class Handle:
    """A pointer to the columns of one object."""

    __slots__ = ("_arrays", "_numba_type_", "_table", "address")

    def __init__(self, numba_type: Any, arrays: list[Any], words: list[int] | Ints) -> None:
        self._numba_type_ = numba_type
        self._arrays = arrays
        self._table = np.asarray(words, np.int64)
        self.address: int = self._table.ctypes.data

    def moved(self, positions: Ints, addresses: Ints, arrays: list[Any]) -> Handle:
        """The handle of equal columns, some of them elsewhere in memory.

        `positions`: of these, see `positions_of`; `arrays`: keep all columns alive.
        """
        words = self._table.copy()
        words[positions] = addresses
        return Handle(self._numba_type_, arrays, words)

    def __reduce__(self) -> str:
        """Raises TypeError: an address means nothing in a copy or in another process."""
        raise TypeError("a handle cannot be copied or pickled: make one for the copy of its owner")


def positions_of(columns_class: Any) -> dict[str, int]:
    """Column → where its address stands in the handles of that class."""
    positions, after = {}, 0
    for name, column in columns_of(columns_class).items():
        positions[name] = after
        after += 1 + column.ndim
    return positions


def handle_of(owner: _Owner, columns_class: type[Any] | None = None) -> _Owner:
    """What compiled functions take in place of `owner`; in plain Python, `owner` itself.

    The columns are the attributes of `columns_class` that are annotated with a type of `columns`;
    compiled functions declare that class. None: the class of `owner`; else one of its bases. The
    handle refers to the arrays that `owner` holds now: make a new one after replacing an array.
    Raises TypeError if an array is not as its annotation says.
    """
    if INTERIM.lasts:
        return owner
    kind: Any = columns_class or type(owner)
    return cast(_Owner, _maker(kind)(owner))


@functools.cache
def _maker(owner_class: Any) -> Callable[[Any], object]:
    if not load():
        return lambda owner: owner
    from scheduler.compilation.signatures import handle_type_of

    columns = columns_of(owner_class)
    handle_type = handle_type_of(owner_class)

    arrays_of = attrgetter(*columns)
    expected = [(column.dtype.str, column.ndim, None, False) for column in columns.values()]

    def make(owner: Any) -> Handle:
        arrays: list[Any] = list(arrays_of(owner)) if len(columns) > 1 else [arrays_of(owner)]
        words = []
        for column, array in zip(expected, arrays, strict=True):
            found = getattr(array, "__array_interface__", _NOT_AN_ARRAY)
            address, read_only = found["data"]
            shape = found["shape"]
            if (found["typestr"], len(shape), found["strides"], read_only) != column:
                _refuse(owner, columns)
            words.append(address)
            words.extend(shape)
        return Handle(handle_type, arrays, words)

    return make


def _refuse(owner: object, columns: dict[str, ColumnType]) -> None:
    for name, column in columns.items():
        array = getattr(owner, name)
        if not isinstance(array, np.ndarray):
            raise TypeError(f"column {name!r} must be an array, not {type(array).__name__}")
        found = ColumnType(array.dtype, array.ndim)
        if found != column or not array.flags.carray:
            state = "" if array.flags.carray else ", and not writable and contiguous"
            raise TypeError(
                f"column {name!r} must be a writable C-contiguous array of {column}; "
                f"it is of {found}{state}"
            )
