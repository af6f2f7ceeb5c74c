"""The Numba types of functions whose parameters are annotated."""

from __future__ import annotations

import functools
from types import FunctionType
from typing import Any, Final, get_args, get_type_hints

import numpy as np
from numba import types
from numba.np import numpy_support

from scheduler.compilation.columns import ColumnType, columns_of
from scheduler.compilation.handle_type import HandleType

_SCALARS: Final = {int: types.int64, float: types.float64, bool: types.boolean}

_EXACT: Final = {
    int: (int, np.integer, np.bool_),
    float: (int, float, np.integer, np.floating, np.bool_),
    bool: (bool, np.bool_),
}
"""What converts to a number without loss."""


@functools.cache
def handle_type_of(owner: Any) -> HandleType:
    """The type of handles of a class."""
    return HandleType(owner.__name__, columns_of(owner))


def signature_of(function: FunctionType) -> tuple[Any, ...]:
    """The types of a function's parameters, as annotated.

    A parameter is an int, a float, a bool, a type of `columns`, or a class that has columns.
    Raises TypeError if one is anything else.
    """
    hints = get_type_hints(function, include_extras=True)
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    return tuple(_type_of(function, name, hints.get(name)) for name in names)


def call_converted(dispatcher: Any, *args: Any) -> Any:
    """Call a compiled function with numbers of other types than its own, if these convert exactly.

    Raises TypeError if an argument is of a wrong type.
    """
    function = dispatcher.py_func
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    declared = dispatcher.signatures[0]
    if len(args) == len(declared):
        converted = tuple(map(_converted, declared, args))
        kinds = tuple(map(dispatcher.typeof_pyval, converted))
        if kinds == declared:
            return dispatcher(*converted)
    expected = ", ".join(f"{name}: {kind}" for name, kind in zip(names, declared, strict=True))
    given = ", ".join(str(dispatcher.typeof_pyval(value)) for value in args)
    raise TypeError(f"{function.__qualname__} takes ({expected}), not ({given})")


def _converted(declared: Any, value: Any) -> Any:
    for python_type, numba_type in _SCALARS.items():
        if declared == numba_type and isinstance(value, _EXACT[python_type]):
            return python_type(value)
    return value


def _type_of(function: FunctionType, name: str, hint: Any) -> Any:
    if hint in _SCALARS:
        return _SCALARS[hint]
    for extra in get_args(hint):
        if isinstance(extra, ColumnType):
            return types.Array(numpy_support.from_dtype(extra.dtype), extra.ndim, "C")
    if isinstance(hint, type) and columns_of(hint):
        return handle_type_of(hint)
    raise TypeError(
        f"parameter {name!r} of {function.__qualname__} must be annotated with int, float, bool, "
        f"a column or a class with columns, not with {hint!r}"
    )
