"""Compiles functions once, and again whenever code or constants that they use have changed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

from envs.simulator import attempts
from envs.workloads import runtime_estimates
from scheduler.decisions.features import columns, encoder, static_features
from scheduler.decisions.rounds import congestion, precedence, round
from scheduler.decisions.state import availability
from scheduler.domain import jobs

_HERE = Path(__file__).parent
_SOURCES = (
    *sorted(_HERE.glob("*.py")),
    *(Path(str(module.__file__)) for module in (attempts, encoder, runtime_estimates)),
    *(Path(str(module.__file__)) for module in (availability, columns, congestion, round)),
    *(Path(str(module.__file__)) for module in (static_features, precedence, jobs)),
)
"""Numba looks only at the file of the function that it compiles. What that calls, and constants
that come from elsewhere (above all the positions of columns), would stay as they were."""
_Function = TypeVar("_Function", bound=Callable[..., object])


def compiled(function: _Function) -> _Function:
    """The function compiled by Numba when it is first called, kept on disk under its sources."""
    config: Any = numba.config
    before = config.CACHE_DIR
    config.CACHE_DIR = str(_HERE / "__pycache__" / _DIGEST)
    try:
        return cast(_Function, numba.njit(cache=True)(function))
    finally:
        config.CACHE_DIR = before


def _digest() -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in _SOURCES)).hexdigest()[:12]


_DIGEST = _digest()
