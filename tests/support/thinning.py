"""Which cases of a costly test `make test` runs; `make test-all` runs all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pytest


def thinned(cases: Iterable[Any], keep: int = 1) -> list[Any]:
    """The cases of a parametrised test, slow but for the first `keep`."""
    return [
        case if number < keep else pytest.param(*_values(case), marks=pytest.mark.slow)
        for number, case in enumerate(cases)
    ]


def _values(case: Any) -> Sequence[Any]:
    return case if isinstance(case, tuple) else (case,)
