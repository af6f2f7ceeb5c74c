"""The learned policy, the same in the simulation and in the service.

It needs NumPy and ONNX Runtime, and nothing that training needs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from agents.serving.attribution import ablate
from scheduler.arrays import Floats, Floats32
from scheduler.decisions.features.encoder import Encoder, may_wait
from scheduler.decisions.rounds.candidates import Candidates
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.state.world import WAIT

SCHEME = "learned"
"""`learned:NAME` names a registered policy; on a command line, `learned:PATH` names an artifact.
The service opens no path (`agents.registry.registry`)."""

Score = Callable[[Floats32], Floats32]
"""(size,) encoding → (K,) scores, (B, size) → (B, K). No state."""


@dataclass(slots=True)
class LearnedPolicy:
    """A `Policy` that scores candidates by a network.

    It scores at most K rows of a table, which `scheduler.decisions.features.row_selection` selects
    as in training. Each placement lets other rows move up, because the table is encoded again.
    """

    score: Score
    rows: int
    """K, the number of rows, as in training."""
    mode: Mode = Mode.EASY
    """Reservation mode of the training; WAIT is a choice if it was one in training."""
    name: str = SCHEME
    preference: float | None = None
    """Preference to encode; None: the median over the jobs that wait. A job that names none has the
    cluster's."""
    stable: bool = field(default=False, init=False)
    """Every placement changes the scores of all rows."""
    heeds_urgency: bool = field(default=True, init=False)
    """Urgent jobs go first, whatever the network has learned."""
    _encoder: Encoder = field(init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        self._encoder = Encoder(self.rows)

    def scores(self, table: Candidates) -> Floats:
        """(n,) Scores of the network; -inf for rows that it does not see, and an illegal WAIT."""
        # The encoder reuses parts of the last table, and several threads make and explain plans.
        with self._lock:
            encoding = self._encoder.encode(table, self._preference(table))
        scores = np.full(len(table), -np.inf)
        shown = encoding.positions
        scores[shown] = self.score(encoding.values)[: len(shown)]
        waits = may_wait(table, self.mode, encoding)
        scores[WAIT] = greedy_with_wait(scores) if waits else -np.inf
        return scores

    def reasons(self, table: Candidates, chosen: int, rival: int) -> dict[str, float]:
        """Column → its effect on the lead over the rival; see `agents.serving.attribution`."""
        with self._lock:
            encoding = self._encoder.encode(table, self._preference(table))
        at = {int(row): place for place, row in enumerate(encoding.positions)}
        if chosen not in at or rival not in at:
            return {}
        return ablate(self.score, encoding, self.rows, at[chosen], at[rival])

    def costs(self, table: Candidates) -> Floats:
        """(n,) Dollars; they decide between equal scores."""
        return table.dollars

    def _preference(self, table: Candidates) -> float:
        if self.preference is not None:
            return self.preference
        queue = table.queue
        waits = queue.open.take(queue.first)
        waits[WAIT] = False
        if not waits.any():
            return 0.5
        # NumPy's median takes longer than all of this.
        sorted_ = np.sort(queue.preference[waits])
        middle = len(sorted_) // 2
        return float(sorted_[middle] + sorted_[~middle]) / 2


def greedy_with_wait(scores: Floats) -> float:
    """The score of WAIT that is best only if waiting is likelier than acting.

    The probability of acting is spread over several rows that are almost as good, that of waiting
    is in one row. So waiting can be the likeliest single choice although acting is far likelier.
    """
    most = float(scores[1:].max())
    if not np.isfinite(most):
        return float(scores[WAIT])
    return float(scores[WAIT] - np.log(np.exp(scores[1:] - most).sum()))


def learned(path: str | Path, name: str | None = None) -> LearnedPolicy:
    """The policy of an artifact, called `name` (None: `learned:PATH`).

    Raises `MissingError` or `InputError` as `agents.serving.artifact.load` does.
    """
    from agents.serving.artifact import load

    artifact = load(Path(path))
    manifest = artifact.manifest
    called = f"{SCHEME}:{path}" if name is None else name
    return LearnedPolicy(artifact.session(), manifest.rows, Mode(manifest.mode), called)
