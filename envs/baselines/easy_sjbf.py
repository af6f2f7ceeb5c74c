"""Backfilling rules known from supercomputers, as policies that score candidate tables."""

from __future__ import annotations

from scheduler.decisions.rounds.candidates import Candidates
from scheduler.decisions.state.queue import Floats
from scheduler.policies.heuristics import Heuristic


def _shortest_behind(table: Candidates) -> Floats:
    return -table.size if table.backfilling else table.wait


EASY_SJBF = Heuristic(
    "easy-sjbf",
    _shortest_behind,
    "oldest first; behind a reservation the shortest first (Tsafrir, Etsion, Feitelson 2007)",
    stable=False,
)
"""EASY++ of the same paper, with `Mode.EASY` and `envs.workloads.runtime_estimates.Tsafrir`."""
