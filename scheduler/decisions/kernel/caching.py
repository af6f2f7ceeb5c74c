"""Keeps compiled functions on disk, and finds them again: also in folders that are read-only."""

from __future__ import annotations

import functools
import hashlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final

import numpy as np
from numba.core.caching import CompileResultCacheImpl, FunctionCache, NullCache, _CacheLocator

from scheduler.decisions.kernel.compiling import CompiledFunction

_log = logging.getLogger(__name__)
_CONSTANTS: Final = (bool, int, float, complex, str, bytes, tuple, frozenset, np.generic)
_LOWERING: Final = ("compiling.py", "handle_type.py")
"""Sources that decide how all functions are compiled."""


class DiskCache(NullCache):  # type: ignore[misc]
    """Compiled forms of one function: read from any folder, written to the first that allows it.

    The first folder is `__pycache__` beside the function's file; the second belongs to the user.
    The name of a file holds the digest of all that the function is made of. Numba adds its own
    version, the argument types, and name and features of the CPU.
    """

    def __init__(self, function: FunctionType) -> None:
        digest = digest_of(function)
        self._folders = [_folder(function, path, digest) for path in folders(function)]

    @property
    def cache_path(self) -> str:
        """The folder that is tried first."""
        return str(self._folders[0].cache_path)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The compiled function for these argument types, or None."""
        for folder in self._folders:
            try:
                found = folder.load_overload(sig, target_context)
            except OSError:
                continue
            if found is not None:
                return found
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep the compiled function; warn once if no folder is writable."""
        for folder in self._folders:
            try:
                folder.save_overload(sig, data)
            except OSError:
                continue
            return
        _warn_unwritable()


def folders(function: FunctionType) -> list[Path]:
    """Where compiled forms of the function may lie, the preferred folder first."""
    source = Path(function.__code__.co_filename).resolve()
    install = hashlib.sha256(str(source.parent).encode()).hexdigest()[:12]
    return [source.parent / "__pycache__", *(user / install for user in _user_folder())]


@functools.cache
def digest_of(function: FunctionType) -> str:
    """A digest of the function's code, its constants, and all compiled functions that it calls.

    Numba itself looks only at the file of the function that it compiles.
    """
    parts = hashlib.sha256(_lowering())
    for part in (*_code(function.__code__), *_globals(function)):
        parts.update(part.encode())
    return parts.hexdigest()[:16]


class _Locator(_CacheLocator):  # type: ignore[misc]
    def __init__(self, path: Path, digest: str) -> None:
        self._path = path
        self._digest = digest

    def from_function(self, py_func: object, py_file: str) -> _Locator:
        return self

    def get_cache_path(self) -> str:
        return str(self._path)

    def get_source_stamp(self) -> str:
        return self._digest

    def get_disambiguator(self) -> str:
        return self._digest


def _folder(function: FunctionType, path: Path, digest: str) -> Any:
    locators = (_Locator(path, digest),)
    implementation = type("Impl", (CompileResultCacheImpl,), {"_locator_classes": locators})
    return type("Folder", (FunctionCache,), {"_impl_class": implementation})(function)


def _code(code: CodeType) -> Iterator[str]:
    yield repr((code.co_name, code.co_code.hex(), code.co_names, code.co_varnames))
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _code(constant)
        else:
            yield repr(constant)


def _globals(function: FunctionType) -> Iterator[str]:
    names = sorted(_names(function.__code__))
    cells = function.__closure__ or ()
    free = dict(
        zip(function.__code__.co_freevars, (cell.cell_contents for cell in cells), strict=True)
    )
    for name in (*names, *free):
        value = free[name] if name in free else function.__globals__.get(name)
        yield f"{name}={_constant(value)}"
        if isinstance(value, ModuleType | type):
            for attribute in names:
                yield f"{name}.{attribute}={_constant(getattr(value, attribute, None))}"


def _names(code: CodeType) -> set[str]:
    inner = (_names(constant) for constant in code.co_consts if isinstance(constant, CodeType))
    return set(code.co_names).union(*inner)


def _constant(value: object) -> str:
    if isinstance(value, CompiledFunction):
        return digest_of(value.function)
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{value.shape}{hashlib.sha256(value.tobytes()).hexdigest()}"
    return repr(value) if isinstance(value, _CONSTANTS) else ""


def _user_folder() -> Iterator[Path]:
    chosen = os.environ.get("NUMBA_CACHE_DIR") or os.environ.get("XDG_CACHE_HOME")
    if chosen:
        yield Path(chosen) / "fulcrum"
        return
    try:
        yield Path.home() / ".cache" / "fulcrum"
    except RuntimeError:  # this user has no home
        return


@functools.cache
def _lowering() -> bytes:
    return b"".join(Path(__file__).with_name(name).read_bytes() for name in _LOWERING)


@functools.cache
def _warn_unwritable() -> None:
    _log.warning(
        "The compiled scheduler cannot be kept on disk, so it is compiled at every start. "
        "Set NUMBA_CACHE_DIR to a folder that this user can write."
    )
