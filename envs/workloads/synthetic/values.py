"""Kinds of numbers that settings have."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Gt, Le, Predicate


def ascending(bounds: tuple[float, float]) -> bool:
    """Whether a range's bounds are in order."""
    return bounds[0] <= bounds[1]


Share = Annotated[float, Ge(0), Le(1)]
Positive = Annotated[float, Gt(0)]
Range = Annotated[tuple[Positive, Positive], Predicate(ascending)]
Weight = Annotated[float, Gt(0)]
Counts = Annotated[tuple[Annotated[int, Ge(1)], Annotated[int, Ge(1)]], Predicate(ascending)]
