"""Decision points: where a learner is asked, because more than one row may be chosen."""

from __future__ import annotations

from scheduler.compilation.functions import compiled, entry_point
from scheduler.decisions.kernel.choices import take
from scheduler.decisions.kernel.columns import FORCED, MAY_WAIT, OVER, SHOWN, TABLE_ROWS, Columns
from scheduler.decisions.kernel.learned.choice import may_wait
from scheduler.decisions.kernel.learned.encoding import encode
from scheduler.decisions.kernel.rules.allowed import forced_row, free_to_choose
from scheduler.decisions.kernel.rules.precedence import preceding
from scheduler.decisions.kernel.rules.turns import candidate_rows


@entry_point
def next_decision(w: Columns, limit: int, preference: float, waiting: int) -> int:
    """Go on with a round to its next real choice; returns the number of rows shown, 0 at its end.

    Rows that the mode forces are taken, and so is the only legal row of a table; `FORCED` counts
    them. The encoding of the choice is left in the world; `MAY_WAIT` says whether WAIT is legal
    under the rule `waiting`.
    """
    while not w.state[OVER]:
        if not free_to_choose(w):
            row = forced_row(w)
            if row == 0:
                break
            _take_forced(w, row)
            continue
        count = candidate_rows(w, w.table_row)
        if count == 1:
            break
        w.count[TABLE_ROWS] = count
        encode(w, count, min(limit, len(w.shown)), preference)
        w.state[MAY_WAIT] = may_wait(w, waiting)
        if w.count[SHOWN] > 2 or w.state[MAY_WAIT]:
            return int(w.count[SHOWN])
        _take_forced(w, w.table_row[1])
    w.state[OVER] = 1
    return 0


@compiled
def _take_forced(w: Columns, row: int) -> None:
    w.state[FORCED] += 1
    take(w, row)


@entry_point
def act(w: Columns, action: int) -> None:
    """Choose a shown row. Among jobs that are alike the most urgent is taken, as in the service."""
    take(w, preceding(w, w.table_row[w.shown[action]], True))
