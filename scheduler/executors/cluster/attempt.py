"""One attempt on one or several nodes: its parts, and what they say together."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from scheduler.executors.base import UNKNOWN, AttemptKey, Exited, Started, Unknown

STOP_GRACE_S = 5.0
"""For the other parts of an attempt of which one has failed."""
LAUNCH, CANCEL, PREEMPT = "launch", "cancel", "preempt"
"""Methods of agents; see `NodeAgent.call`."""
_LOST = "lost: "


@dataclass(slots=True)
class AttemptPart:
    """The part of an attempt on one node."""

    number: int
    node: str
    todo: deque[tuple[str, Mapping[str, Any]]] = field(default_factory=deque)
    """Calls to make to the node's agent, in order: method and arguments."""
    calling: bool = False
    """Whether the first of them is under way."""
    sent: bool = False
    """Whether one was ever made: the node may have heard of the attempt."""
    known: bool = False
    """Whether the node has it, as far as the node has said."""
    missing: bool = False
    """Whether the node has said that it does not."""
    pid: int | Unknown | None = UNKNOWN
    clock_offset_s: float | None = None
    """Of its node when the first event came: one attempt has one clock."""
    started: Started | None = None
    exited: Exited | None = None
    stopped: bool = False
    """Whether it was stopped because another part had failed."""

    @property
    def launching(self) -> bool:
        """Whether the node has yet to confirm the launch."""
        return bool(self.todo) and self.todo[0][0] == LAUNCH


class ClusterAttempt:
    """All or nothing: it runs when every part does, and ends when none is left.

    The first part that fails decides how it ended; the others are stopped then.
    """

    def __init__(self, key: AttemptKey) -> None:
        self.key = key
        self.ranks = tuple(AttemptPart(number, node) for number, node in enumerate(key.nodes))
        self.asked = False
        """Whether somebody waits in `alive` to hear which nodes know it."""
        self.first_started_at: float | None = None
        """Monotonic seconds at which the first part ran."""
        self.notice = ""
        """Why it was preempted, if the machine of one of its nodes will be taken away."""
        self.verdict = ""
        """Why all parts were stopped, if that was for no failure of a part."""
        self._told = False

    @property
    def running(self) -> Sequence[AttemptPart]:
        """The parts that have not ended."""
        return [rank for rank in self.ranks if rank.exited is None]

    def started(self, rank: AttemptPart, event: Started) -> Started | None:
        """Take in that a part runs; the event of the attempt once all do."""
        rank.started, rank.pid = event, event.pid
        if self.first_started_at is None:
            self.first_started_at = time.monotonic()
        found = [one.started for one in self.ranks if one.started is not None]
        if self._told or len(found) < len(self.ranks):
            return None
        self._told = True
        return replace(found[0], time=max(one.time for one in found))

    def exited(self, rank: AttemptPart, event: Exited) -> Exited | None:
        """Take in that a part has ended; the event of the attempt once all have."""
        rank.exited, rank.pid = event, None
        rank.todo.clear()
        if not event.success:
            for other in self.running:
                self.stop(other)
        ended = [one.exited for one in self.ranks if one.exited is not None]
        return self._merged(ended) if len(ended) == len(self.ranks) else None

    def late(self, limit_s: float) -> bool:
        """Whether some parts have run for so long without the others."""
        begun = self.first_started_at
        waits = begun is not None and time.monotonic() - begun > limit_s
        return waits and not self._told and not self.verdict and len(self.ranks) > 1

    def give_up_start(self, limit_s: float) -> None:
        """Stop all parts, because some do not start."""
        self.verdict = "; ".join(
            f"{self._name(rank)} did not start within {limit_s:g} s of the others"
            for rank in self.running
            if rank.started is None
        )
        for rank in self.running:
            self.stop(rank)

    def stop(self, rank: AttemptPart) -> None:
        """Let a part end because of another."""
        if not rank.stopped:
            rank.stopped = True
            arguments = {"attempt": self.key.attempt, "grace_s": STOP_GRACE_S}
            rank.todo.append((CANCEL, arguments))

    def _merged(self, ended: Sequence[Exited]) -> Exited:
        said = ended[0] if len(ended) == 1 else self._decisive(ended)
        if self.notice and said.preempted:
            said = replace(said, reason=self.notice)
        if len(ended) == 1:
            return said
        begun = [one.started_at for one in ended if one.started_at is not None]
        # Its devices were its own from when all parts ran until the last one ended.
        time_ = max(one.time for one in ended)
        return replace(said, time=time_, started_at=max(begun, default=None))

    def _decisive(self, ended: Sequence[Exited]) -> Exited:
        name = self.key.attempt
        if self.verdict:
            return Exited(name, 0.0, _LOST + self.verdict, success=False, lost=True)
        failed = [rank for rank in self.ranks if rank.exited and not rank.exited.success]
        if not failed:
            return ended[0]
        own = [rank for rank in failed if not _consequence(rank)] or failed
        first = min(own, key=_precedence)
        said = first.exited
        assert said is not None
        # The reason no longer says it in the words that everybody knows.
        retriable = said.retriable and said.reason != "time limit"
        return replace(said, reason=self._reason(first, said), retriable=retriable)

    def _reason(self, rank: AttemptPart, said: Exited) -> str:
        if said.reason in ("cancelled", "preempted"):
            return said.reason
        prefix = _LOST if said.lost else ""
        return f"{prefix}{self._name(rank)}: {said.reason.removeprefix(_LOST)}"

    def _name(self, rank: AttemptPart) -> str:
        return f"rank {rank.number} on {rank.node}"


def _consequence(rank: AttemptPart) -> bool:
    return rank.stopped and rank.exited is not None and rank.exited.reason == "cancelled"


def _precedence(rank: AttemptPart) -> tuple[bool, float]:
    """A machine's failure explains the failures of others' connections to it."""
    assert rank.exited is not None
    return not rank.exited.lost, rank.exited.time
