"""How the parts of an attempt know of each other: signs of life, and one reason for the end."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from torch.distributed import DistError, Store  # type: ignore[attr-defined]  # exported by `*`

from scheduler.workloads.stop_signal import SIGNALS

SILENCE_S = 30.0
"""A part that gives no sign of life for so long is lost."""
TURN_S = 0.5
"""Between two signs of life."""
_CAUSE = "cause"
_STOPPED = tuple(128 + signum for signum in SIGNALS)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt of several processes did not come to a good end."""

    rank: int
    """Of the process that was the first to fail."""
    code: int
    """Exit code that says so."""
    result: Mapping[str, Any] = field(default_factory=dict)
    """`Outcome.result`."""

    @property
    def stopped(self) -> bool:
        """Whether it was asked to stop, rather than failed."""
        return self.code in _STOPPED

    @property
    def final(self) -> bool:
        """Whether another attempt would fail the same way, on any rank."""
        return self.result.get("retriable") is False


class Membership:
    """One part among the others, as far as the attempt's store tells.

    The parts agree on the first failure that one of them reports: what breaks afterwards, such as
    connections to a process that is gone, is a consequence. A thread of its own talks to the
    store, because nobody else may wait for a node that hangs.
    """

    def __init__(
        self, store: Store, part: int, firsts: Sequence[int], nodes: Sequence[str]
    ) -> None:
        """`firsts`: the first rank of each part; `nodes`: its node."""
        self._store = store
        self._part = part
        self._firsts = firsts
        self._nodes = nodes
        self._answered_at = time.monotonic()
        self._heard = [(0, self._answered_at)] * len(nodes)
        """Of each part: signs of life so far, and when the newest came; the first part knows."""
        self._own: Failure | None = None
        self._agreed: Failure | None = None
        self._leaving = False
        self._bell = threading.Event()
        self._thread = threading.Thread(target=self._run, name="membership", daemon=True)
        self._thread.start()

    @property
    def failure(self) -> Failure | None:
        """What all parts agree on, if one of them has failed."""
        if self._agreed is None and time.monotonic() - self._answered_at >= SILENCE_S:
            return self._lost(0, f"nothing was heard of it for {SILENCE_S:g} s")
        return self._agreed

    def report(self, failure: Failure) -> None:
        """This part has failed; `failure` tells whether that or another failure counts."""
        self._own = self._own or failure
        self._bell.set()

    def silent(self, limit_s: float) -> Failure | None:
        """The first part that has given no sign of life for `limit_s`; the first part knows."""
        now = time.monotonic()
        for part, (_, heard_at) in enumerate(self._heard):
            if self._part == 0 < part and now - heard_at >= limit_s:
                return self._lost(part, f"nothing was heard of it for {limit_s:g} s")
        return None

    def leave(self, limit_s: float | None = None) -> None:
        """This part has ended. The first part, where the store is, waits for the others.

        After `limit_s` it waits no longer, and for a part that is lost not at all.
        """
        self._leaving = True
        self._bell.set()
        self._thread.join(limit_s)

    def named(self, failure: Failure) -> Failure:
        """The same failure, naming the rank and its node."""
        part = sum(first <= failure.rank for first in self._firsts) - 1
        who = f"rank {failure.rank} on {self._nodes[part]}"
        error = failure.result.get("error", f"exit code {failure.code}")
        return replace(failure, result={**failure.result, "error": f"{who}: {error}"})

    def _run(self) -> None:
        try:
            while not self._turn():
                self._bell.wait(TURN_S)
                self._bell.clear()
        except DistError:
            self._agreed = self._agreed or self._lost(0, "its store does not answer any more")

    def _turn(self) -> bool:
        """Give a sign of life and look for those of others; whether nothing is left to do."""
        leaving = self._leaving
        self._store.add(f"alive-{self._part}", 1)
        if self._part == 0:
            self._listen()
        if self._own is not None and self._agreed is None:
            said = self._store.compare_set(_CAUSE, "", json.dumps(asdict(self._own)))
            self._agreed = Failure(**json.loads(said))
        elif self._agreed is None and self._store.check([_CAUSE]):
            self._agreed = Failure(**json.loads(self._store.get(_CAUSE)))
        self._answered_at = time.monotonic()
        if leaving:
            self._store.set(_left(self._part), "")
        return leaving and (self._part > 0 or all(map(self._gone, range(len(self._nodes)))))

    def _listen(self) -> None:
        for part, (count, _) in enumerate(self._heard):
            said = self._store.add(f"alive-{part}", 0)
            if said != count or self._store.check([_left(part)]):  # a part that left is not lost
                self._heard[part] = (said, time.monotonic())
        self._own = self._own or self.silent(SILENCE_S)

    def _gone(self, part: int) -> bool:
        silent_s = time.monotonic() - self._heard[part][1]
        return silent_s >= SILENCE_S or self._store.check([_left(part)])

    def _lost(self, part: int, why: str) -> Failure:
        who = f"rank {self._firsts[part]} on {self._nodes[part]}"
        return Failure(self._firsts[part], 1, {"error": f"{who} was lost: {why}"})


def _left(part: int) -> str:
    return f"left-{part}"
