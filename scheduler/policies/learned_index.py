"""A learned index: a known policy's order of jobs, corrected by a small network.

Its formulas are in `scheduler.decisions.kernel.learned.job_index`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from scheduler.arrays import Floats
from scheduler.compilation.columns import Floats2D, Floats32, Ints
from scheduler.decisions.kernel import wgc
from scheduler.decisions.kernel.choosing import NUMBER, use_scorer
from scheduler.decisions.kernel.learned.job_features import CLUSTER_WIDTH, JOB_WIDTH
from scheduler.decisions.kernel.learned.job_index import (
    BY_WGC,
    LIMIT,
    describe_jobs,
    score_by_learned_index,
    size_of,
)
from scheduler.decisions.kernel.queue.orders import PRIORITY, SJBF
from scheduler.decisions.rounds.candidates import Candidates
from scheduler.decisions.rounds.criteria import Criterion
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.policy import Policy
from scheduler.decisions.rounds.scorer import Scorer, by_learned_index
from scheduler.decisions.state.entries import WAIT
from scheduler.decisions.state.world import World
from scheduler.domain.errors import InputError
from scheduler.policies.heuristics import TextbookHeuristic
from scheduler.policies.wgc import Wgc, costs_by_wgc

Base = TextbookHeuristic | Wgc


@dataclass(frozen=True, slots=True)
class LearnedIndex:
    """A `Policy` that puts a correction on the order of another one.

    `weights`: (`size_of(order, hidden)`,) see the kernel's formula; the first one is B. All zero
    but B: exactly the base. Raises `InputError` for weights that are no network, or no numbers.
    """

    base: Base
    weights: Floats32 = field(repr=False)
    name: str = "learned"
    mode: Mode | None = None
    """Reservation mode that it was trained for; None: any."""
    stable: bool = field(default=False, init=False)
    """Every placement changes the scores of all rows."""
    scorer: Scorer = field(init=False, repr=False, compare=False)
    """The same in compiled code."""

    def __post_init__(self) -> None:
        least = size_of(order_of(self.base), 0)
        unit = size_of(order_of(self.base), 1) - least
        units, rest = divmod(len(self.weights) - least, unit)
        if rest or units < 0:
            raise InputError(
                f"{len(self.weights)} weights are no network",
                {"weights": f"{least}, and {unit} for each hidden unit"},
            )
        if not np.isfinite(self.weights).all() or self.weights[LIMIT] < 0.0:
            raise InputError("some weights cannot be used", {"weights": "finite, B ≥ 0"})
        base = self.base
        if isinstance(base, Wgc):
            scorer = by_learned_index(BY_WGC, 0, base.constants.table(), self.weights)
        else:
            scorer = by_learned_index(base.order, base.placement, None, self.weights)
        object.__setattr__(self, "scorer", scorer)

    def scores(self, table: Candidates) -> Floats:
        """(n,) The index of the row's job; as the base scores jobs that wait for other devices."""
        world, scorer = table.world, self.scorer
        world.row_listed[:] = 0
        world.row_listed[table.rows] = 1
        self._use(world)
        score_by_learned_index(world.handle, order_of(self.base), scorer.constants, scorer.weights)
        scores = world.job_score.take(table.slot)
        if isinstance(self.base, Wgc):
            # A job that could start on one row must not be given another on which it never fits.
            scores[np.isinf(table.start_delay)] = -np.inf
            scores[WAIT] = wgc.PATIENCE
        else:
            scores[WAIT] = -np.inf
        return scores

    def costs(self, table: Candidates) -> Floats:
        """(n,) The base's costs: where a job starts."""
        self._use(table.world)
        if isinstance(self.base, Wgc):
            return costs_by_wgc(table, self.scorer)
        return self.base.costs(table)

    @property
    def criteria(self) -> Sequence[Criterion]:
        """What the order of the base looks at; the correction looks at the same and more."""
        return self.base.criteria

    def reasons(self, table: Candidates, chosen: int, rival: int) -> dict[str, float]:
        """What spoke for a choice: the base's index and the correction, less its best rival's."""
        rows = np.array([chosen, rival])
        if WAIT in rows:
            return {}
        lead = self.scores(table)[rows]
        bases, _ = self.describe(table.world, table.slot[rows])
        if not np.isfinite(lead).all() or not np.isfinite(bases).all():
            return {}
        if isinstance(self.base, Wgc) and bases.min() <= wgc.PATIENCE:
            return {}  # one of them holds out for other devices: their indices are not compared
        base = float(bases[0] - bases[1])
        return {"base": base, "correction": float(lead[0] - lead[1]) - base}

    def describe(self, world: World, slots: Ints) -> tuple[Floats, Floats2D]:
        """What the network sees of (n,) waiting jobs: (n,) bases and (n, job and cluster) columns.

        The base of a job that should wait by wgc's regret is at most `wgc.PATIENCE`.
        """
        self._use(world)
        scorer = self.scorer
        bases, found = np.empty(len(slots)), np.empty((len(slots), JOB_WIDTH + CLUSTER_WIDTH))
        describe_jobs(
            world.handle, order_of(self.base), scorer.constants, scorer.weights, slots, bases, found
        )
        return bases, found

    def _use(self, world: World) -> None:
        use_scorer(world.handle, int(self.scorer.codes[NUMBER]))


def on(base: Policy, weights: Floats32, name: str = "learned") -> LearnedIndex:
    """The policy with a correction of its order. Raises `InputError` as `correctable`."""
    return LearnedIndex(correctable(base), weights, name)


def correctable(policy: Policy) -> Base:
    """The policy, as one whose order can be corrected.

    Raises `InputError` for a policy without a compiled index, or one that orders by priority or
    places by wgc's price.
    """
    if isinstance(policy, Wgc):
        return policy
    if (
        isinstance(policy, TextbookHeuristic)
        and policy.price is None
        and policy.order not in (PRIORITY, SJBF)
    ):
        return policy
    raise InputError(
        f"no index can be learned on {policy.name!r}",
        {"base": "wgc, or a textbook order other than priority, without @wgc"},
    )


def order_of(base: Base) -> int:
    """The kernel's number of a base's order."""
    return BY_WGC if isinstance(base, Wgc) else base.order
