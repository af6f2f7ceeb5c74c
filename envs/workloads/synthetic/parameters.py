"""What a synthetic workload is drawn from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from annotated_types import Ge, Gt, Le, Len

from envs.workloads.arrivals import Arrivals
from envs.workloads.synthetic.people import People
from envs.workloads.synthetic.sweeps import Sweeps
from envs.workloads.synthetic.values import Range, Share, Weight


@dataclass(frozen=True, slots=True)
class Phase:
    """Jobs of one kind: trainings, or inferences."""

    median_s: Annotated[float, Gt(0)] = 1800.0
    """Size: median of a log-normal (s on one of the fastest devices)."""
    sigma: Annotated[float, Ge(0), Le(5)] = 1.2
    """Its standard deviation in logarithm."""
    shortest_s: Annotated[float, Gt(0)] = 1.0
    """Sizes are cut off here …"""
    longest_s: Annotated[float, Gt(0)] = 172_800.0
    """… and here."""
    widths: Annotated[tuple[tuple[Annotated[int, Ge(1)], Weight], ...], Len(1)] = ((1, 1.0),)
    """(most GPUs, weight): a job may run on 1, 2, 4 … up to so many."""
    rigid_share: Share = 0.0
    """Of the jobs, those that run on exactly their most GPUs, and not on fewer."""
    tail_share: Share = 0.0
    """Of the jobs, those whose size is from a bounded Pareto distribution instead. Of real
    workloads, about 1 % of the jobs are more than half of the work (Harchol-Balter, "Performance
    Modeling and Design of Computer Systems", 2013, ch. 20)."""
    tail_shape: Annotated[float, Gt(0), Le(5)] = 1.0
    """α of that distribution: the less, the heavier."""
    tail_from: Annotated[float, Ge(1)] = 10.0
    """It begins at this many times `median_s`, and ends at `longest_s`."""
    works: tuple[tuple[str, Weight], ...] = ()
    """(work, weight) of the table; none: all of the kind alike."""
    deadline_share: Share = 0.0
    """Of the jobs, those with a deadline."""
    slack: Range = (2.0, 6.0)
    """A deadline is this many (uniform) ideal runtimes after the submission …"""
    grace_s: Annotated[float, Ge(0)] = 0.0
    """… and so many seconds more."""
    priorities: Annotated[tuple[tuple[Annotated[float, Ge(0), Le(100)], Weight], ...], Len(1)] = (
        (50.0, 1.0),
    )
    """(priority, weight)."""


@dataclass(frozen=True, slots=True)
class Synthetic:
    """What to draw."""

    load: Range = (0.8, 0.8)
    """Range from which each workload's load ρ is drawn (uniform), see `generator`."""
    training_share: Share = 0.5
    """Of the jobs, not of the time."""
    training: Phase = field(default_factory=Phase)
    inference: Phase = field(default_factory=lambda: Phase(median_s=60.0, sigma=1.0))
    arrivals: Arrivals = field(default_factory=Arrivals)
    people: People = field(default_factory=People)
    sweeps: Sweeps = field(default_factory=Sweeps)
    startup_s: Annotated[float, Ge(0)] = 2.0
    """Part of every runtime, on every device."""
    cpu_width: Annotated[int, Ge(1)] = 8
    """Most CPU devices of one job, in powers of two, within one node."""
    overestimate: Annotated[float, Ge(1)] = 3.0
    """Users ask for runtime ÷ U(1/this, 1): the accuracy of requests is about uniform
    (Mu'alem and Feitelson, "Utilization, predictability, workloads, and user runtime estimates in
    scheduling the IBM SP2 with backfilling", TPDS 12(6), 2001)."""
