"""The guard: whatever a policy does, jobs get decided and none starves."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from scheduler.decisions.candidates import Candidates
from scheduler.decisions.policy import Policy
from scheduler.decisions.queue import WAIT, Floats

_log = logging.getLogger(__name__)

_Figures = Callable[[Candidates], Floats]
_TOP = 1e300
"""Greater scores count as this one, so that age can still top them."""


@dataclass(slots=True)
class Guard:
    """A policy with a safety net.

    A policy that raises, or returns something else than (n,) numbers without NaN, is replaced by
    `fallback` for that decision, and counted. A job that has waited longer than `starvation_s`
    goes before all others, the longest-waiting first; with reservations it then starts for
    certain.
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
        scores = self._checked(self.policy.scores, self.fallback.scores, table)
        return self._lifted(table, scores)

    def costs(self, table: Candidates) -> Floats:
        """(n,) The policy's costs or the fallback's."""
        return self._checked(self.policy.costs, self.fallback.costs, table)

    def _checked(self, ask: _Figures, instead: _Figures, table: Candidates) -> Floats:
        try:
            figures = np.asarray(ask(table), dtype=np.float64)
        except Exception:
            # Whatever a plugged-in policy does, jobs must be scheduled.
            _log.exception("policy %s failed; %s decides", self.policy.name, self.fallback.name)
        else:
            if figures.shape == (len(table),) and not np.isnan(figures).any():
                return figures
            _log.error("policy %s gave unusable figures; %s decides", self.name, self.fallback.name)
        self.fallbacks += 1
        return instead(table)

    def _lifted(self, table: Candidates, scores: Floats) -> Floats:
        if not np.isfinite(self.starvation_s):
            return scores
        starving = table.wait > self.starvation_s
        starving[WAIT] = False
        if not starving.any():
            return scores
        lifted = np.minimum(scores, _TOP)
        top = float(lifted.max()) if np.isfinite(lifted.max()) else 0.0
        step = max(1.0, 2.0 * float(np.spacing(abs(top))))
        _, age = np.unique(table.wait[starving], return_inverse=True)
        lifted[starving] = top + step * (1.0 + age)
        return lifted
