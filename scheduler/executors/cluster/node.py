"""The service's end of one node: how far the talk with its agent is, and what state that is."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from scheduler.domain.errors import InputError
from scheduler.domain.nodes import LEFT, NOT_HEARD_YET, NodeFacts, NodeState
from scheduler.executors.base import Exited
from scheduler.executors.cluster.attempt import AttemptPart, ClusterAttempt
from scheduler.executors.cluster.base import NodeMembers
from scheduler.executors.elastic_nodes import ElasticNode
from scheduler.executors.silence import SilenceLimit

_NOISE_S = 0.05
"""Clocks that differ by less are taken for equal: so exactly nobody measures it."""
_DEPARTURE_S = 2.0
"""Attempts end so long before their machine is taken away."""
_BOOTS = "it was asked for and is not ready yet"
_WARMS = "it imports torch, so that jobs start at once"


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
    elastic: ElasticNode | None = None
    """If it is of an elastic pool, and it is known whether it is on."""
    unfit: str = ""
    """Why its machine is not one of its elastic pool."""
    leaving: str = ""
    """Why its machine will be taken away; empty: it is not known to be."""
    leaves_at: float | None = None
    """When, if that is known; Unix seconds."""
    left: bool = False
    """Whether it ended in order, and has not been heard since."""
    machine: int = 0
    """Counts machines of that name: what an earlier one says is not heard."""
    stage: TalkStage = TalkStage.ABSENT
    asking: bool = False
    """Whether a call that leads to the next stage is under way."""
    polling: bool = False
    again_at: float = 0.0
    """Monotonic seconds before which nothing is called, after a failure."""
    after: int = 0
    """The last event that was taken in."""
    warm: bool = False
    obstacle: str = ""
    """Why its agent can run no job now."""
    refused: str = ""
    """Why its agent does not serve this service."""
    heard_at: float = field(default_factory=time.time)
    """Unix seconds of the service's clock; at first, since when it is waited for."""
    ever_heard: bool = False
    tardy: bool = False
    """Whether somebody has waited for it in vain since it was last heard: nobody does again."""
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
        hopeless = self.refused or self.given_up or self.tardy or self.off
        return self.stage is not TalkStage.OPEN and not hopeless

    @property
    def off(self) -> bool:
        """Whether it is of an elastic pool, and no machine has its name."""
        return self.elastic is not None and not self.elastic.on

    @property
    def booting(self) -> bool:
        """Whether it is of an elastic pool, and a machine was asked for that is not ready yet."""
        return self.elastic is not None and self.elastic.booting

    @property
    def ready(self) -> bool:
        """Whether attempts would start on it at once."""
        fit = not (self.refused or self.unfit or self.obstacle)
        return self.seen and self.stage is TalkStage.OPEN and self.warm and fit

    def boot(self) -> None:
        """A machine was asked for; nothing is known of it yet."""
        self.machine += 1
        self.stage, self.ever_heard, self.given_up = TalkStage.ABSENT, False, False
        self.asking = self.polling = self.warm = self.seen = False
        self.refused = self.unfit = self.problem = self.leaving = self.obstacle = ""
        self.leaves_at, self.health, self.again_at = None, (), 0.0
        self.renew()

    def shut_down(self) -> None:
        """Its machine is released."""
        self.boot()
        self.forget_devices()

    def forget_devices(self) -> None:
        """What its machine has is not known."""
        assert self.elastic is not None
        pool, before = self.elastic.pool, self.facts
        off = pool.off(self.name, before.memory_bytes)
        self.facts = replace(
            off, state=before.state, since=before.since, reason=before.reason, digest=before.digest
        )

    def take_in(self, members: NodeMembers) -> None:
        """The transport has told which nodes there are."""
        if self.off:
            return
        self.seen = self.name in members.engine_ids
        self.problem = members.problems.get(self.name, "")
        self.left = self.left or self.name in members.left
        departure = members.leaving.get(self.name)
        self.leaving, self.leaves_at = "", None
        if departure is not None:
            self.leaving = f"its machine will be taken away: {departure.reason}"
            self.leaves_at = departure.at

    def hear(self) -> None:
        """It has answered."""
        self.renew()
        self.heard_at, self.ever_heard, self.tardy = time.time(), True, False
        self.left = False
        if self.given_up:
            self.given_up = False
            if self.stage is TalkStage.OPEN:  # what was given up is stopped before anything starts
                self.stage = TalkStage.ATTENDED

    def vacated(self) -> list[str]:
        """The attempts that must leave because the machine will be taken away; each once."""
        found = []
        for name, (attempt, _) in self.ranks.items() if self.leaving else ():
            if not attempt.notice:
                attempt.notice = f"node {self.name} is draining: {self.leaving}"
                found.append(name)
        return found

    def grace_s(self, most_s: float) -> float:
        """Seconds that attempts have to save their work before the machine is taken away."""
        left_s = math.inf if self.leaves_at is None else self.leaves_at - time.time()
        return min(most_s, max(1.0, left_s - _DEPARTURE_S))

    def lost_part(self, attempt: str, rank: AttemptPart, why: str) -> Exited:
        """How a part here ended of which nothing is known: when it was last heard of."""
        begun = None if rank.started is None else rank.started.time
        time_ = max(self.heard_at, begun or self.heard_at)
        return Exited(attempt, time_, f"lost: {why}", success=False, lost=True, started_at=begun)

    def renew(self) -> None:
        """Silence counts from now on."""
        self.unreachable.renew()
        self.lost.renew()

    def attended(self, facts: NodeFacts, now: float, sent_at: float) -> None:
        """Its agent serves this service; `now` is its clock's time."""
        self.clock_offset_s = -math.inf
        self.clock_says(now, sent_at)
        if self.elastic is not None:
            try:
                facts = self.elastic.pool.on(facts)
            except InputError as error:
                self.unfit = error.message
        self.facts = replace(
            facts,
            name=self.name,
            state=self.facts.state,
            since=self.facts.since,
            reason=self.facts.reason,
            engine_id=self.facts.engine_id,
        )
        self.stage, self.after, self.refused = TalkStage.ATTENDED, 0, ""
        self.warm = False  # its next poll tells

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
        engine_id = "" if self.off else engine_ids.get(self.name, self.facts.engine_id)
        if self.booting and self.stage is not TalkStage.ABSENT and self.facts.digest != digest:
            self.unfit = reason
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
        silent = "it does not answer" if self.ever_heard else NOT_HEARD_YET
        given_up = f"it was not heard for {self.lost.limit_s:g} s"
        if self.left:
            given_up = LEFT if not self.seen else "it has joined again and was not heard yet"
        waits = not self.ever_heard and self.seen
        other = "" if self.facts.digest == digest else "its Fulcrum is of other code"
        ready = self.stage is TalkStage.OPEN and self.warm
        elastic = self.elastic
        rests = elastic is not None and elastic.rests_until > time.monotonic()
        why = "" if elastic is None else elastic.reason
        attended = self.stage is not TalkStage.ABSENT
        other = other or self.obstacle
        boots = self.problem or self.refused or (other if attended else "") or _BOOTS
        cases = (
            (self.off and rests, NodeState.DOWN, why),
            (self.off and bool(disconnected), NodeState.DOWN, disconnected),
            (self.off, NodeState.OFF, why),
            (self.given_up, NodeState.DOWN, self.problem or given_up),
            (bool(disconnected), NodeState.UNREACHABLE, disconnected),
            (self.booting, NodeState.BOOTING, boots),
            (waits, NodeState.BOOTING, self.problem or silent),
            (not self.ever_heard, NodeState.UNREACHABLE, self.problem or silent),
            (self.unreachable.exhausted(), NodeState.UNREACHABLE, self.problem or silent),
            (bool(self.refused or other), NodeState.DRAINING, self.refused or other),
            (bool(self.leaving), NodeState.DRAINING, self.leaving),
            (not ready, NodeState.BOOTING, _WARMS if attended else "it is getting ready"),
            (True, NodeState.UP, ""),
        )
        return next((state, reason) for holds, state, reason in cases if holds)
