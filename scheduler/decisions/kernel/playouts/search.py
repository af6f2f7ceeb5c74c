"""Candidates for a choice, each played out in the same futures.

All candidates meet the same arrivals and runtimes (common random numbers), so that the differences
between them vary much less than their values do.
"""

from __future__ import annotations

import numpy as np

from scheduler.compilation.columns import Floats2D, Floats32, Ints
from scheduler.compilation.functions import compiled, entry_point
from scheduler.decisions.kernel.choosing import HEEDS, INVALID, KIND, NUMBER, ORDERED, choose
from scheduler.decisions.kernel.columns import (
    MODE,
    NOW,
    PROJECTS_USED,
    RUNNING,
    SCORED,
    SCORER,
    SLOTS_USED,
    TAKEN,
    TOTALLED,
    TURN,
    WAITS,
    Columns,
)
from scheduler.decisions.kernel.playouts.columns import (
    CANDIDATES,
    ELAPSED,
    FIRST_SLOT,
    JOBS,
    LEFT,
    LENGTH,
    PATIENCE,
    PLACEMENTS,
    RUNNING_AT_FIRST,
    PlayoutColumns,
)
from scheduler.decisions.kernel.playouts.playout import keep, play_out, rewind
from scheduler.decisions.kernel.queue.jobs import (
    DEADLINE,
    ID,
    PREFERENCE,
    PRIORITY,
    SUBMITTED,
    enter,
)
from scheduler.decisions.kernel.rules.allowed import GREEDY, startable
from scheduler.decisions.kernel.rules.precedence import preceding

_FIRST_ID = 1 << 48
"""Ids of jobs that do not exist."""
_BLOCK = 4
"""Candidates are dropped after each so many futures."""
_TRIES = 4
"""So many jobs are looked at for each that is tried: others may have to go before it."""


@entry_point
def search(
    w: Columns,
    f: PlayoutColumns,
    begin: int,
    end: int,
    codes: Ints,
    constants: Floats2D,
    weights: Floats32,
    eager_codes: Ints,
    eager_constants: Floats2D,
) -> int:
    """Into `value`: what becomes of each candidate in the futures from `begin` to `end`.

    At `begin` 0 candidates are found first, into `row`. Returns their number, or INVALID if the
    scorer fails. The eager scorer is the scorer, but never waits: it names the candidates.
    """
    count = f.number[CANDIDATES]
    if begin == 0:
        count = _find(w, f, codes, constants, weights, eager_codes, eager_constants)
        f.number[CANDIDATES], f.number[LEFT] = count, count - 1
        for index in range(count):
            f.dropped[index] = 0
    if count < 2:
        return count
    for future in range(begin, end):
        for index in range(count):
            f.value[index, future] = np.nan
        if f.number[LEFT] == 0:
            continue
        rewind(w, f)
        _draw(w, f, future)
        for index in range(count):
            if f.dropped[index]:
                continue
            value = play_out(w, f, f.row[index], codes, constants, weights)
            f.value[index, future] = value
            if np.isnan(value):
                return INVALID
        if (future + 1) % _BLOCK == 0:
            _drop(f, future + 1)
    return count


@compiled
def _drop(f: PlayoutColumns, played: int) -> None:
    """Drop candidates that are clearly worse than the first one after so many futures.

    Most are: their play-outs would take time and change nothing.
    """
    for index in range(1, f.number[CANDIDATES]):
        if f.dropped[index]:
            continue
        mean, spread = 0.0, 0.0
        for future in range(played):
            mean += (f.value[index, future] - f.value[0, future]) / played
        for future in range(played):
            spread += (f.value[index, future] - f.value[0, future] - mean) ** 2
        error = np.sqrt(spread / (played - 1) / played)
        if mean >= 0.0 and mean >= f.weight[PATIENCE] * error:
            f.dropped[index] = 1
            f.number[LEFT] -= 1


