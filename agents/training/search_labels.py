"""What play-outs say of the candidates of many choices, for networks that learn these values.

Most choices are near ties, so a network learns little from which candidate was best; it learns from
how much each one saves. Any policy may play, and the search labels what it meets (DAgger: Ross,
Gordon, Bagnell, AISTATS 2011).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np

from envs.clock import CompiledSimulation
from scheduler.arrays import Floats, Ints
from scheduler.compilation.columns import Floats32, Floats32x2D
from scheduler.decisions.features.encoder import encode
from scheduler.decisions.rounds.candidates import Candidates
from scheduler.decisions.rounds.policy import Policy
from scheduler.decisions.rounds.run import decide
from scheduler.decisions.search.result import SearchResult
from scheduler.policies.search import SearchedPolicy
from scheduler.policies.wrapped import Wrapped


@dataclass(frozen=True, slots=True)
class SearchLabels:
    """n choices between at most K rows, the first of which is WAIT."""

    observations: Floats32x2D
    """(n, size(K)) The tables as `scheduler.decisions.features.encoder` encodes them."""
    gains: Floats32x2D
    """(n, K) What each row saves against the searched policy's own choice: the mean over the
    futures, in units of the objective. NaN for rows that were not tried."""
    errors: Floats32x2D
    """(n, K) Standard errors of these means: the futures are the same for all rows."""
    own: Ints
    """(n,) The row of the searched policy's own choice."""

    def advantages(self, limit: float) -> Floats32x2D:
        """(n, K) Gains in units of their mean size, within ±`limit`; NaN where they are."""
        sizes = np.abs(self.gains[self.gains != 0.0])
        unit = float(np.nanmean(sizes)) if np.isfinite(sizes).any() else 1.0
        advantages: Floats32x2D = np.clip(self.gains / np.float32(unit), -limit, limit)
        return advantages

    @classmethod
    def of(cls, parts: Iterable[SearchLabels]) -> SearchLabels:
        """The parts in order; at least one part."""
        parts = tuple(parts)
        return cls(
            *(np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(cls))
        )

    def save(self, file: Path) -> None:
        """Write all choices."""
        np.savez_compressed(file, **{each.name: getattr(self, each.name) for each in fields(self)})

    @classmethod
    def load(cls, file: Path) -> SearchLabels:
        """The choices that `save` wrote."""
        with np.load(file, allow_pickle=False) as content:
            return cls(*(content[each.name] for each in fields(cls)))


def labelled(
    simulations: Iterable[CompiledSimulation],
    player: Policy,
    search: SearchedPolicy,
    *,
    rows: int = 64,
    preference: float = 0.5,
    share: float = 1.0,
    seed: int = 0,
) -> SearchLabels:
    """Let `player` play new simulations to their ends, while `search` labels its choices.

    `rows`: K; `preference`: the cluster's, which is encoded; `share`: of the choices that are
    labelled, drawn by `seed`. Choices whose candidates are not shown are left out. Raises
    `ValueError` if no choice is left.
    """
    labelling = _Labelling(player, search, rows, preference, share, np.random.default_rng(seed))
    for simulation in simulations:
        while (round_ := simulation.next()) is not None:
            simulation.commit(decide(round_, labelling))
    if not labelling.kept:
        raise ValueError("there is no choice to label: no table had two candidates")
    observations, gains, errors, own = zip(*labelling.kept, strict=True)
    return SearchLabels(np.stack(observations), np.stack(gains), np.stack(errors), np.array(own))


@dataclass(slots=True)
class _Labelling(Wrapped):
    """Plays as a policy does, and keeps what a search says of each choice."""

    policy: Policy
    search: SearchedPolicy
    rows: int
    preference: float
    share: float
    draws: np.random.Generator
    kept: list[tuple[Floats32, Floats32, Floats32, int]] = field(default_factory=list)

    @property
    def scorer(self) -> None:
        """None, so that each choice is shown as a table."""

    @property
    def stable(self) -> bool:
        """False, for the same reason."""
        return False

    def scores(self, table: Candidates) -> Floats:
        """(n,) The player's scores."""
        if self.share >= 1.0 or self.draws.random() < self.share:
            found = self.search.search(table.world)
            if found is not None:
                self._keep(table, found)
        return self.policy.scores(table)

    def costs(self, table: Candidates) -> Floats:
        """(n,) The player's costs."""
        return self.policy.costs(table)

    def _keep(self, table: Candidates, found: SearchResult) -> None:
        encoding = encode(table, self.rows, self.preference)
        shown = {int(row): at for at, row in enumerate(table.rows[encoding.positions])}
        tried = [index for index, row in enumerate(found.rows.tolist()) if row in shown]
        if len(tried) < 2 or tried[0] != 0:
            return
        gains, errors = np.full((2, self.rows), np.nan, dtype=np.float32)
        at = [shown[int(found.rows[index])] for index in tried]
        gains[at], errors[at] = found.gains[tried], found.errors[tried]
        self.kept.append((encoding.values, gains, errors, at[0]))
