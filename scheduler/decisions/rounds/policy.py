"""What a policy is: a function from a candidate table to scores."""

from __future__ import annotations

from typing import Protocol

from scheduler.decisions.rounds.candidates import Candidates
from scheduler.decisions.state.queue import Floats


class Policy(Protocol):
    """Scores rows; the best row wins.

    Some have more: `mode`, the only one they were made for (`round.mode_of`), `reasons`
    (`explanation.Reasons`), and `heeds_urgency`: whether among jobs that are alike the most urgent
    takes the place, whatever their scores (`precedence`).

    Obligations: the same table gives the same scores; no score is NaN; the table is not changed;
    no I/O. WAIT (row 0) may win only if nothing else should start now.
    """

    @property
    def name(self) -> str:
        """As users write it."""

    @property
    def stable(self) -> bool:
        """Whether taking one row leaves the other rows' scores as they are.

        Then a round asks once instead of once per placement.
        """

    def scores(self, table: Candidates) -> Floats:
        """(n,) Higher is better; -inf: never."""

    def costs(self, table: Candidates) -> Floats:
        """(n,) Decides between equally scored rows of one job: the least wins."""