@compiled
def _find(
    w: Columns,
    f: PlayoutColumns,
    codes: Ints,
    constants: Floats2D,
    weights: Floats32,
    eager_codes: Ints,
    eager_constants: Floats2D,
) -> int:
    """Into `row`: the scorer's own choice, then others; returns their number, or a negative code.

    Others are the first jobs by the eager scorer; the fastest and the cheapest other placement of
    the first job; WAIT if the scorer may wait. The world is kept as it is, for play-outs.
    """
    first = _keep_choice(w, f, codes, constants, weights)
    if first < 0:
        return first
    f.row[0], count, turn = first, 1, w.state[TURN]
    if first > 0:
        count = _add_placements(w, f, first)
        w.job_state[w.row_slot[first]] = TAKEN
    most = count + f.number[JOBS] - 1
    for _ in range(_TRIES * f.number[JOBS]):
        row = choose(w, eager_codes, eager_constants, weights)
        if row <= 0 or count == most or w.state[TURN] != turn:
            break
        if _goes_first(w, f, row, count, codes[HEEDS] != 0):
            f.row[count] = row
            count += 1
        w.job_state[w.row_slot[row]] = TAKEN
    if first > 0 and codes[KIND] != ORDERED and w.state[MODE] == GREEDY and w.count[RUNNING]:
        f.row[count] = 0
        count += 1
    if eager_codes[NUMBER] != codes[NUMBER]:
        rewind(w, f)
        _keep_choice(w, f, codes, constants, weights)
    return count


@compiled
def _goes_first(w: Columns, f: PlayoutColumns, row: int, count: int, heed: bool) -> bool:
    """Whether no job of the candidates until now would take the row's place."""
    for index in range(count):
        if f.row[index] > 0:
            w.job_state[w.row_slot[f.row[index]]] = WAITS
    first = preceding(w, row, heed)
    for index in range(count):
        if f.row[index] > 0:
            w.job_state[w.row_slot[f.row[index]]] = TAKEN
    return bool(first == row)


@compiled
def _keep_choice(
    w: Columns, f: PlayoutColumns, codes: Ints, constants: Floats2D, weights: Floats32
) -> int:
    """The scorer's own choice; the world is kept with what the scorer has prepared for it."""
    w.state[SCORER] = 0
    row = choose(w, codes, constants, weights)
    # What it has computed is lost in play-outs, where it may write anything into scratch columns.
    w.state[SCORED] = w.state[TOTALLED] = 0
    keep(w, f)
    return row


@compiled
def _add_placements(w: Columns, f: PlayoutColumns, row: int) -> int:
    """Add the fastest and the cheapest other placement that could start; returns the count."""
    slot, count, most = w.row_slot[row], 1, f.number[PLACEMENTS]
    fastest = cheapest = 0
    for other in range(w.job_first[slot], w.job_first[slot] + w.job_count[slot]):
        if other == row or not startable(w, other):
            continue
        if fastest == 0 or w.row_runtime[other] < w.row_runtime[fastest]:
            fastest = other
        if cheapest == 0 or w.row_dollars[other] < w.row_dollars[cheapest]:
            cheapest = other
    if fastest and most > 0:
        f.row[count] = fastest
        count += 1
    if cheapest and cheapest != fastest and most > 1:
        f.row[count] = cheapest
        count += 1
    return count


@compiled
def _draw(w: Columns, f: PlayoutColumns, future: int) -> None:
    """Write the jobs that will come, and when what runs will end.

    A job is written when it enters; that the world is rewound afterwards leaves it written.
    """
    now, arrivals = w.figure[NOW], len(f.arrival_gap)
    time, first = now - f.weight[ELAPSED], w.count[SLOTS_USED]
    for slot in range(1, first):
        f.slot_ratio[slot] = f.future_ratio[future, slot]
    f.number[FIRST_SLOT] = first
    for index in range(f.number[LENGTH]):
        arrival = (f.future_start[future] + index) % arrivals
        time = max(time + f.arrival_gap[arrival], now)
        _write(w, f, arrival, time, _FIRST_ID + index)
        f.slot_time[index], f.slot_ratio[first + index] = time, f.arrival_ratio[arrival]
    for index in range(f.number[RUNNING_AT_FIRST]):
        f.end_time[index] = f.future_end[future, index]
        f.ending[index] = f.future_attempt[future, index]


@compiled
def _write(w: Columns, f: PlayoutColumns, arrival: int, time: float, job: int) -> None:
    f.enter_numbers[ID], f.enter_numbers[SUBMITTED] = job, time
    f.enter_numbers[PRIORITY] = f.arrival_priority[arrival]
    f.enter_numbers[DEADLINE] = time + f.arrival_slack[arrival]
    f.enter_numbers[PREFERENCE] = f.arrival_preference[arrival]
    first = f.arrival_first[arrival]
    last = first + f.arrival_count[arrival]
    for figure in range(3):
        for row in range(first, last):
            f.enter_figures[figure, row - first] = f.arrival_figures[figure, row]
    slot = enter(w, f.enter_numbers, f.arrival_shape[first:last], f.enter_figures)
    if f.arrival_project[arrival] < w.count[PROJECTS_USED]:
        w.job_project[slot] = f.arrival_project[arrival]
