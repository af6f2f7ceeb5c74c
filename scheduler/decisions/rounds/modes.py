"""What happens when the chosen job does not fit."""

from __future__ import annotations

from enum import StrEnum

from scheduler.decisions.kernel.rules import allowed as rules


class Mode(StrEnum):
    """What happens when the chosen job does not fit."""

    NONE = "none"
    """It closes its pool for this round; the next round chooses again. No backfilling."""
    EASY = "easy"
    """It gets a reservation for this round; others may start if they do not delay it
    (Lifka 1995)."""
    COMMIT = "commit"
    """It keeps its pool closed until it has started, whatever arrives meanwhile."""
    COMMIT_EASY = "commit+easy"
    """It keeps its place until it has started; others may start if they do not delay it."""
    COMMIT_FCFS = "commit+fcfs"
    """It keeps its place; the oldest others may start that end before the start it was first
    promised. The rule of Zhang et al., "RLScheduler", SC 2020: for comparison only."""
    GREEDY = "greedy"
    """It cannot be chosen: only what fits now, or WAIT. But a job that can start nowhere now may be
    reserved as under EASY if it is wide, or starves (`Round.rescue`): narrow jobs would take each
    device that it needs as soon as it is free."""

    @property
    def code(self) -> int:
        """What compiled functions call it."""
        return _CODES[self]

    @property
    def keeps_promises(self) -> bool:
        """Whether a reservation outlives its round."""
        return rules.keeps_promises(self.code)


_CODES = {
    Mode.NONE: rules.NONE,
    Mode.EASY: rules.EASY,
    Mode.COMMIT: rules.COMMIT,
    Mode.COMMIT_EASY: rules.COMMIT_EASY,
    Mode.COMMIT_FCFS: rules.COMMIT_FCFS,
    Mode.GREEDY: rules.GREEDY,
}
