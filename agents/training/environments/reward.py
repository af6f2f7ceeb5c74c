"""Rewards and critic's features relative to a baseline."""

from __future__ import annotations

from collections.abc import Sequence
from math import copysign, log1p
from typing import NamedTuple

from scheduler.decisions.kernel.queue.features import TOP

LOOKAHEAD = (32, 128, 512)
"""Rounds of the baseline ahead of now. Busy rounds come faster, so that no time scale is needed."""
CRITIC_FEATURES = 6 + len(LOOKAHEAD)
"""Numbers behind the encoding that only a critic sees, each in -TOP … TOP: see `critic_features`"""


class EpisodeState(NamedTuple):
    """How far a policy is at an instant of an episode."""

    charged: float
    """Objective that has accrued, and that is still to come of all that runs, by estimates."""
    to_come: float
    """The second part of it."""
    waiting: float
    """Jobs that wait."""
    ended: float
    """Jobs that have ended."""


def potential(factor: float, baseline: EpisodeState, to_come: float) -> float:
    """Φ: what the baseline was charged until now, less what is to come of what runs here.

    `to_come`: the objective of it, by estimates. `factor`: reward per unit of the objective.
    """
    return factor * (baseline.charged - to_come)


def relative_reward(reward: float, before: float, after: float, limit: float) -> float:
    """A reward shaped by the potentials before and after the step, cut off at ± `limit`."""
    return min(max(reward + after - before, -limit), limit)


def critic_features(
    state: EpisodeState,
    baseline: EpisodeState,
    total: float,
    lookahead: Sequence[float],
    jobs: int,
    scale: float,
) -> list[float]:
    """`CRITIC_FEATURES` numbers of the policy and the baseline at the same instant of an episode.

    They are: the share of the jobs that have ended; jobs that wait under the baseline; how many
    more jobs wait, have ended, and how much more is to come of what runs than there (% of `scale`);
    what is left of the baseline's `total` charge (% of `scale`); and the jobs that will wait under
    the baseline (`lookahead`: `LOOKAHEAD`).
    """
    compared = (
        baseline.waiting,
        state.waiting - baseline.waiting,
        state.ended - baseline.ended,
        100 * (state.to_come - baseline.to_come) / scale,
        100 * (total - baseline.charged) / scale,
    )
    features = (state.ended / jobs, *map(_signed_log, compared), *map(_signed_log, lookahead))
    return [min(max(feature, -TOP), TOP) for feature in features]


def _signed_log(x: float) -> float:
    """Logarithmic on both sides of 0."""
    return copysign(log1p(abs(x)), x)
