"""The learned policy, the same in the simulation and in the service.

The decision kernel evaluates it; nothing that training needs is needed here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from agents.serving.attribution import ablate
from agents.serving.network import NetworkWeights
from scheduler.arrays import Floats
from scheduler.decisions.features.encoder import Encoding, WaitingRule, encoding_of, may_wait
from scheduler.decisions.kernel.columns import SHOWN
from scheduler.decisions.kernel.learned import choice
from scheduler.decisions.rounds.candidates import Candidates
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.scorer import Scorer, by_network
from scheduler.decisions.state.entries import WAIT
from scheduler.decisions.state.world import World
from scheduler.policies.learned_index import LearnedIndex

SCHEME = "learned"
"""`learned:NAME` names a registered policy; on a command line, `learned:PATH` names an artifact.
The service opens no path (`agents.registry.registry`)."""


@dataclass(frozen=True, slots=True)
class LearnedPolicy:
    """A `Policy` that scores candidates by a network.

    It scores at most K rows of a table, which `scheduler.decisions.kernel.learned.selection`
    selects as in training. Each placement lets other rows move up, because the table is encoded
    again.
    """

    network: NetworkWeights
    rows: int
    """K, the number of rows, as in training."""
    mode: Mode = Mode.EASY
    """Reservation mode of the training; WAIT is a choice if it was one in training."""
    name: str = SCHEME
    preference: float | None = None
    """Preference to encode; None: the median over the jobs that wait. A job that names none has the
    cluster's."""
    waiting: WaitingRule = WaitingRule.BESIDE_BEST
    """When WAIT was legal in training."""
    stable: bool = field(default=False, init=False)
    """Every placement changes the scores of all rows."""
    heeds_urgency: bool = field(default=True, init=False)
    """Urgent jobs go first, whatever the network has learned."""
    scorer: Scorer = field(init=False, repr=False, compare=False)
    """The same in compiled code."""

    def __post_init__(self) -> None:
        constants = np.zeros((choice.CONSTANTS, 1))
        constants[choice.SHOWN_LIMIT] = self.rows
        constants[choice.PREFERENCE] = np.nan if self.preference is None else self.preference
        constants[choice.HIDDEN], constants[choice.WAITING] = self.network.hidden, self.waiting.code
        object.__setattr__(self, "scorer", by_network(constants, self.network.values))

    def scores(self, table: Candidates) -> Floats:
        """(n,) Scores of the network; -inf for rows that it does not see, and an illegal WAIT."""
        world = self._see(table)
        choice.score(world.handle, self.scorer.constants, self.scorer.weights)
        shown = int(world.count[SHOWN])
        scores = np.full(len(table), -np.inf)
        scores[world.shown[:shown]] = world.shown_score[:shown]
        scores[WAIT] = (
            choice.wait_score(world.shown_score, shown)
            if may_wait(table, self.waiting)
            else -np.inf
        )
        return scores

    def reasons(self, table: Candidates, chosen: int, rival: int) -> dict[str, float]:
        """Column → its effect on the lead over the rival; see `agents.serving.attribution`."""
        encoding = self.encode(table)
        at = {int(row): place for place, row in enumerate(encoding.positions)}
        if chosen not in at or rival not in at:
            return {}
        return ablate(self.network.scores, encoding, self.rows, at[chosen], at[rival])

    def costs(self, table: Candidates) -> Floats:
        """(n,) Dollars; they decide between equal scores."""
        return table.dollars

    def encode(self, table: Candidates) -> Encoding:
        """The table as the network sees it."""
        return encoding_of(self._see(table), self.rows)

    def _see(self, table: Candidates) -> World:
        world, count = table.world, len(table)
        world.reserve_shown(self.rows)
        world.table_row[:count] = table.rows
        choice.see(world.handle, count, self.scorer.constants)
        return world


def learned(path: str | Path, name: str | None = None) -> LearnedPolicy | LearnedIndex:
    """The policy of an artifact, called `name` (None: `learned:PATH`).

    Raises `MissingError` or `InputError` as `agents.serving.artifact.load` does.
    """
    from agents.serving.artifact import load

    artifact = load(Path(path))
    manifest = artifact.manifest
    called = f"{SCHEME}:{path}" if name is None else name
    if manifest.base:
        return artifact.index(called)
    return LearnedPolicy(
        artifact.network(),
        manifest.rows,
        Mode(manifest.mode),
        called,
        waiting=WaitingRule(manifest.waiting),
    )
