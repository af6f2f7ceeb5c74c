"""Whether a policy's scores decide anything: well-formed scores may still decide nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scheduler.arrays import Floats
from scheduler.decisions.rounds.candidates import Candidates
from scheduler.decisions.state.entries import WAIT


def ordered(scores: Floats) -> bool:
    """Whether the scores prefer any row: not the same infinity for all of them."""
    return bool(np.isfinite(scores).any() or scores.min() != scores.max())


@dataclass(slots=True)
class Idling:
    """Notices a policy that waits although nothing runs.

    No event would end such a wait. From then on every WAIT of the policy counts as indecision until
    it chooses a job again. Otherwise one job after another would run alone.
    """

    stuck: bool = False

    def sees(self, table: Candidates, scores: Floats) -> bool:
        """Whether these scores wait where the fallback should decide."""
        if int(np.argmax(scores)) != WAIT:
            self.stuck = False
        elif not self.stuck:
            alone = table.world.idle
            self.stuck = alone and bool(table.fits[1:].any())
        return self.stuck
