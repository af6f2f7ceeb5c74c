"""What enters a world and leaves it: jobs that wait, their placements, attempts that run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from scheduler.domain.jobs import MIDDLE_PRIORITY

WAIT = 0
"""The row that starts nothing."""
Nodes = tuple[tuple[int, int], ...]
"""Devices taken: (node, how many) pairs."""
UNLIMITED = 2**62
"""Devices of a project without a limit."""


class Shape(NamedTuple):
    """What a placement takes from a pool; rows of equal shape fit, or do not fit, together."""

    pool: int
    """Index of the pool; -1 for WAIT."""
    width: int
    memory: int
    """Bytes for the whole attempt."""


class EstimatedPlacement(NamedTuple):
    """One placement that a job accepts, with its estimate."""

    pool: int
    width: int
    memory: int
    runtime_s: float
    dollars: float
    joules: float


@dataclass(frozen=True, slots=True)
class Waiting:
    """A job that may start now, as decisions see it; it has no true runtime."""

    id: int
    submitted_at: float
    """From when its waiting counts; see `eligible_since`."""
    options: Sequence[EstimatedPlacement]
    """At least one."""
    priority: float = MIDDLE_PRIORITY
    deadline: float = np.inf
    preference: float = 0.5
    project: str = ""


class RunningAttempt(NamedTuple):
    """An attempt that holds devices, as decisions see it."""

    end: float
    """Estimated end, Unix seconds."""
    job: int
    pool: int
    nodes: Nodes
    memory: int = 0

    @property
    def width(self) -> int:
        """Devices it holds."""
        return sum(count for _, count in self.nodes)
