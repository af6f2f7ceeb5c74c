"""The settings of learning an index, in one value that is saved with the run."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from scheduler.arrays import Floats
from scheduler.compilation.columns import Floats32
from scheduler.decisions.kernel.learned.job_index import LIMIT, size_of
from scheduler.decisions.search.settings import SearchSettings


@dataclass(frozen=True, slots=True)
class IndexSettings:
    """What both ways of learning share. Equal settings give equal weights on the same machine."""

    base: str = "saf"
    """The policy whose order is corrected."""
    hidden: int = 32
    """Hidden units; 0: the correction is linear."""
    limit: float = 4.0
    """B: the largest correction; the base is on a logarithmic scale."""
    augment: bool = True
    """Whether training episodes vary in load, runtimes and widths."""
    seed: int = 0
    validation_workloads: int = 200
    histories: int = 12
    """Training episodes whose jobs futures are drawn from."""
    history_from: int = 1_000_000
    """Seed of the first of them: none is played."""

    def packed(self, order: int, weights: Floats | None) -> Floats32:
        """B and the other weights as the kernel reads them; those that are not given are 0."""
        values = np.zeros(size_of(order, self.hidden), dtype=np.float32)
        values[LIMIT] = self.limit
        if weights is not None:
            values[LIMIT + 1 : LIMIT + 1 + len(weights)] = weights
        return values


def _all_futures() -> SearchSettings:
    # No candidate is ever dropped; a file of settings cannot hold infinity.
    return SearchSettings(futures=8, patience=1e9)


@dataclass(frozen=True, slots=True)
class DistillationSettings:
    """Search and distillation (expert iteration: Anthony, Tian, Barber, NeurIPS 2017)."""

    rounds: int = 2
    """In the first the base plays, in the others what was learned until then. A run may go on with
    more of them."""
    episodes: int = 40
    """Of each round."""
    share: float = 0.3
    """Share of the choices that are searched."""
    search: SearchSettings = field(default_factory=_all_futures)
    """All candidates are played in all futures: the values of bad ones teach, too."""
    improved_from: int = 2
    """The round, from 0, from which what was learned plays the futures out; before, the base does:
    several times faster."""
    members: int = 4
    """Networks that are learned apart, each from other random weights; their mean is kept, as one
    network. Single ones differ much: few choices hold most of what is to be gained."""
    tries_favourites: bool = False
    """Whether the jobs that are tried are the first ones by what was learned, not by the base. It
    shows what favourites cost that are far behind in the base's order."""
    epochs: int = 40
    batch: int = 64
    rate: float = 3e-3
    decay: float = 1e-4
    temperature: float = 0.3
    """Of the softmax over the candidates' indices."""
    clip: float = 1.5
    """Gains are within ± this, in units of their mean size."""


@dataclass(frozen=True, slots=True)
class EvolutionSettings:
    """CMA-ES (Hansen, Ostermeier, Evolutionary Computation 9(2), 2001)."""

    generations: int = 40
    """A run may go on with more of them."""
    population: int = 16
    episodes: int = 6
    """Of each generation; all candidates play the same ones."""
    sigma: float = 0.4
    """Standard deviation of the first candidates."""
    validate_every: int = 20
    """Generations."""
