"""Values as JSON can express them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from scheduler.files import write_text
from scheduler.text import shown


def plain(value: Any) -> Any:
    """A copy of `value` for JSON, whatever it holds: what a finished work reports is not refused.

    Numbers that are not finite become null, unknown objects their text, and text that cannot be
    stored its escapes.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Real):
        return _plain_number(value)
    if isinstance(value, Mapping):
        return {shown(str(key)): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    return shown(str(value))


def _plain_number(value: Real) -> int | float | None:
    if isinstance(value, Integral):
        return int(value)
    number = float(value)
    return number if math.isfinite(number) else None


def is_shallow(value: Any, depth: int) -> bool:
    """Whether no more than `depth` objects and lists lie inside one another."""
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list):
        return True
    return depth > 0 and all(is_shallow(item, depth - 1) for item in value)


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write `plain(value)` whole or not at all; it survives a power cut. Raises `OSError`."""
    write_text(path, json.dumps(plain(value), indent=1) + "\n")


def finite(value: Any) -> float | None:
    """A number that can be counted with; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
