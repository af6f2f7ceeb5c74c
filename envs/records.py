"""What a simulation leaves behind: one record a job, and its measures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scheduler.decisions.queue import Floats, Ints

BOUND_S = 10.0
"""Runtimes below this count as this in the bounded slowdown (Feitelson 2001)."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Columns of shape (jobs,), in order of arrival. Times in seconds from the start."""

    job: Ints
    submitted: Floats
    started: Floats
    """First start; nan: never."""
    ended: Floats
    """nan: never."""
    runtime: Floats
    """Time it really ran on its last placement."""
    ideal: Floats
    """Least true runtime over the job's runs."""
    pool: Ints
    width: Ints
    dollars: Floats
    joules: Floats
    attempts: Ints
    priority: Floats
    deadline: Floats
    """inf: none."""
    user: tuple[str, ...]
    capacity: int
    """Devices of all pools."""
    idle_dollars: float = 0.0
    """Billed while no job ran: amortisation, boots, idle elastic nodes."""

    @property
    def wait(self) -> Floats:
        """Seconds from submission to the first start."""
        return self.started - self.submitted

    @property
    def jct(self) -> Floats:
        """Job completion time: submission to end (s)."""
        return self.ended - self.submitted

    @property
    def bounded_slowdown(self) -> Floats:
        """max(1, (wait + run) / max(run, 10 s)), with the job's whole time in the system."""
        slow: Floats = self.jct / np.maximum(self.runtime, BOUND_S)
        return np.maximum(slow, 1.0)

    @property
    def slowdown(self) -> Floats:
        """Time in the system ÷ least possible runtime on this cluster, bounded alike."""
        slow: Floats = self.jct / np.maximum(self.ideal, BOUND_S)
        return np.maximum(slow, 1.0)

    @property
    def makespan(self) -> float:
        """Seconds from the first submission to the last end."""
        return float(np.nanmax(self.ended) - self.submitted.min()) if len(self.job) else 0.0
