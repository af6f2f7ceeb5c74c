"""How much a search tries, and what it counts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PlayoutObjective:
    """What play-outs count, less is better: what each unit weighs.

    p · (seconds · Σ time in the system · priority / 50 + slowdown · Σ bounded slowdown)
    + (1 - p) · dollars · Σ dollars + miss · missed deadlines
    """

    seconds: float = 1.0
    slowdown: float = 0.0
    dollars: float = 0.0
    miss: float = 0.0
    preference: float | None = None
    """p, 0 cheapest … 1 fastest; None: each job's own."""


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """How much is tried for one choice."""

    jobs: int = 8
    """K: jobs of the scorer's order that are tried first."""
    futures: int = 16
    """M."""
    length: int = 48
    """H: arrivals of a future."""
    placements: int = 2
    """Other placements of the first job that are tried."""
    rounds: int = 1000
    """A play-out stops after so many; what still waits then is charged by estimate."""
    margin: float = 1.0
    """Standard errors by which a candidate must be better than the scorer's own choice."""
    patience: float = 2.0
    """Standard errors by which a candidate is worse than the scorer's own choice when it is dropped
    before all futures are played; inf: it never is."""
    every_event: bool = False
    """Whether a round follows each event of an instant, or all of them."""
