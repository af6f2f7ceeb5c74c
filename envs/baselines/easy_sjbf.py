"""Backfilling rules known from supercomputers."""

from __future__ import annotations

from scheduler.decisions.kernel.queue import orders
from scheduler.policies.heuristics import TextbookHeuristic

EASY_SJBF = TextbookHeuristic(
    "easy-sjbf",
    orders.SJBF,
    "oldest first; behind a reservation the shortest first (Tsafrir, Etsion, Feitelson 2007)",
    stable=False,
)
"""EASY++ of the same paper, with `Mode.EASY` and `envs.workloads.runtime_estimates.Tsafrir`."""
