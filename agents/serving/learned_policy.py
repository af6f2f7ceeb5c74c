"""The learned policy, as it decides: in the simulation and in the service alike.

Serving needs NumPy and ONNX Runtime, and nothing of what trained the weights.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from agents.serving.attribution import ablate
from scheduler.decisions.features.columns import Floats32
from scheduler.decisions.features.encoder import Encoder, may_wait
from scheduler.decisions.rounds.candidates import Candidates
from scheduler.decisions.rounds.round import Mode
from scheduler.decisions.state.queue import WAIT, Floats

SCHEME = "learned"
"""`learned:NAME` names a registered policy; on a command line, `learned:PATH` the artifact at PATH.
The service opens no path (`agents.registry.registry`)."""

Score = Callable[[Floats32], Floats32]
"""(size,) encoding → (K,) scores, (B, size) → (B, K). No state."""


@dataclass(slots=True)
class LearnedPolicy:
    """Scores of a network as a `Policy`.

    Of a long table the first K rows are scored, chosen as in training by
    `scheduler.decisions.features.row_selection`; the others are never taken before some of these,
    and
    move up then, as the table is encoded anew after each placement.
    """

    score: Score
    rows: int
    """K, as in training."""
    mode: Mode = Mode.EASY
    """Of the training: where WAIT was a choice in it, it is one now."""
    name: str = SCHEME
    preference: float | None = None
    """w; None: the median over the jobs that wait as the round begins. Jobs have preferences, a
    cluster has none of its own here; where no job names one, all have the cluster's and so does
    the median."""
    stable: bool = field(default=False, init=False)
    """Every placement changes the context that all rows are scored in."""
    heeds_urgency: bool = field(default=True, init=False)
    """A network may have learned anything; what urgency means is no matter of its weights."""
    _encoder: Encoder = field(init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        self._encoder = Encoder(self.rows)

    def scores(self, table: Candidates) -> Floats:
        """(n,) The network's; -inf for rows that are not shown, and for WAIT out of place."""
        # The encoder remembers what did not change since the last table; plans are made and
        # explained by several threads.
        with self._lock:
            encoding = self._encoder.encode(table, self._dial(table))
        scores = np.full(len(table), -np.inf)
        shown = encoding.positions
        scores[shown] = self.score(encoding.values)[: len(shown)]
        waits = may_wait(table, self.mode, encoding)
        scores[WAIT] = greedy_with_wait(scores) if waits else -np.inf
        return scores

    def reasons(self, table: Candidates, chosen: int, rival: int) -> dict[str, float]:
        """What each column did for the row, against the rival; see `agents.serving.attribution`."""
        with self._lock:
            encoding = self._encoder.encode(table, self._dial(table))
        at = {int(row): place for place, row in enumerate(encoding.positions)}
        if chosen not in at or rival not in at:
            return {}
        return ablate(self.score, encoding, self.rows, at[chosen], at[rival])

    def costs(self, table: Candidates) -> Floats:
        """(n,) Dollars; only ever asked about equal scores."""
        return table.dollars

    def _dial(self, table: Candidates) -> float:
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
    """The score of WAIT, such that it is best only if waiting is likelier than acting.

    A network spreads what speaks for acting over several rows that are almost as good, and all
    that speaks for waiting on one: the likeliest single choice would be to wait where acting is
    likelier by far, again and again.
    """
    most = float(scores[1:].max())
    if not np.isfinite(most):
        return float(scores[WAIT])
    return float(scores[WAIT] - np.log(np.exp(scores[1:] - most).sum()))


def learned(path: str | Path, name: str | None = None) -> LearnedPolicy:
    """The policy of an artifact, called `name` (None: `learned:PATH`).

    Raises `NotFoundError` or `InvalidError` as `agents.serving.artifact.load` does.
    """
    from agents.serving.artifact import load

    artifact = load(Path(path))
    manifest = artifact.manifest
    called = f"{SCHEME}:{path}" if name is None else name
    return LearnedPolicy(artifact.session(), manifest.rows, Mode(manifest.mode), called)
