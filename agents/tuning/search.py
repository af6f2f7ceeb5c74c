"""How much a search for the constants of wgc tries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge

from scheduler.domain.errors import InputError
from scheduler.policies.heuristics import HEURISTICS

PREFERENCES = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 1.0)
"""Preferences at which constants are searched."""


@dataclass(frozen=True, slots=True)
class Search:
    """How much a search for constants tries."""

    preferences: tuple[float, ...] = PREFERENCES
    trials: Annotated[int, Ge(1)] = 40
    """Candidates at each preference."""
    workloads: Annotated[int, Ge(2)] = 24
    """One half to search on, one half to report."""
    jobs: Annotated[int, Ge(1)] = 400
    """Jobs of each workload."""
    seed: Annotated[int, Ge(0)] = 0
    """Seed of the sampler."""
    rivals: tuple[str, ...] = tuple(HEURISTICS)
    """Policies whose scores are reported beside."""

    def __post_init__(self) -> None:
        """Raises `InputError` naming the field."""
        if self.workloads < 2 or self.trials < 1 or not self.preferences:
            raise InputError(
                f"{self.trials} trials on {self.workloads} workloads",
                {"trials": "≥ 1", "workloads": "≥ 2"},
            )
        if not all(0 <= w <= 1 for w in self.preferences):
            raise InputError(
                f"preferences are {self.preferences}", {"preferences": "numbers from 0 to 1"}
            )

    @property
    def seeds(self) -> range:
        """Seeds of the workloads that the search sees."""
        return range(self.workloads // 2)

    @property
    def held_out(self) -> range:
        """Seeds of the workloads that it does not see."""
        return range(self.workloads // 2, self.workloads)

    @property
    def steps(self) -> int:
        """Candidates and other policies, all preferences together."""
        return len(self.preferences) * (self.trials + len(self.rivals))
