"""Quantiles of runtime from what ended in the groups of a job, in compiled code.

A job belongs to `LEVELS` groups, from the most specific to that of all jobs. Each group holds the
logarithms of its last `MEMORY` runtimes. Newer ones weigh more: a runtime that a others of the
group have followed weighs 1 / (1 + a / t), t of `FORGETTING`. The distribution of a job is a
mixture: a group whose weights sum to n takes the share n / (n + `SHRINKAGE`) of what more specific
groups have left. This is hierarchical shrinkage with back-off, as in language models (MacKay,
Peto, "A hierarchical Dirichlet language model", Natural Language Engineering 1(3), 1995).

Arrays are flat, so that they may be columns of a simulation. M is `MEMORY`, G the number of
groups:

- `past_value`: (G·M) logarithms of runtimes in s, ascending within a group;
- `past_born`: (G·M) how many had ended in the group before each of them;
- `group_ended`: (G) jobs that have ended in each group.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from scheduler.compilation.columns import Floats, Floats2D, Ints
from scheduler.compilation.functions import compiled, entry_point

MEMORY: Final = 128
"""Runtimes kept of each group."""
QUANTILES: Final = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)
MEDIAN: Final = 3
"""Position of the median among them."""
INTERVALS: Final = {0.8: (1, 5), 0.95: (0, 6)}
"""Nominal coverage → positions of the interval's ends among `QUANTILES`."""
FORGETTING: Final = (1.0, 4.0, 4.0, 4.0, 16.0, 16.0)
"""Of each level: so many later runtimes halve the weight of one."""
LEVELS: Final = len(FORGETTING)
"""Groups of each job."""
SHRINKAGE: Final = 8.0
LEAST_ENDED: Final = 8
"""So many jobs must have ended before anything is predicted."""


@compiled
def remember(
    past_value: Floats, past_born: Ints, group_ended: Ints, groups: Ints, first: int, length: float
) -> None:
    """Add the logarithm of a runtime to the groups `groups[first:first + LEVELS]`.

    The oldest leaves a full one.
    """
    for level in range(LEVELS):
        group = groups[first + level]
        start, born = group * MEMORY, group_ended[group]
        kept = min(born, MEMORY)
        if kept == MEMORY:
            at = start
            while past_born[at] != born - MEMORY:
                at += 1
            for place in range(at, start + MEMORY - 1):
                past_value[place] = past_value[place + 1]
                past_born[place] = past_born[place + 1]
            kept -= 1
        at = start + kept
        while at > start and past_value[at - 1] > length:
            past_value[at] = past_value[at - 1]
            past_born[at] = past_born[at - 1]
            at -= 1
        past_value[at], past_born[at] = length, born
        group_ended[group] = born + 1


@compiled
def predict(
    past_value: Floats, past_born: Ints, group_ended: Ints, groups: Ints, first: int, out: Floats
) -> bool:
    """Write the logarithms of the `QUANTILES` to `out`; False before `LEAST_ENDED` jobs ended.

    `groups[first:first + LEVELS]` are the job's groups; one below 0 has seen nothing.
    """
    everything = groups[first + LEVELS - 1]
    if everything < 0 or group_ended[everything] < LEAST_ENDED:
        return False
    weight = np.empty((LEVELS, MEMORY))
    rest = 1.0
    for level in range(LEVELS):
        group = groups[first + level]
        if group < 0 or group_ended[group] == 0:
            continue
        kept, total = min(group_ended[group], MEMORY), 0.0
        for age in range(kept):
            weight[level, age] = FORGETTING[level] / (FORGETTING[level] + age)
            total += weight[level, age]
        share = rest
        if level < LEVELS - 1:
            share *= total / (total + SHRINKAGE)
        rest -= share
        for age in range(kept):
            weight[level, age] *= share / total
    _merge(past_value, past_born, group_ended, groups, first, weight, out)
    return True


@entry_point
def predict_one(
    past_value: Floats, past_born: Ints, group_ended: Ints, groups: Ints, out: Floats
) -> bool:
    """`predict` for one job."""
    return predict(past_value, past_born, group_ended, groups, 0, out)


@entry_point
def remember_one(
    past_value: Floats, past_born: Ints, group_ended: Ints, groups: Ints, length: float
) -> None:
    """`remember` for one job."""
    remember(past_value, past_born, group_ended, groups, 0, length)


@compiled
def _merge(
    past_value: Floats,
    past_born: Ints,
    group_ended: Ints,
    groups: Ints,
    first: int,
    weight: Floats2D,
    out: Floats,
) -> None:
    """Quantiles of weighted runtimes: between the middles of their weights, by interpolation."""
    place = np.empty(LEVELS, dtype=np.int64)
    place[:] = 0
    quantile, reached, middle, value = 0, 0.0, -1.0, 0.0
    while quantile < len(QUANTILES):
        best, least = -1, 0.0
        for level in range(LEVELS):
            group = groups[first + level]
            if group >= 0 and place[level] < min(group_ended[group], MEMORY):
                found = past_value[group * MEMORY + place[level]]
                if best < 0 or found < least:
                    best, least = level, found
        if best < 0:  # rounding: the weights sum to a little less than 1
            out[quantile] = value
            quantile += 1
            continue
        group = groups[first + best]
        age = group_ended[group] - 1 - past_born[group * MEMORY + place[best]]
        place[best] += 1
        here = reached + weight[best, age] / 2
        while quantile < len(QUANTILES) and here >= QUANTILES[quantile]:
            part = 1.0
            if 0.0 <= middle < here:
                part = (QUANTILES[quantile] - middle) / (here - middle)
            before = value if middle >= 0.0 else least
            out[quantile] = before + (least - before) * part
            quantile += 1
        reached, middle, value = reached + weight[best, age], here, least
