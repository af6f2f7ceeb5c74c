"""When jobs arrive: a given number of them over a given span, by three processes.

Given their number, the arrivals of a (non-homogeneous) Poisson process are independent draws
from its normalised intensity (Çinlar, "Introduction to Stochastic Processes", 1975, sec. 4.7):
they are drawn through the inverse of the cumulative intensity, all at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt, Lt

from scheduler.arrays import Floats

DAY_S = 86_400.0
_STEPS_PER_DAY = 288
_MOST_STEPS = 1_000_000


class Process(StrEnum):
    """How the intensity goes over time."""

    POISSON = "poisson"
    """Constant."""
    DIURNAL = "diurnal"
    """A cosine over the day around its mean."""
    BURSTS = "bursts"
    """Quiet and busy phases of exponential length: a Markov-modulated Poisson process with two
    states (Fischer and Meier-Hellstern, "The MMPP cookbook", 1993)."""


@dataclass(frozen=True, slots=True)
class Arrivals:
    """A process and its parameters; those of other processes are not looked at."""

    process: Process = Process.POISSON
    swing: Annotated[float, Ge(0), Lt(1)] = 0.8
    """Diurnal: amplitude over mean; 0: constant."""
    peak_hour: Annotated[float, Ge(0), Lt(24)] = 14.0
    """Diurnal: hour of the day with most arrivals. The workload starts at a random hour."""
    burst_factor: Annotated[float, Ge(1)] = 8.0
    """Bursts: intensity of a busy phase over that of a quiet one."""
    burst_share: Annotated[float, Gt(0), Lt(1)] = 0.15
    """Bursts: share of the time that is busy."""
    burst_s: Annotated[float, Gt(0)] = 900.0
    """Bursts: mean length of a busy phase (s)."""


def times(arrivals: Arrivals, count: int, span_s: float, rng: np.random.Generator) -> Floats:
    """`count` arrival times in [0, span_s), ascending; all 0 if there is no span."""
    uniform = np.sort(rng.random(count))
    if not count or span_s <= 0:
        return np.zeros(count)
    match arrivals.process:
        case Process.POISSON:
            return uniform * span_s
        case Process.DIURNAL:
            edges, intensity = _day(arrivals, span_s, rng)
        case Process.BURSTS:
            edges, intensity = _phases(arrivals, span_s, rng)
    done = np.concatenate(([0.0], np.cumsum(np.diff(edges) * intensity)))
    result: Floats = np.interp(uniform * done[-1], done, edges)
    return result


def _day(arrivals: Arrivals, span_s: float, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Edges and intensity of steps of five minutes, or longer ones for very long spans."""
    begin = rng.random() * DAY_S
    steps = int(min(_MOST_STEPS, max(1, np.ceil(span_s / DAY_S * _STEPS_PER_DAY))))
    edges = np.linspace(0.0, span_s, steps + 1)
    middle = begin + (edges[1:] + edges[:-1]) / 2
    angle = 2 * np.pi * (middle / DAY_S - arrivals.peak_hour / 24)
    return edges, 1 + arrivals.swing * np.cos(angle)


def _phases(arrivals: Arrivals, span_s: float, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Alternating phases that cover the span; the first is busy with its share's probability."""
    busy_s = max(arrivals.burst_s, span_s / _MOST_STEPS)
    quiet_s = busy_s * (1 - arrivals.burst_share) / arrivals.burst_share
    busy = bool(rng.random() < arrivals.burst_share)
    ends: list[Floats] = []
    covered = 0.0
    while covered < span_s:
        pairs = int(np.ceil((span_s - covered) / (busy_s + quiet_s))) + 8
        means = np.tile((busy_s, quiet_s) if busy else (quiet_s, busy_s), pairs)
        ends.append(covered + np.cumsum(rng.exponential(means)))
        covered = float(ends[-1][-1])
    inner = np.concatenate(ends)
    inner = inner[inner < span_s]
    edges = np.concatenate(([0.0], inner, [span_s]))
    phase = np.arange(len(edges) - 1) % 2 == 0
    return edges, np.where(phase == busy, arrivals.burst_factor, 1.0)
