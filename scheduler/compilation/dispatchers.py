"""Makes Numba's objects of functions: how they are compiled, kept on disk and called from Python.

What stands here decides how all functions are compiled: their digests hold this file.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import FunctionType
from typing import Any, Final

import numba
from numba import types

from scheduler.compilation.caching import DiskCache
from scheduler.compilation.columns import columns_of
from scheduler.compilation.interim import INTERIM
from scheduler.compilation.signatures import call_converted, signature_of

_OPTIONS: Final = {"error_model": "numpy", "nogil": True}
_MAKES_ARRAYS: Final = "empty"
"""`np.empty` is how compiled functions make arrays; only those that do count references. Numba
refuses to compile one that makes arrays otherwise."""


def dispatcher_of(function: FunctionType, *, entry: bool) -> Any:
    """Numba's object for a function; an entry point is loaded or compiled at once."""
    counts = _MAKES_ARRAYS in function.__code__.co_names
    dispatcher: Any = numba.njit(**_OPTIONS, _nrt=counts)(function)
    dispatcher._cache = DiskCache(function)
    dispatcher.get_call_template = _without_literals(dispatcher.get_call_template)
    compile_for = dispatcher._compile_for_args

    def other_form(*args: Any) -> Callable[..., Any]:
        """What Numba calls with arguments for which nothing is compiled."""
        if _plain(args):
            return function
        return functools.partial(call_converted, dispatcher) if entry else compile_for(*args)

    dispatcher._compile_for_args = other_form
    if entry:
        dispatcher.compile(signature_of(function))
    return dispatcher


def _plain(args: tuple[Any, ...]) -> bool:
    """Whether plain Python that began before functions were compiled makes this call."""
    kinds: Any = map(type, args)
    return INTERIM.began_at is not None and any(map(columns_of, kinds))


def _without_literals(resolve: Callable[..., Any]) -> Callable[..., Any]:
    """Let compiled code call one compiled form of a function, whatever constants it passes.

    Numba compiles a function once more for each constant. What LLVM inlines knows them anyway.
    """
    return lambda args, kws: resolve(tuple(map(types.unliteral, args)), kws)
