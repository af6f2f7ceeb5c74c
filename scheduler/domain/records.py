"""Stored records besides jobs: measurements, decisions, costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Measurement:
    """How fast one attempt was, and what had been estimated."""

    job: int
    attempt: int
    time: float
    """Unix seconds at its end."""
    key: str
    """`Profile.key` of the work."""
    pool: str
    model: str
    """Device model."""
    width: int
    samples: float
    """Work done, in the profile's samples."""
    seconds: float
    """Run time of the attempt."""
    overhead_s: float
    """Part of `seconds` before the first sample: start-up, data, weights."""
    estimated_s: float
    source: str
    """Where the estimate came from."""
    flops_per_sample: float = 0.0
    """`Profile.flops_per_sample` of the work: calibrates the device's rate; 0: unknown."""

    @property
    def rate(self) -> float:
        """Samples per second while working."""
        return self.samples / max(self.seconds - self.overhead_s, 1e-3)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a candidate table, kept for an explanation."""

    job: int
    """0 for WAIT."""
    pool: str
    width: int
    score: float
    values: Mapping[str, float]
    """Column name to value in its physical unit."""
    terms: Mapping[str, float] = field(default_factory=dict)
    """What spoke for and against the row compared with its best rival, in units of the score; empty
    if the policy gives no reasons."""
    text: str = ""
    """Of a rival: how it compares with the chosen row, in words."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The part of a candidate table that explains one choice."""

    time: float
    job: int
    """The job chosen; 0: the policy chose to wait."""
    attempt: int | None
    policy: str
    action: str
    """`start`, `reserve`, `backfill` or `wait`."""
    rows: int
    """Rows in the whole table."""
    chosen: Row
    rivals: Sequence[Row]
    """The next best places of the job, then the next best jobs, each where it is best."""
    reason: str
    """Why this row was chosen, in words."""


CostGroup = Literal["user", "project", "day", "pool"]
"""What costs are summed by."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a user, a project or a day has cost."""

    group: str
    jobs: int
    attempts: int
    device_seconds: float
    dollars: float
    joules: float
    lost_device_seconds: float = 0.0
    """The part of `device_seconds` that preemption cost."""
