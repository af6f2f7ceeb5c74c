"""The guard: whatever a policy does, jobs get decided and none starves."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

import numpy as np

from scheduler.decisions.candidates import Candidates
from scheduler.decisions.policy import Policy
from scheduler.decisions.queue import WAIT, Floats

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Guard:
    """A policy with a safety net.

    A policy that raises, or returns scores of the wrong shape or NaN, is replaced by `fallback`
    for that decision, and counted. A job that has waited longer than `starvation_s` goes before
    all others, the longest-waiting first; with reservations it then starts for certain.
    """

    policy: Policy
    fallback: Policy
    starvation_s: float = np.inf
    fallbacks: int = field(default=0)
    """Decisions that the fallback made."""

    @property
    def name(self) -> str:
        """The guarded policy's name."""
        return self.policy.name

    @property
    def stable(self) -> bool:
        """As the guarded policy; overtaking by age does not change inside a round."""
        return self.policy.stable

    def scores(self, table: Candidates) -> Floats:
        """(n,) The policy's scores or the fallback's; starving jobs above all."""
        return self._lifted(table, self._checked(table))

    def costs(self, table: Candidates) -> Floats:
        """(n,) The guarded policy's."""
        return self.policy.costs(table)

    def _checked(self, table: Candidates) -> Floats:
        try:
            scores = self.policy.scores(table)
        except Exception:
            # Whatever a plugged-in policy does, jobs must be scheduled.
            _log.exception("policy %s failed; %s decides", self.policy.name, self.fallback.name)
        else:
            if scores.shape == (len(table),) and not np.isnan(scores).any():
                return scores
            _log.error("policy %s gave unusable scores; %s decides", self.name, self.fallback.name)
        self.fallbacks += 1
        return self.fallback.scores(table)

    def _lifted(self, table: Candidates, scores: Floats) -> Floats:
        if not np.isfinite(self.starvation_s):
            return scores
        starving = table.wait > self.starvation_s
        starving[WAIT] = False
        if not starving.any():
            return scores
        finite = scores[np.isfinite(scores)]
        top = float(finite.max()) if len(finite) else 0.0
        age = table.wait[starving] / table.wait[starving].max()
        lifted = scores.copy()
        lifted[starving] = np.nextafter(top + 1.0, np.inf) + (abs(top) + 1.0) * age
        return lifted
