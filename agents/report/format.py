"""Figures for people: one unit and one number of digits for all of a column."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from agents.evaluation.metrics import Unit

NONE = "–"
"""Where there is no figure."""
_SCALES: dict[Unit, tuple[tuple[float, str], ...]] = {
    Unit.SECONDS: ((2 * 86_400, "d"), (2 * 3600, "h"), (120, "min"), (0, "s")),
    Unit.JOULES: ((1e12, "TJ"), (1e9, "GJ"), (1e6, "MJ"), (1e3, "kJ"), (0, "J")),
    Unit.SHARE: ((0, "%"),),
    Unit.DOLLARS: ((0, "$"),),
    Unit.JOBS: ((0, ""),),
    Unit.RATIO: ((0, ""),),
}
_FACTORS = {"d": 86_400.0, "h": 3600.0, "min": 60.0, "%": 0.01}
_FACTORS |= {"kJ": 1e3, "MJ": 1e6, "GJ": 1e9, "TJ": 1e12}


@dataclass(frozen=True, slots=True)
class Scale:
    """How the figures of one column are written."""

    unit: str
    """`h`, `MJ`, …; empty for plain numbers."""
    factor: float
    """One of that unit."""
    decimals: int

    def text(self, value: float) -> str:
        """`1 234.5`, without the unit; `–` for nan."""
        if not math.isfinite(value):
            return NONE
        text = f"{value / self.factor:,.{self.decimals}f}".replace(",", "\u2009")
        # Rounded to nothing, a figure has no sign.
        return text.lstrip("-") if not text.strip("-0.\u2009") else text.replace("-", "−")


def scale(unit: Unit, values: Iterable[float]) -> Scale:
    """The scale in which the middle one of `values` has three digits that say something."""
    sizes = np.abs([value for value in values if math.isfinite(value)])
    middle = float(np.median(sizes[sizes > 0])) if (sizes > 0).any() else 0.0
    name = next(name for least, name in _SCALES[unit] if middle >= least)
    factor = _FACTORS.get(name, 1.0)
    shown = middle / factor
    if unit is Unit.JOBS:
        whole = bool((sizes == np.round(sizes)).all())
        return Scale(name, factor, 0 if whole else 1)
    if shown == 0:
        return Scale(name, factor, 0)
    return Scale(name, factor, min(max(2 - math.floor(math.log10(shown)), 0), 5))


def percent(value: float) -> str:
    """A relative difference: `+3.1 %`, `−12 %`, `±0 %`; `–` for nan."""
    if not math.isfinite(value):
        return NONE
    shown = 100 * value
    digits = 0 if abs(shown) >= 99.5 else 1
    text = f"{shown:+,.{digits}f}".replace(",", "\u2009").replace("-", "−")
    return "±0\u2009%" if not text.strip("+−0.") else f"{text}\u2009%"
