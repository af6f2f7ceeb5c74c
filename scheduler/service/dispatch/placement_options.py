"""The placements of a job as decisions see them: what fits, counted and priced."""

from __future__ import annotations

from collections.abc import Sequence

from scheduler.decisions.state.queue import EstimatedPlacement
from scheduler.domain.jobs import JobSpec
from scheduler.domain.pools import Pool
from scheduler.estimates.estimator import Estimator
from scheduler.estimates.options import options

GRAINS = 64
"""Parts of a node's memory that placements are counted in."""
SPREAD = 1.05
"""At preference 0 a job pays at most this many times its cheapest placement."""


def priced(spec: JobSpec, pools: Sequence[Pool], estimator: Estimator) -> list[EstimatedPlacement]:
    """Every placement that could ever hold the job; raises `InfeasibleError` if none could."""
    return [
        EstimatedPlacement(
            pool=found.pool,
            width=found.width,
            memory=_counted(spec.request.memory_bytes, pools[found.pool]),
            runtime_s=found.estimate.runtime_s,
            dollars=found.estimate.dollars,
            joules=found.estimate.joules,
        )
        for found in options(spec, pools, estimator)
    ]


def worthwhile(
    found: Sequence[EstimatedPlacement], preference: float
) -> Sequence[EstimatedPlacement]:
    """The placements whose price is in keeping with the preference p.

    Dollars ≤ 1.05 / (1 - p)⁴ × the cheapest: 1.05× at 0, 17× at ½, any at 1. A job that wants to
    be cheap waits for cheap devices; it does not spill over to dear ones because they are idle.
    """
    if preference >= 1:
        return found
    most = min(option.dollars for option in found) * SPREAD / (1 - preference) ** 4
    return [option for option in found if option.dollars <= most]


def _counted(asked: int, pool: Pool) -> int:
    """What a placement counts for: nothing where memory is not limited, else 1/64ths of a node.

    Rounds look at each distinct size once, so ten thousand jobs with sizes all their own would
    make them slow.
    """
    if not pool.memory_per_node:
        return 0
    grain = -(-pool.memory_per_node // GRAINS)
    return max(asked, min(-(-asked // grain) * grain, pool.memory_per_node))
