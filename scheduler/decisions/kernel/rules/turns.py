"""Projects take turns: fair share and quotas, under every policy.

If jobs of several projects wait, one project has the turn at each choice: the one with the least
usage ÷ share of those that have a row which may be chosen. The policy chooses among the jobs of
that project; those of the others are ASIDE. If the policy chooses to wait, the turn goes on to the
next project, and the round is over when all have passed. So shares hold whatever a policy makes of
its queue, and inside a project the policy's order holds as it is.

A project's factor, 2^(-usage/share), falls as its usage grows: the order of projects is that of
their factors, as in Slurm's classic fair share (SchedMD, "Multifactor Priority Plugin"), and the
turns are those of start-time fair queueing (Goyal, Vin, Cheng, "Start-time fair queueing",
SIGCOMM 1996), with usage that decays.

Usage counts what an attempt will use within the next hour when it starts: otherwise a project could
take all free devices in one round. Longer estimates count no more than that, or a long training
would keep its project from other devices for weeks.

No project starves: one that has started nothing for the starvation bound, and has a job that has
waited longer, has the turn before all others.
"""

from __future__ import annotations

import numpy as np

from scheduler.compilation.columns import Ints
from scheduler.compilation.functions import compiled, entry_point
from scheduler.decisions.kernel.columns import (
    ASIDE,
    LIMITED,
    NO_PROJECT,
    NOW,
    OVER,
    PROJECTS_USED,
    SCORED,
    SHARED,
    SLOTS_USED,
    STARVATION_S,
    TURN,
    WAITS,
    Columns,
)
from scheduler.decisions.kernel.rules.allowed import choosable, list_rows, refresh_rules, starves

AHEAD_S = 3600.0
"""Of an attempt's estimated future, so much counts as usage at once."""


@compiled
def open_turns(w: Columns) -> None:
    """Begin a round: no project has passed, and each holds what its attempts hold."""
    w.state[TURN] = NO_PROJECT
    if w.state[LIMITED]:
        for project in range(w.count[PROJECTS_USED]):
            w.project_devices[project] = 0
        for attempt in range(len(w.attempt_job)):
            if w.attempt_job[attempt] > 0 and w.attempt_project[attempt] != NO_PROJECT:
                w.project_devices[w.attempt_project[attempt]] += w.attempt_width[attempt]
    if not w.state[SHARED]:
        return
    for project in range(w.count[PROJECTS_USED]):
        w.project_passed[project] = 0
    for slot in range(1, w.count[SLOTS_USED]):
        if w.job_state[slot] == ASIDE:
            w.job_state[slot] = WAITS


@entry_point
def candidate_rows(w: Columns, rows: Ints) -> int:
    """All rows that may be chosen, ascending, WAIT first; returns their number."""
    refresh_rules(w)
    refresh_turn(w)
    return list_rows(w, rows)


@compiled
def refresh_turn(w: Columns) -> None:
    """Give the turn to a project. Valid after `refresh_rules`."""
    if not w.state[SHARED]:
        return
    turn = _next(w)
    w.state[TURN] = turn
    for slot in range(1, w.count[SLOTS_USED]):
        if w.job_state[slot] == WAITS and w.job_project[slot] != turn:
            w.job_state[slot] = ASIDE
        elif w.job_state[slot] == ASIDE and w.job_project[slot] == turn:
            w.job_state[slot] = WAITS


@compiled
def _next(w: Columns) -> int:
    """The project whose turn it is; NO_PROJECT: none has a row that may be chosen."""
    for project in range(w.count[PROJECTS_USED]):
        w.project_able[project] = 0
    starved, since = NO_PROJECT, np.inf
    for slot in range(1, w.count[SLOTS_USED]):
        if w.job_state[slot] != WAITS and w.job_state[slot] != ASIDE:
            continue
        project = w.job_project[slot]
        hungry = _is_starved(w, slot) and w.job_submitted[slot] < since
        if w.project_passed[project] or (w.project_able[project] and not hungry):
            continue
        if choosable(w, slot):
            w.project_able[project] = 1
            if hungry:
                starved, since = project, w.job_submitted[slot]
    if starved != NO_PROJECT:
        return starved
    best, least = NO_PROJECT, np.inf
    for project in range(w.count[PROJECTS_USED]):
        used = w.project_used[project] / w.project_share[project]
        if w.project_able[project] and (best == NO_PROJECT or used < least):
            best, least = project, used
    return best


@compiled
def _is_starved(w: Columns, slot: int) -> bool:
    """Whether a job starves, and its project has started nothing for as long."""
    started = w.project_started[w.job_project[slot]]
    return starves(w, slot) and w.figure[NOW] - started > w.figure[STARVATION_S]


@compiled
def pass_turn(w: Columns) -> None:
    """The policy waits: the next project has the turn; without one the round is over."""
    if not w.state[SHARED] or w.state[TURN] == NO_PROJECT:
        w.state[OVER] = 1
        return
    w.project_passed[w.state[TURN]] = 1


@compiled
def charge_start(w: Columns, row: int, attempt: int) -> None:
    """Charge the project of a job that starts on a row."""
    slot, shape = w.row_slot[row], w.row_shape[row]
    project = w.job_project[slot]
    w.attempt_project[attempt] = project
    if not w.state[SHARED] and not w.state[LIMITED]:
        return
    width, pool = w.shape_width[shape], w.shape_pool[shape]
    seconds = min(w.row_runtime[row], AHEAD_S)
    w.project_used[project] += seconds * width * w.pool_charge[pool]
    w.project_started[project] = w.figure[NOW]
    if w.state[LIMITED]:
        w.project_devices[project] += width
        w.project_dollars[project] -= w.row_dollars[row]
        if w.state[SCORED]:
            w.state[SCORED] += 1  # rows of its other jobs may have become illegal
