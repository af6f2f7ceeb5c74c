"""The guard: whatever a policy does, jobs are decided and none starves."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import TypeVar

import numpy as np

from scheduler.arrays import Floats
from scheduler.decisions.rounds.candidates import Candidates
from scheduler.decisions.rounds.criteria import Criterion
from scheduler.decisions.rounds.policy import Comment, Policy, Reasons, traits
from scheduler.decisions.state.entries import WAIT
from scheduler.policies.indecision import Idling, ordered
from scheduler.policies.time_limit import LateError, TimedCall
from scheduler.policies.wrapped import Wrapped

_log = logging.getLogger(__name__)

_Answer = TypeVar("_Answer")
_Figures = Callable[[Candidates], Floats]
_TOP = 1e300
"""Greater scores count as this one, so that age can still top them."""


class Fault(StrEnum):
    """Why an answer of the policy did not count."""

    FAILED = "failed"
    """The policy raised."""
    INFEASIBLE = "infeasible"
    """Its answer ranks no row: not one number for each, or the same infinity for all."""
    NAN = "nan"
    """Its answer has a NaN."""
    SLOW = "slow"
    """It did not answer in time."""
    IDLE = "idle"
    """It waited although nothing ran and a job could start."""


@dataclass(slots=True)
class Guard(Wrapped):
    """A policy with a safety net.

    `fallback` decides in place of a policy that raises, takes longer than `limit_s`, or returns
    anything but (n,) numbers without NaN, and the fault is counted. It also does for a policy that
    decides nothing: one that scores all rows with the same infinity, or waits although nothing
    runs. While a late answer is still being computed, the fallback decides at once. An explanation
    that fails or is late is left out and counted too. A job that has waited longer than
    `starvation_s` goes before all others, the longest-waiting first. It is reserved if it does not
    fit, in every mode, so it is certain to start.

    With a finite `limit_s` only one thread at a time may call it. A policy with a compiled scorer
    has no such limit: what the kernel computes always ends.
    """

    policy: Policy
    fallback: Policy
    starvation_s: float = np.inf
    limit_s: float = np.inf
    faults: Counter[Fault] = field(default_factory=Counter)
    """Decisions that the fallback made and explanations that were left out, by reason."""
    _replaced: bool = field(init=False, default=False, repr=False)
    """Whether the last scores are the fallback's."""
    _aside: TimedCall | None = field(init=False, default=None, repr=False)
    _idling: Idling = field(init=False, default_factory=Idling, repr=False)

    def __post_init__(self) -> None:
        if np.isfinite(self.limit_s) and traits(self.policy).scorer is None:
            self._aside = TimedCall(self.limit_s)

    @property
    def fallbacks(self) -> int:
        """Number of all faults."""
        return self.faults.total()

    def scores(self, table: Candidates) -> Floats:
        """(n,) The policy's scores or the fallback's; starving jobs above all."""
        before = self.fallbacks
        scores = self._checked(self.policy.scores, self.fallback.scores, table)
        if self.fallbacks == before:
            fault = None if ordered(scores) else Fault.INFEASIBLE
            if fault is None and self._idling.sees(table, scores):
                fault = Fault.IDLE
            if fault is not None:
                scores = self._instead(fault, self.fallback.scores, table)
        self._replaced = self.fallbacks > before
        return self._lifted(table, scores)

    def costs(self, table: Candidates) -> Floats:
        """(n,) The policy's costs or the fallback's."""
        return self._checked(self.policy.costs, self.fallback.costs, table)

    def reasons(self, table: Candidates, chosen: int, rival: int) -> Mapping[str, float]:
        """The policy's reasons for its last choice; empty if it has none or did not decide."""
        reasons = traits(self.policy).reasons
        if reasons is None or self._replaced or table.wait[chosen] > self.starvation_s:
            return {}
        try:
            return self._asked(partial(_evaluated, reasons, chosen, rival), table)
        except LateError:
            fault = Fault.SLOW
            _log.error("policy %s: reasons %s; none are kept", self.name, fault)
        except Exception:
            # An explanation must not cost the decision.
            _log.exception("policy %s cannot give its reasons", self.name)
            fault = Fault.FAILED
        self.faults[fault] += 1
        return {}

    @property
    def criteria(self) -> Sequence[Criterion]:
        """Those of the policy that has made the last choice."""
        return traits(self.fallback if self._replaced else self.policy).criteria

    @property
    def comment(self) -> Comment | None:
        """The policy's, if it has made the last choice."""
        return None if self._replaced else traits(self.policy).comment

    def _asked(self, ask: Callable[[Candidates], _Answer], table: Candidates) -> _Answer:
        """Return or raise what `ask` does; raise `LateError` after the limit."""
        if self._aside is None:
            return ask(table)
        # A late call runs on, while the round goes on in the table's own world.
        return self._aside.call(partial(ask, table.apart()))

    def _checked(self, ask: _Figures, instead: _Figures, table: Candidates) -> Floats:
        try:
            figures = np.asarray(self._asked(ask, table), dtype=np.float64)
        except LateError:
            fault = Fault.SLOW
        except Exception:
            # Whatever a plugged-in policy does, jobs must be scheduled.
            _log.exception("policy %s failed; %s decides", self.policy.name, self.fallback.name)
            fault = Fault.FAILED
        else:
            if figures.shape == (len(table),) and not np.isnan(figures).any():
                return figures
            fault = Fault.NAN if figures.shape == (len(table),) else Fault.INFEASIBLE
        return self._instead(fault, instead, table)

    def _instead(self, fault: Fault, ask: _Figures, table: Candidates) -> Floats:
        """The fallback's figures; the fault is counted."""
        if fault is not Fault.FAILED:
            _log.error("policy %s: answer %s; %s decides", self.name, fault, self.fallback.name)
        self.faults[fault] += 1
        return ask(table)

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


def _evaluated(reasons: Reasons, chosen: int, rival: int, table: Candidates) -> dict[str, float]:
    """Reasons as a plain mapping, so that none is computed later, outside the limit."""
    return {name: float(did) for name, did in reasons(table, chosen, rival).items()}
