"""Compiles functions with Numba at their first call, and runs them as Python without it."""

from __future__ import annotations

import functools
import importlib.util
import logging
import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from scheduler.compilation.interim import INTERIM

if TYPE_CHECKING:
    from types import FunctionType

_log = logging.getLogger(__name__)
_Function = TypeVar("_Function", bound=Callable[..., object])
_LOCK: Final = threading.Lock()
_UNSET: Final = ("", "0", "false", "no", "off")
_PLAIN: Final = (
    "The scheduler decides in plain Python, which is slow: %s. "
    "That is enough for tests and for a few dozen waiting jobs."
)


class CompiledFunction:
    """A function that is compiled when it is first called, by Python or by compiled code.

    Numba is imported at that moment, so that importing a module of compiled functions is cheap.
    """

    def __init__(self, function: FunctionType, *, entry: bool) -> None:
        functools.update_wrapper(self, function)
        self.function: Final = function
        self._entry: Final = entry
        self._dispatcher: Any = None
        self._call: Callable[..., Any] | None = None
        """What Python calls: the compiled form, once it is there."""

    def __call__(self, *args: Any) -> Any:
        """Call the compiled function; it takes positional arguments only."""
        return (self._call or self._form(args))(*args)

    @property
    def dispatcher(self) -> Any:
        """Numba's object for the function, or the function itself if Numba cannot be imported."""
        if self._dispatcher is None:
            self._dispatcher = self._load() if load() else self.function
        return self._dispatcher

    @property
    def _numba_type_(self) -> Any:
        return self.dispatcher._numba_type_

    def _form(self, args: tuple[Any, ...]) -> Callable[..., Any]:
        """Plain Python in the interim, but for a handle that is older than that."""
        if INTERIM.lasts and not any(hasattr(value, "_numba_type_") for value in args):
            return self.function
        self._call = self.dispatcher
        return self._call

    def _load(self) -> Any:
        from numba.core.compiler_lock import global_compiler_lock

        from scheduler.compilation.dispatchers import dispatcher_of

        # Numba holds its lock while it compiles, and asks for other functions then: a second lock
        # could wait for it forever.
        with global_compiler_lock:
            if self._dispatcher is None:
                self._dispatcher = dispatcher_of(self.function, entry=self._entry)
            return self._dispatcher


ENTRY_POINTS: Final[list[CompiledFunction]] = []
"""Those of the modules that have been imported."""
FUNCTIONS: Final[list[CompiledFunction]] = []
"""All compiled functions of these modules, entry points among them."""


def compiled(function: _Function) -> _Function:
    """Compile the function at its first call, and keep the result on disk.

    A division by zero gives an infinity or NaN in compiled code and an error in plain Python:
    compiled functions must not divide by zero. They must not call themselves, directly or through
    others: Numba crashes when it loads such a function from disk.
    """
    return cast(_Function, _wrap(cast("FunctionType", function), entry=False))


def entry_point(function: _Function) -> _Function:
    """Compile a function that Python calls: once, for the annotated types of its parameters.

    `scheduler.compilation.warmup` compiles all of these ahead. Numbers of other types are
    converted if that is exact (an int may stand for a float); anything else raises TypeError.
    """
    return cast(_Function, _wrap(cast("FunctionType", function), entry=True))


@functools.cache
def why_plain() -> str:
    """Why functions run as plain Python, or "" if Numba compiles them; Numba is not imported."""
    for name in ("FULCRUM_NO_NUMBA", "NUMBA_DISABLE_JIT"):
        if os.environ.get(name, "").lower() not in _UNSET:
            return f"{name} is set"
    return "" if importlib.util.find_spec("numba") else "Numba is not installed"


def load() -> bool:
    """Import Numba; False, with one warning, if functions run as plain Python."""
    with _LOCK:
        return _load()


@functools.cache
def _load() -> bool:
    reason = why_plain()
    if not reason:
        try:
            import numba  # noqa: F401
        except ImportError as error:
            reason = f"Numba cannot be imported ({error})"
    if reason:
        _log.warning(_PLAIN, reason)
    return not reason


def _wrap(function: FunctionType, *, entry: bool) -> object:
    if why_plain():
        return function
    wrapped = CompiledFunction(function, entry=entry)
    FUNCTIONS.append(wrapped)
    if entry:
        ENTRY_POINTS.append(wrapped)
    return wrapped
