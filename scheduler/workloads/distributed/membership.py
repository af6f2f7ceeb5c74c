"""How the parts of an attempt know of each other: signs of life, and one reason for the end."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from torch.distributed import DistError, Store  # type: ignore[attr-defined]  # exported by `*`

from scheduler.workloads.stop_signal import SIGNALS

SILENCE_S = 30.0
"""A part that gives no sign of life for so long is lost."""
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
    connections to a process that is gone, is a consequence.
    """

    def __init__(
        self, store: Store, part: int, firsts: Sequence[int], nodes: Sequence[str]
    ) -> None:
        """`firsts`: the first rank of each part; `nodes`: its node."""
        self._store = store
        self._part = part
        self._firsts = firsts
        self._nodes = nodes
        now = time.monotonic()
        self._heard = [(0, now)] * len(nodes)
        """Of each part: signs of life so far, and when the newest came."""

    def look(self) -> Failure | None:
        """Give a sign of life, look for those of the others; the failure that counts, if any."""
        try:
            self._store.add(f"alive-{self._part}", 1)
            if self._part == 0:
                self._listen()
            return self._agreed()
        except DistError:
            return self._lost(0, "its store does not answer any more")

    def claim(self, failure: Failure) -> Failure:
        """Report a failure; the one that all parts agree on."""
        try:
            said = self._store.compare_set(_CAUSE, "", json.dumps(asdict(failure)))
            return Failure(**json.loads(said))
        except DistError:
            return failure

    def lost(self, limit_s: float = SILENCE_S) -> Failure | None:
        """The first part that has given no sign of life for `limit_s`; only part 0 can tell."""
        now = time.monotonic()
        for part, (_, heard) in enumerate(self._heard):
            if self._part == 0 < part and now - heard >= limit_s:
                return self._lost(part, f"nothing was heard of it for {limit_s:g} s")
        return None

    def leave(self) -> None:
        """This part's processes have ended, and it needs the store no more."""
        with suppress(DistError):  # the first part is gone, and needs no word any more
            self._store.set(_left(self._part), "")

    def alone(self) -> bool:
        """Whether all other parts have left; for the first part."""
        return self._store.check([_left(part) for part in range(len(self._nodes))])

    def name(self, failure: Failure) -> Failure:
        """The same failure, naming the rank and its node."""
        part = sum(first <= failure.rank for first in self._firsts) - 1
        who = f"rank {failure.rank} on {self._nodes[part]}"
        error = failure.result.get("error", f"exit code {failure.code}")
        return replace(failure, result={**failure.result, "error": f"{who}: {error}"})

    def _listen(self) -> None:
        for part, (count, _) in enumerate(self._heard):
            said = self._store.add(f"alive-{part}", 0)
            if said != count or self._store.check([_left(part)]):
                self._heard[part] = (said, time.monotonic())
        if (lost := self.lost()) is not None:
            self.claim(lost)

    def _agreed(self) -> Failure | None:
        if not self._store.check([_CAUSE]):
            return None
        return Failure(**json.loads(self._store.get(_CAUSE)))

    def _lost(self, part: int, why: str) -> Failure:
        who = f"rank {self._firsts[part]} on {self._nodes[part]}"
        return Failure(self._firsts[part], 1, {"error": f"{who} was lost: {why}"})


def _left(part: int) -> str:
    return f"left-{part}"
