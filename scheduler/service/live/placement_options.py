"""The placements of a job as decisions see them: what fits, counted and affordable."""

from __future__ import annotations

from collections.abc import Sequence

from scheduler.decisions.state.entries import EstimatedPlacement
from scheduler.domain.jobs import JobSpec
from scheduler.domain.pools import Pool
from scheduler.domain.units import money
from scheduler.estimates.options import PoolEstimate
from scheduler.service.hold_reasons import HoldReasons

GRAINS = 64
"""Parts of a node's memory that placements are counted in."""
SPREAD = 1.05
"""At preference 0 a job pays at most this many times its cheapest placement."""


def counted(
    spec: JobSpec, pools: Sequence[Pool], found: Sequence[PoolEstimate]
) -> list[EstimatedPlacement]:
    """The placements of a job for the queue, in the same order."""
    return [
        EstimatedPlacement(
            pool=one.pool,
            width=one.width,
            memory=_counted(spec.request.memory_bytes, pools[one.pool]),
            runtime_s=one.estimate.runtime_s,
            dollars=one.estimate.dollars,
            joules=one.estimate.joules,
        )
        for one in found
    ]


def worthwhile(found: Sequence[PoolEstimate], preference: float) -> Sequence[PoolEstimate]:
    """The placements whose price suits the preference p.

    Dollars ≤ 1.05 / (1 - p)⁴ × the cheapest: 1.05× at 0, 17× at ½, any at 1. A job that wants to
    be cheap waits for cheap devices; it does not take expensive ones because they are idle.
    """
    if preference >= 1:
        return found
    most = cheapest(found) * SPREAD / (1 - preference) ** 4
    return affordable(found, most)


def cheapest(found: Sequence[PoolEstimate]) -> float:
    """Dollars of the cheapest placement."""
    return min(one.estimate.dollars for one in found)


def affordable(found: Sequence[PoolEstimate], dollars: float) -> list[PoolEstimate]:
    """The placements that cost at most so many dollars."""
    return [one for one in found if one.estimate.dollars <= dollars]


def within_budget(
    found: Sequence[PoolEstimate], left: float
) -> Sequence[PoolEstimate] | HoldReasons:
    """The placements that what is left of a budget (dollars) pays for, or why none does."""
    return affordable(found, left) or HoldReasons(
        "budget",
        f"its cheapest placement costs {money(cheapest(found), up=True)} by estimate, "
        f"{money(left)} of its budget are left",
    )


def _counted(asked: int, pool: Pool) -> int:
    """What a placement counts for: nothing where memory is not limited, else 1/64ths of a node.

    A round looks at each distinct size once: ten thousand jobs with as many sizes would slow it.
    """
    if not pool.memory_per_node:
        return 0
    grain = -(-pool.memory_per_node // GRAINS)
    return max(asked, min(-(-asked // grain) * grain, pool.memory_per_node))
