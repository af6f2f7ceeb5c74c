"""The types of the columns of a class that compiled functions read and write."""

from __future__ import annotations

import functools
from typing import Annotated, Any, NamedTuple, TypeAlias, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray


class ColumnType(NamedTuple):
    """The type of elements, and the number of dimensions."""

    dtype: np.dtype[Any]
    ndim: int

    def __str__(self) -> str:
        return f"{self.dtype.name}, {self.ndim}-D"


def _type(dtype: type[np.generic], ndim: int) -> ColumnType:
    return ColumnType(np.dtype(dtype), ndim)


Floats: TypeAlias = Annotated[NDArray[np.float64], _type(np.float64, 1)]
Floats2D: TypeAlias = Annotated[NDArray[np.float64], _type(np.float64, 2)]
Floats3D: TypeAlias = Annotated[NDArray[np.float64], _type(np.float64, 3)]
Floats32: TypeAlias = Annotated[NDArray[np.float32], _type(np.float32, 1)]
Floats32x2D: TypeAlias = Annotated[NDArray[np.float32], _type(np.float32, 2)]
Floats32x3D: TypeAlias = Annotated[NDArray[np.float32], _type(np.float32, 3)]
Ints: TypeAlias = Annotated[NDArray[np.int64], _type(np.int64, 1)]
Ints2D: TypeAlias = Annotated[NDArray[np.int64], _type(np.int64, 2)]
Ints3D: TypeAlias = Annotated[NDArray[np.int64], _type(np.int64, 3)]
Bytes: TypeAlias = Annotated[NDArray[np.uint8], _type(np.uint8, 1)]
Bytes2D: TypeAlias = Annotated[NDArray[np.uint8], _type(np.uint8, 2)]
Bytes3D: TypeAlias = Annotated[NDArray[np.uint8], _type(np.uint8, 3)]
Bools: TypeAlias = Annotated[NDArray[np.bool_], _type(np.bool_, 1)]
Bools2D: TypeAlias = Annotated[NDArray[np.bool_], _type(np.bool_, 2)]
Bools3D: TypeAlias = Annotated[NDArray[np.bool_], _type(np.bool_, 3)]


@functools.cache
def columns_of(owner: Any) -> dict[str, ColumnType]:
    """The columns of a class: its attributes that are annotated with a type of this module."""
    hints = get_type_hints(owner, include_extras=True)
    extras = {name: get_args(hint)[1] for name, hint in hints.items() if _annotated(hint)}
    return {name: extra for name, extra in extras.items() if isinstance(extra, ColumnType)}


def _annotated(hint: object) -> bool:
    return get_origin(hint) is Annotated
