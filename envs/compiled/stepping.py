"""Whole episodes under a fixed order of jobs, as `scheduler.decisions.rounds.sorted_queue`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from envs.compiled.compiling import compiled
from envs.compiled.facts import Facts
from envs.compiled.kernel import advance, begin, candidates, take, to_come
from envs.compiled.state import Setting, State
from envs.gym.episodes import Episode
from scheduler.arrays import Floats, Ints
from scheduler.policies.heuristics import Rank

FIGURES = ("now", "accrued", "spent", "latency", "device_s", "waiting", "ended")
"""What is noted of a round: seconds; latency and device-seconds so far; those that running jobs
will add, by estimates; jobs that wait and that have ended."""


class _StepColumns(NamedTuple):
    """(jobs,) What a static order looks at."""

    born: Floats
    size: Floats
    request: Floats
    priority: Floats
    deadline: Floats


def places(episode: Episode, known: Facts, rank: Rank) -> Ints:
    """(slots,) Position of each job by a static order. WAIT is last."""
    jobs = episode.workload.jobs
    columns = _StepColumns(
        born=known.submitted[1:] - episode.workload.origin,
        size=known.estimate[1:],
        request=known.width[1:].astype(np.float64),
        priority=np.array([job.priority for job in jobs]),
        deadline=np.array([np.inf if job.deadline is None else job.deadline for job in jobs]),
    )
    # Ties as `precedence.most_urgent` breaks them.
    ties = (columns.deadline, -columns.priority, columns.born, -rank(columns))
    place = np.full(len(jobs) + 1, len(jobs), dtype=np.int64)
    place[1 + np.lexsort(ties)] = np.arange(len(jobs))
    return place


@compiled
def walk(b: int, place: Ints, jobs: Facts, state: State, setting: Setting) -> Floats:
    """Play world `b` to its end; (2 · rounds + 1, FIGURES) before and after each, and at the end.

    (slots,) `place`: the first job by it is taken, as long as one may be.
    """
    rows = np.empty(state.queue.shape[1], dtype=np.int64)
    notes = np.empty((4 * len(place), len(FIGURES)))
    count = 0
    while advance(b, jobs, state, setting):
        if count + 3 > len(notes):
            notes = np.concatenate((notes, np.empty_like(notes)))
        _note(b, jobs, state, notes[count])
        begin(b, jobs, state, setting)
        while state.open[b]:
            able = candidates(b, jobs, state, rows)
            if able:
                first = rows[0]
                for slot in rows[1:able]:
                    if place[slot] < place[first]:
                        first = slot
                take(b, first, jobs, state, setting)
            else:
                # The same as in `settle`.
                state.open[b], state.held[b] = False, 0
        _note(b, jobs, state, notes[count + 1])
        count += 2
    _note(b, jobs, state, notes[count])
    return notes[: count + 1]


@compiled
def _note(b: int, jobs: Facts, state: State, note: Floats) -> None:
    latency, device_s = to_come(b, jobs, state)
    note[0], note[1], note[2] = state.now[b], state.accrued[b], state.spent[b]
    note[3], note[4] = latency, device_s
    note[5], note[6] = state.waiting[b], state.ended[b]
