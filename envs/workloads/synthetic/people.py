"""Users of a synthetic workload: a few submit most jobs, and often the same job again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, NamedTuple

import numpy as np
from annotated_types import Ge, Le, Lt

from scheduler.arrays import Floats, Ints


@dataclass(frozen=True, slots=True)
class People:
    """Users and their habits."""

    users: Annotated[int, Ge(1), Le(100_000)] = 16
    projects: Annotated[int, Ge(1)] = 4
    """User u belongs to project u modulo this."""
    zipf: Annotated[float, Ge(0), Le(5)] = 1.2
    """The k-th most active user's share is proportional to k^-this; 0: all alike."""
    repeat: Annotated[float, Ge(0), Lt(1)] = 0.5
    """Probability that a job is its user's previous one again, which predictors from
    recent runs rely on (Feitelson, "Workload Modeling", 2015, sec. 8.3)."""
    repeat_sigma: Annotated[float, Ge(0), Le(2)] = 0.1
    """Log-normal spread of a repeated job's size around the first one's."""


class Repeats(NamedTuple):
    """Which job each job repeats."""

    origin: Ints
    """Index of the first job of its series; its own if it repeats none."""
    factor: Floats
    """Of the size; 1 for a first one."""


class Activity(NamedTuple):
    """Users of all jobs, in order of arrival."""

    user: tuple[int, ...]
    """From 1, the most active first."""
    repeats: Repeats


def activity(people: People, jobs: int, rng: np.random.Generator) -> Activity:
    """Draw the users of `jobs` jobs."""
    shares = np.arange(1, people.users + 1, dtype=float) ** -people.zipf
    edges = np.cumsum(shares) / shares.sum()
    drawn = np.searchsorted(edges, rng.random(jobs), side="right")
    users = np.minimum(drawn, people.users - 1) + 1
    repeated = rng.random(jobs) < people.repeat
    factor = np.exp(people.repeat_sigma * rng.standard_normal(jobs))
    origin = np.arange(jobs)
    latest: dict[int, int] = {}
    for index, user in enumerate(users.tolist()):
        if repeated[index] and user in latest:
            origin[index] = latest[user]
        else:
            latest[user] = index
            factor[index] = 1.0
    return Activity(tuple(users.tolist()), Repeats(origin, factor))
