"""Digests of compiled functions: a change of anything that a function is made of changes it."""

from __future__ import annotations

import dis
import functools
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Final

import numpy as np

_CONSTANTS: Final = (bool, int, float, complex, str, bytes, tuple, frozenset, np.generic)
_LOWERING: Final = ("dispatchers.py", "handle_type.py")
"""Sources that decide how all functions are compiled."""
_VARIABLES: Final = (
    *("NUMBA_BOUNDSCHECK", "NUMBA_DEBUGINFO", "NUMBA_OPT"),
    *("NUMBA_LOOP_VECTORIZE", "NUMBA_SLP_VECTORIZE"),
)
"""Numba compiles differently under these, and does not notice it."""


@functools.cache
def digest_of(function: FunctionType) -> str:
    """A digest of the function's code, its constants, and all compiled functions that it calls.

    Numba itself looks only at the file of the function that it compiles.
    """
    # What is kept on disk names the module of each function in it.
    parts = hashlib.sha256(_lowering() + function.__module__.encode())
    for part in (*_code(function.__code__), *_globals(function)):
        parts.update(part.encode())
    return f"{variant()}{parts.hexdigest()[:16]}"


def variant() -> str:
    """Marks code that was compiled under special variables: it is kept beside the usual one."""
    return "special" if any(map(os.environ.get, _VARIABLES)) else ""


def _code(code: CodeType) -> Iterator[str]:
    yield repr((code.co_name, code.co_code.hex(), code.co_names, code.co_varnames))
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _code(constant)
        else:
            yield repr(constant)


def _globals(function: FunctionType) -> Iterator[str]:
    names = sorted(_names(function.__code__))
    attributes = sorted(set(function.__code__.co_names))
    cells = (cell.cell_contents for cell in function.__closure__ or ())
    free = dict(zip(function.__code__.co_freevars, cells, strict=True))
    for name in (*names, *free):
        value = free[name] if name in free else function.__globals__.get(name)
        yield f"{name}={_constant(value)}"
        if isinstance(value, ModuleType | type):
            for attribute in attributes:
                yield f"{name}.{attribute}={_constant(getattr(value, attribute, None))}"


def _names(code: CodeType) -> set[str]:
    inner = (_names(constant) for constant in code.co_consts if isinstance(constant, CodeType))
    # Attributes are names as well, but a column may be called like the function that reads it.
    read = {step.argval for step in dis.get_instructions(code) if step.opname == "LOAD_GLOBAL"}
    return read.union(*inner)


def _constant(value: object) -> str:
    compiled = getattr(value, "__wrapped__", None)
    if isinstance(compiled, FunctionType):
        return digest_of(compiled)
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{value.shape}{hashlib.sha256(value.tobytes()).hexdigest()}"
    return repr(value) if isinstance(value, _CONSTANTS) else ""


@functools.cache
def _lowering() -> bytes:
    sources = b"".join(Path(__file__).with_name(name).read_bytes() for name in _LOWERING)
    return sources + repr([os.environ.get(name) for name in _VARIABLES]).encode()
