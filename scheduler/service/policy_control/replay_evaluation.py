"""Fit to the cluster at hand: of a learned policy and wgc, that one decides which replays better.

Where a replay shows no difference, the one with the lower mean decides, and nobody claims more.
A replay runs beside the service, which decides meanwhile as it was told to.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any, Self

from scheduler.clock import Clock
from scheduler.domain.errors import FulcrumError, StateError
from scheduler.service.policy_control.replay import Question, Replay, ReplayVerdict

_log = logging.getLogger(__name__)

PAST_S = 7 * 86_400.0
"""How far back jobs are replayed."""
_JOIN_S = 0.2


class FitState(StrEnum):
    """How far a fit has come."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Fit:
    """One replay of two policies, and what came of it."""

    state: str
    """See `FitState`."""
    why: str
    """What it was made for: `start`, `pools`, `asked` or `shadow`."""
    nominee: str
    rival: str
    preference: float
    pools: str
    """Digest of the pools it holds for."""
    time: float
    """Unix seconds of its begin."""
    better: str | None = None
    """The one that is shown to be better; None: no difference is shown."""
    ahead: str | None = None
    """The one with the lower mean: it decides, as one of them must, if none is shown to be better.
    """
    verdict: ReplayVerdict | None = None
    error: str = ""

    def json(self) -> dict[str, Any]:
        """All fields, for the store."""
        return asdict(self)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Inverse of `json`; raises `InvalidError` or `TypeError` for anything else."""
        verdict = values.get("verdict")
        return cls(**{**values, "verdict": None if verdict is None else ReplayVerdict.of(verdict)})

    def sentence(self) -> str:
        """For the log."""
        if self.verdict is None:
            return f"{self.nominee} against {self.rival}: {self.state} {self.error}".rstrip()
        found = self.verdict
        interval = "" if found.low is None else f" [{found.low:+.1%}, {found.high:+.1%}]"
        return (
            f"{self.nominee} has {found.difference:+.1%}{interval} of {self.rival}'s objective at "
            f"preference {self.preference:g}, is better on {found.won} of "
            f"{found.windows} workloads ({found.about}): "
            + (f"{self.better} is better" if self.better else "no difference is shown")
        )


Told = Callable[[Fit], None]
"""What is done with a fit that has ended, in the replay's thread."""


class ReplayEvaluation:
    """One replay at a time, in a thread that waits for it. Thread-safe."""

    def __init__(self, replay: Replay, clock: Clock) -> None:
        self._replay = replay
        self._clock = clock
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._cancelled = threading.Event()

    def begin(self, question: Question, why: str, told: Told) -> Fit:
        """Start a replay and return; raises `StateError` while another is under way."""
        fit = Fit(
            FitState.RUNNING,
            why,
            question.nominee,
            question.rival,
            question.preference,
            digest(question.pools),
            self._clock.now(),
        )
        with self._lock:
            if self._thread is not None and self._thread.is_alive():
                raise StateError("a replay is under way", {"fit": "ask again when it has ended"})
            self._cancelled = cancelled = threading.Event()
            self._thread = threading.Thread(
                target=self._run, args=(fit, question, told, cancelled), name="fit", daemon=True
            )
            self._thread.start()
        return fit

    def stop(self) -> None:
        """Cancel what is under way, and wait until it has gone."""
        with self._lock:
            thread = self._thread
            self._cancelled.set()
        # Cancelling takes effect once the replay has its process; it may just be starting it.
        while thread is not None and thread.is_alive() and thread is not threading.current_thread():
            self._replay.cancel()
            thread.join(_JOIN_S)

    def _run(self, fit: Fit, question: Question, told: Told, cancelled: threading.Event) -> None:
        try:
            verdict = None if cancelled.is_set() else self._replay.run(question)
        except Exception as error:
            if not cancelled.is_set():
                reason = error.message if isinstance(error, FulcrumError) else repr(error)
                told(replace(fit, state=FitState.FAILED, error=reason))
                return
            verdict = None
        if verdict is None or cancelled.is_set():
            told(replace(fit, state=FitState.CANCELLED))
            return
        ahead = fit.nominee if verdict.nominee <= verdict.rival else fit.rival
        better = ahead if verdict.shown else None
        told(replace(fit, state=FitState.DONE, verdict=verdict, better=better, ahead=ahead))


def digest(pools: object) -> str:
    """12 hexadecimal digits of all figures of the pools."""
    return hashlib.sha256(repr(pools).encode()).hexdigest()[:12]
