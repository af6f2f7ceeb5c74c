"""The columns of play-outs: what may come, and what became of each choice."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from scheduler.compilation.columns import Bytes, Floats, Floats2D, Ints, Ints2D

(
    JOBS,
    PLACEMENTS,
    CANDIDATES,
    PLAYED_MODE,
    EVERY_EVENT,
    MOST_ROUNDS,
    LENGTH,
    FIRST_SLOT,
    RUNNING_AT_FIRST,
    ENDED,
    STARTED,
    KEPT,
    LINE_USED,
    LEFT,
) = range(14)
"""Positions in `number`: how many jobs, and other placements of the first one, are tried; how many
candidates were found; the mode of all rounds; whether a round follows each event or each
instant; rounds after which a play-out stops; jobs that arrive in a future; the slot of the first of
them; attempts that run at first, and how many of these have ended; entries of the heap; promises of
the last round; entries of `line_kept`; candidates besides the first one that are left."""
SECONDS, SLOWDOWN, DOLLARS, MISS, PREFERENCE, PATIENCE, ELAPSED = range(7)
"""Positions in `weight`: what a weighted second, one of slowdown, a dollar and a missed deadline
count, and the preference at which they do, NaN for each job's own; standard errors by which a
candidate is worse than the first one when it is dropped; seconds since the last arrival."""


def _column() -> Any:
    return field(init=False)


@dataclass(slots=True)
class PlayoutColumns:
    """Arrays of a search: arrivals to draw from, M futures and K candidates.

    Times in seconds. The world is a copy of the real one, with room for the jobs of a future: its
    slots from the first unused one on.
    """

    number: Ints = _column()
    """See the names of its positions."""
    weight: Floats = _column()
    """What the objective counts."""

    live: Ints = _column()
    """All that changes in the world, as one piece of memory."""
    image: Ints = _column()
    """`live` as it is when a play-out begins."""
    line_kept: Ints = _column()
    """The line of the world's scorer as it is then."""

    arrival_gap: Floats = _column()
    """Seconds since the arrival before; a future reads them in a circle."""
    arrival_priority: Floats = _column()
    arrival_preference: Floats = _column()
    arrival_project: Ints = _column()
    arrival_slack: Floats = _column()
    """Seconds from submission to deadline; inf: none."""
    arrival_ratio: Floats = _column()
    """Runtime ÷ its estimate."""
    arrival_first: Ints = _column()
    """Its first row."""
    arrival_count: Ints = _column()
    arrival_shape: Ints = _column()
    """By row: shapes of the world."""
    arrival_figures: Floats2D = _column()
    """(3, rows) runtime, dollars and joules."""

    future_start: Ints = _column()
    """(M,) the first arrival of each future."""
    future_ratio: Floats2D = _column()
    """(M, jobs) runtime ÷ its estimate of jobs that wait, by slot."""
    future_end: Floats2D = _column()
    """(M, attempts) when what runs ends, soonest first."""
    future_attempt: Ints2D = _column()
    """(M, attempts) the attempts, in that order."""

    row: Ints = _column()
    """(K,) candidates: rows of the world; the first is the scorer's own choice."""
    value: Floats2D = _column()
    """(K, M) what the objective counts after each choice in each future; less is better. NaN for
    futures after the candidate was dropped."""
    dropped: Bytes = _column()
    """(K,) whether a candidate is so much worse than the first that it is not played any more."""

    slot_time: Floats = _column()
    """When the jobs of the future arrive, by their order in it."""
    slot_ratio: Floats = _column()
    """Runtime ÷ its estimate, by slot."""
    ending: Ints = _column()
    """`future_attempt` of the future that is played."""
    end_time: Floats = _column()
    heap_time: Floats = _column()
    """Ends of attempts that a play-out has started."""
    heap_attempt: Ints = _column()
    promised: Ints = _column()
    """Rows that the last round has reserved, in modes that keep promises."""
    promised_start: Floats = _column()
    pool_boots: Bytes = _column()
    """Whether a node that has booted stays up for a while."""
    enter_numbers: Floats = _column()
    """(5,) scratch: a job that enters …"""
    enter_figures: Floats2D = _column()
    """… and its rows."""
