"""The service's end of one node: how far the talk with its agent is, and what state that is."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from scheduler.domain.nodes import NodeFacts, NodeState
from scheduler.executors.cluster.attempt import AttemptPart, ClusterAttempt
from scheduler.executors.silence import SilenceLimit

_NOISE_S = 0.05
"""Clocks that differ by less are taken for equal: so exactly nobody measures it."""


class TalkStage(StrEnum):
    """How far the talk with an agent is."""

    ABSENT = "absent"
    """The agent has to be asked to serve this service."""
    ATTENDED = "attended"
    """It has to be told which attempts are known, and asked what became of them."""
    OPEN = "open"
    """It takes launches."""


@dataclass(slots=True)
class NodeLink:
    """One node as the executor sees it."""

    name: str
    unreachable: SilenceLimit
    lost: SilenceLimit
    facts: NodeFacts
    """As told to the service last."""
    seen: bool = False
    """Whether the transport lists it."""
    problem: str = ""
    """Why its agent does not start."""
    stage: TalkStage = TalkStage.ABSENT
    asking: bool = False
    """Whether a call that leads to the next stage is under way."""
    polling: bool = False
    again_at: float = 0.0
    """Monotonic seconds before which nothing is called, after a failure."""
    after: int = 0
    """The last event that was taken in."""
    warm: bool = False
    refused: str = ""
    """Why its agent does not serve this service."""
    heard_at: float = field(default_factory=time.time)
    """Unix seconds of the service's clock; at first, since when it is waited for."""
    ever_heard: bool = False
    given_up: bool = False
    """Whether its attempts were given up since it was last heard."""
    health: tuple[str, ...] = ()
    clock_offset_s: float = 0.0
    ranks: dict[str, tuple[ClusterAttempt, AttemptPart]] = field(default_factory=dict)
    """By attempt: the parts here that have not ended."""
    busy: dict[str, AttemptPart] = field(default_factory=dict)
    """Those with calls to make."""

    @property
    def awaited(self) -> bool:
        """Whether it may soon say what runs there."""
        return self.stage is not TalkStage.OPEN and not self.refused and not self.given_up

    def hear(self) -> None:
        """It has answered."""
        self.renew()
        self.heard_at, self.ever_heard = time.time(), True
        if self.given_up:
            self.given_up = False
            if self.stage is TalkStage.OPEN:  # what was given up is stopped before anything starts
                self.stage = TalkStage.ATTENDED

    def renew(self) -> None:
        """Silence counts from now on."""
        self.unreachable.renew()
        self.lost.renew()

    def attended(self, facts: NodeFacts, now: float, sent_at: float) -> None:
        """Its agent serves this service; `now` is its clock's time."""
        self.clock_offset_s = -math.inf
        self.clock_says(now, sent_at)
        self.facts = replace(
            facts,
            name=self.name,
            state=self.facts.state,
            since=self.facts.since,
            reason=self.facts.reason,
            engine_id=self.facts.engine_id,
        )
        self.stage, self.after, self.refused = TalkStage.ATTENDED, 0, ""

    def clock_says(self, now: float, sent_at: float) -> None:
        """Its clock's time, in an answer just received to a call of `sent_at`.

        The offset is at least what shows now, and no more than if the answer had taken no time.
        """
        least, most = now - time.time(), now - sent_at
        if not least <= self.clock_offset_s <= most:
            self.clock_offset_s = least

    def offset_of(self, rank: AttemptPart) -> float:
        """Seconds by which times of the part's events are ahead of the service's clock."""
        if rank.clock_offset_s is None:
            noise = abs(self.clock_offset_s) < _NOISE_S
            rank.clock_offset_s = 0.0 if noise else self.clock_offset_s
        return rank.clock_offset_s

    def refresh(self, digest: str, disconnected: str, engine_ids: Mapping[str, str]) -> bool:
        """Bring `facts` up to date; whether anything that matters has changed."""
        state, reason = self._state(digest, disconnected)
        engine_id = engine_ids.get(self.name, self.facts.engine_id)
        offset_s = 0.0 if abs(self.clock_offset_s) < _NOISE_S else round(self.clock_offset_s, 1)
        since = self.facts.since if state == self.facts.state else time.time()
        before = self.facts
        self.facts = replace(
            before,
            state=state,
            reason=reason,
            since=since,
            engine_id=engine_id,
            clock_offset_s=offset_s,
        )
        return self.facts != before

    def _state(self, digest: str, disconnected: str) -> tuple[NodeState, str]:
        """The first that holds."""
        silent = "it does not answer" if self.ever_heard else "it was not heard yet"
        given_up = f"it was not heard for {self.lost.limit_s:g} s"
        waits = not self.ever_heard and self.seen
        other = "" if self.facts.digest == digest else "its Fulcrum is of other code"
        ready = self.stage is TalkStage.OPEN and self.warm
        cases = (
            (self.given_up, NodeState.DOWN, self.problem or given_up),
            (bool(disconnected), NodeState.UNREACHABLE, disconnected),
            (waits, NodeState.BOOTING, self.problem or silent),
            (not self.ever_heard, NodeState.UNREACHABLE, self.problem or silent),
            (self.unreachable.exhausted(), NodeState.UNREACHABLE, self.problem or silent),
            (bool(self.refused or other), NodeState.DRAINING, self.refused or other),
            (not ready, NodeState.BOOTING, "it is getting ready"),
            (True, NodeState.UP, ""),
        )
        return next((state, reason) for holds, state, reason in cases if holds)
