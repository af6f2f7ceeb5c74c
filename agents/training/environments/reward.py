"""Rewards and critic's features relative to a baseline: one definition for one or many episodes.

All functions take numbers of one episode, or arrays with one number per episode.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from scheduler.arrays import Floats
from scheduler.decisions.kernel.queue.features import TOP

LOOKAHEAD = (32, 128, 512)
"""Rounds of the baseline ahead of now. Busy rounds come faster, so that no time scale is needed."""
CRITIC_FEATURES = 6 + len(LOOKAHEAD)
"""Numbers behind the encoding that only a critic sees, each in -TOP … TOP: see `critic_features`"""


@dataclass(frozen=True, slots=True)
class EpisodeState:
    """How far a policy is at an instant of an episode."""

    charged: ArrayLike
    """Objective that has accrued, and that is still to come of all that runs, by estimates."""
    to_come: ArrayLike
    """The second part of it."""
    waiting: ArrayLike
    """Jobs that wait."""
    ended: ArrayLike
    """Jobs that have ended."""


def potential(factor: ArrayLike, baseline: EpisodeState, to_come: ArrayLike) -> Floats:
    """Φ: what the baseline was charged until now, less what is to come of what runs here.

    `to_come`: the objective of it, by estimates. `factor`: reward per unit of the objective.
    """
    return np.multiply(factor, np.subtract(baseline.charged, to_come))


def relative_reward(reward: ArrayLike, before: ArrayLike, after: ArrayLike, limit: float) -> Floats:
    """A reward shaped by the potentials before and after the step, cut off at ± `limit`."""
    return np.clip(np.subtract(np.add(reward, after), before), -limit, limit)


def critic_features(
    state: EpisodeState,
    baseline: EpisodeState,
    total: ArrayLike,
    lookahead: ArrayLike,
    jobs: ArrayLike,
    scale: ArrayLike,
) -> Floats:
    """(…, CRITIC_FEATURES) of the policy and the baseline at the same instant of an episode.

    They are: the share of the jobs that have ended; jobs that wait under the baseline; how many
    more jobs wait, have ended, and how much more is to come of what runs than there (% of `scale`);
    what is left of the baseline's `total` charge (% of `scale`); and the jobs that will wait under
    the baseline (`lookahead`: (…, LOOKAHEAD)).
    """
    compared = np.stack(
        np.broadcast_arrays(
            baseline.waiting,
            np.subtract(state.waiting, baseline.waiting),
            np.subtract(state.ended, baseline.ended),
            100 * np.subtract(state.to_come, baseline.to_come) / scale,
            100 * np.subtract(total, baseline.charged) / scale,
        ),
        axis=-1,
    )
    ended = np.divide(state.ended, jobs)[..., np.newaxis]
    features = (ended, signed_log(compared), signed_log(lookahead))
    clipped: Floats = np.clip(np.concatenate(features, axis=-1), -TOP, TOP)
    return clipped


def signed_log(x: ArrayLike) -> Floats:
    """Logarithmic on both sides of 0."""
    logs: Floats = np.sign(x) * np.log1p(np.abs(x))
    return logs
