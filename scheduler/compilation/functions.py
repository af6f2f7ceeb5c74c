"""Compiles functions with Numba at their first call, and runs them as Python without it."""

from __future__ import annotations

import functools
import importlib.util
import logging
import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

if TYPE_CHECKING:
    from types import FunctionType

_log = logging.getLogger(__name__)
_Function = TypeVar("_Function", bound=Callable[..., object])
_LOCK: Final = threading.RLock()
_OPTIONS: Final = {"error_model": "numpy", "nogil": True}
PLAIN: Final = (
    "The scheduler decides in plain Python, which is slow: %s. "
    "Use it for tests or for a few dozen waiting jobs only."
)


class CompiledFunction:
    """A function that is compiled when it is first called, by Python or by compiled code.

    Numba is imported at that moment, so that importing a module of compiled functions is cheap.
    """

    def __init__(self, function: FunctionType) -> None:
        functools.update_wrapper(self, function)
        self._function: Final = function
        self._call: Callable[..., Any] = self._first_call

    def __call__(self, *args: Any) -> Any:
        """Call the compiled function; it takes positional arguments only."""
        return self._call(*args)

    @property
    def dispatcher(self) -> Any:
        """Numba's object for the function, or the function itself if Numba cannot be imported."""
        if self._call == self._first_call:
            with _LOCK:
                if self._call == self._first_call:
                    self._call = _dispatcher(self._function) if load() else self._function
        return self._call

    @property
    def _numba_type_(self) -> Any:
        return self.dispatcher._numba_type_

    def _first_call(self, *args: Any) -> Any:
        return self.dispatcher(*args)


def compiled(function: _Function) -> _Function:
    """Compile the function at its first call, and keep the result on disk.

    A division by zero gives an infinity or NaN in compiled code and an error in plain Python:
    compiled functions must not divide by zero. They must not call themselves, directly or through
    others: Numba crashes when it loads such a function from disk.
    """
    if why_plain():
        return function
    return cast(_Function, CompiledFunction(cast("FunctionType", function)))


@functools.cache
def why_plain() -> str:
    """Why functions run as plain Python, or "" if Numba compiles them; Numba is not imported."""
    for name in ("FULCRUM_NO_NUMBA", "NUMBA_DISABLE_JIT"):
        if os.environ.get(name, "0") not in ("", "0"):
            return f"{name} is set"
    return "" if importlib.util.find_spec("numba") else "Numba is not installed"


@functools.cache
def load() -> bool:
    """Import Numba; False, with one warning, if functions run as plain Python."""
    with _LOCK:
        reason = why_plain()
        if not reason:
            try:
                import numba  # noqa: F401
            except ImportError as error:
                reason = f"Numba cannot be imported ({error})"
        if reason:
            _log.warning(PLAIN, reason)
        return not reason


def _dispatcher(function: FunctionType) -> Any:
    import numba

    from scheduler.compilation.caching import DiskCache

    dispatcher: Any = numba.njit(**_OPTIONS)(function)
    dispatcher._cache = DiskCache(function)
    return dispatcher
