"""The constants of wgc: the same for all jobs, or a schedule over their preferences."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any

import numpy as np

from scheduler.arrays import Floats
from scheduler.decisions.kernel.wgc import DOLLARS, LAMBDA, SIGMA
from scheduler.domain.errors import InputError

STEPS = 1000
"""A schedule's preferences are rounded to 1 / STEPS."""
CHEAPEST, EXCHANGE = "cheapest", "exchange"
"""Scales of cost that are not numbers."""


@dataclass(frozen=True, slots=True)
class Constants:
    """One set.

    The defaults are the best of 13 sets tried on 6 tuning workloads of 400 jobs each of `lab` and
    `mixed-cloud`, at w = .2, .5 and .8. They are a compromise; tuned constants suit one cluster.
    """

    preference: float | None = None
    """λ, 0 … 1; None: each job's own preference."""
    congestion: float = 0.5
    """μ, at least 0."""
    patience: float = 0.1
    """θ, at least 0."""
    ageing: float = 0.5
    """κ, at least 0."""
    softening_s: float = 300.0
    """σ, above 0: jobs much shorter than this do not outweigh the others."""
    dollars: float | str = CHEAPEST
    """What cost is divided by: dollars > 0, `cheapest`, those of the job's cheapest placement, or
    `exchange`, what σ seconds cost on one device of the cluster's most expensive pool."""

    def __post_init__(self) -> None:
        """Raises `InputError` naming the constant and what is legal."""
        for name, (legal, right) in _LEGAL.items():
            value = getattr(self, name)
            if value in _WORDS.get(name, ()):
                continue
            if not (isinstance(value, (int, float)) and right(value)):
                raise InputError(f"wgc's {name} is {value!r}", {name: legal})

    def table(self) -> Floats:
        """(8, 1) As `kernel.wgc` reads them; NaN for the preference: each job's own."""
        return np.array(
            [
                [np.nan if self.preference is None else self.preference],
                [self.congestion],
                [self.patience],
                [self.ageing],
                [self.softening_s],
                [self.dollars if isinstance(self.dollars, (int, float)) else 1.0],
                [float(self.dollars == CHEAPEST)],
                [float(self.dollars == EXCHANGE)],
            ]
        )


@dataclass(frozen=True)
class Schedule:
    """Constants at some preferences; between them interpolated, beyond them the nearest.

    What may span magnitudes (σ, the scale of cost) is interpolated by its logarithm.
    """

    points: tuple[tuple[float, Constants], ...]
    """(preference of the job, constants), ascending; at least one."""

    def __post_init__(self) -> None:
        """Raises `InputError` unless the preferences ascend within 0 … 1."""
        points = [w for w, _ in self.points]
        ascending = all(before < after for before, after in pairwise(points))
        if not (points and ascending and points[0] >= 0 and points[-1] <= 1):
            raise InputError(
                f"a schedule of wgc has the preferences {points}",
                {"w": "ascending numbers from 0 to 1"},
            )

    def table(self) -> Floats:
        """(8, STEPS + 1) As `kernel.wgc` reads them: at preferences from 0 to 1."""
        points = [w for w, _ in self.points]
        every = np.linspace(0.0, 1.0, STEPS + 1)
        known = np.concatenate([one.table() for _, one in self.points], axis=1)
        # Jobs between two points that leave λ to the job have their own preference there.
        known[LAMBDA] = np.where(np.isnan(known[LAMBDA]), points, known[LAMBDA])
        rows = [np.interp(every, points, values) for values in known]
        for row in (SIGMA, DOLLARS):
            rows[row] = np.exp(np.interp(every, points, np.log(known[row])))
        return np.array(rows)


def constants(values: Mapping[str, Any]) -> Constants:
    """From plain values. Raises `InputError` for an unknown name or an illegal value."""
    legal = [field.name for field in fields(Constants)]
    for name in values:
        if name not in legal:
            raise InputError(f"wgc has no constant {name!r}", {name: f"one of {', '.join(legal)}"})
    return Constants(**values)


_WORDS = {"preference": (None,), "dollars": (CHEAPEST, EXCHANGE)}
_LEGAL: dict[str, tuple[str, Callable[[float], bool]]] = {
    "preference": ("0 … 1", lambda value: 0 <= value <= 1),
    "congestion": ("a number ≥ 0", lambda value: 0 <= value < np.inf),
    "patience": ("a number ≥ 0", lambda value: value >= 0),
    "ageing": ("a number ≥ 0", lambda value: 0 <= value < np.inf),
    "softening_s": ("seconds > 0", lambda value: 0 < value < np.inf),
    "dollars": (f"dollars > 0, {CHEAPEST} or {EXCHANGE}", lambda value: 0 < value < np.inf),
}
