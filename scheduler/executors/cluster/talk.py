"""Calls to agents, and what happens when their answers come.

All methods belong to the executor's thread.
"""

from __future__ import annotations

import itertools
import logging
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scheduler.executors.base import AttemptEvent, AttemptKey
from scheduler.executors.cluster import wire
from scheduler.executors.cluster.attempt import AttemptPart
from scheduler.executors.cluster.base import AgentAnswer, AgentFailure, AgentTransport
from scheduler.executors.cluster.node import NodeLink, TalkStage
from scheduler.executors.path_needs import PathFinding, PathNeed

POLL_S = 2.0
"""An agent with nothing to say answers a poll after so long."""
_COLD_POLL_S = 0.1
_POLL_LIMIT_S = 10.0
_CALL_LIMIT_S = 15.0
_SETTLE_LIMIT_S = 60.0
_RETRY_S = 0.5
_REFUSED_S = 5.0
_log = logging.getLogger(__name__)

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Call:
    """A call that no answer has come to yet."""

    link: NodeLink
    method: str
    then: Callable[[Values], None]
    failed: Callable[[], None]
    machine: int
    """Of the link; see `NodeLink.machine`."""


class Talk:
    """A service's calls to all agents; `term` orders the services that use the same nodes."""

    def __init__(self, transport: AgentTransport, term: float) -> None:
        self._transport = transport
        self._service = os.urandom(8).hex()
        self._term = term
        self._calls: dict[int, _Call] = {}
        self._numbers = itertools.count(1)

    def take_in(self, heard: AgentAnswer | AgentFailure) -> None:
        """Go on where the call was made."""
        call = self._calls.pop(heard.number, None)
        if call is None or call.machine != call.link.machine:
            return
        if isinstance(heard, AgentFailure):
            _log.debug("%s of node %s failed: %s", call.method, call.link.name, heard.error)
            call.link.again_at = time.monotonic() + _RETRY_S
            call.failed()
            return
        call.link.hear()
        if "refused" not in heard.value:
            call.then(heard.value)
            return
        call.failed()
        call.link.stage = TalkStage.ABSENT
        if call.method == "attend":
            call.link.refused = str(heard.value["refused"])
            call.link.again_at = time.monotonic() + _REFUSED_S

    def attend(self, link: NodeLink) -> None:
        """Make the agent serve this service."""
        link.asking, sent_at = True, time.time()

        def then(value: Values) -> None:
            link.asking = False
            link.attended(wire.facts_of(value["facts"]), float(value["now"]), sent_at)

        self._call(link, "attend", {"term": self._term}, then, _CALL_LIMIT_S)

    def poll(self, link: NodeLink, hear: Callable[[NodeLink, AttemptEvent], None]) -> None:
        """Wait for events; each new one is handed to `hear`."""
        link.polling, sent_at = True, time.time()

        def then(value: Values) -> None:
            link.polling = False
            link.warm, link.obstacle = bool(value["warm"]), str(value["obstacle"])
            link.health = tuple(map(str, value["health"]))
            link.clock_says(float(value["now"]), sent_at)
            for number, event in value["events"]:
                if number > link.after:
                    link.after = number
                    hear(link, wire.event_of(event))

        def failed() -> None:
            link.polling = False

        wait_s = POLL_S if link.warm and not link.obstacle else _COLD_POLL_S
        arguments = {"after": link.after, "wait_s": wait_s}
        self._call(link, "poll", arguments, then, _POLL_LIMIT_S, failed)

    def settle(
        self,
        link: NodeLink,
        known: Iterable[AttemptKey] | None,
        adopt: Iterable[AttemptKey],
        settled: Callable[[int, Mapping[str, int | None]], None],
    ) -> None:
        """Stop what is not `known` (None: stop nothing) and watch `adopt`.

        `settled` hears how many were stopped, and what is known: pids, or None for the ended.
        """
        link.asking = True

        def then(value: Values) -> None:
            link.asking = False
            settled(int(value["stopped"]), value["found"])

        arguments = {
            "known": None if known is None else wire.keys_to_json(known),
            "adopt": wire.keys_to_json(adopt),
        }
        self._call(link, "settle", arguments, then, _SETTLE_LIMIT_S)

    def send(self, link: NodeLink, name: str, rank: AttemptPart) -> None:
        """Make the first call that the part of attempt `name` waits for."""
        method, arguments = rank.todo[0]
        rank.calling = rank.sent = True

        def then(_: Values) -> None:
            rank.calling, rank.known = False, True
            if rank.todo and rank.todo[0][0] == method:
                rank.todo.popleft()
            if not rank.todo:
                link.busy.pop(name, None)

        def failed() -> None:
            rank.calling = False

        self._call(link, method, arguments, then, _CALL_LIMIT_S, failed)

    def look(
        self,
        link: NodeLink,
        needs: Sequence[PathNeed],
        limit_s: float,
        heard: Callable[[str, Sequence[PathFinding] | None], None],
    ) -> None:
        """Ask what the node has; `heard` gets its name and the answer, None if there is none."""

        def then(value: Values) -> None:
            heard(link.name, wire.findings_of(value["findings"]))

        arguments = {"needs": wire.needs_to_json(needs)}
        self._call(link, "look", arguments, then, limit_s, lambda: heard(link.name, None))

    def _call(
        self,
        link: NodeLink,
        method: str,
        arguments: Values,
        then: Callable[[Values], None],
        limit_s: float,
        failed: Callable[[], None] | None = None,
    ) -> None:
        def forget() -> None:
            link.asking = False

        number = next(self._numbers)
        self._calls[number] = _Call(link, method, then, failed or forget, link.machine)
        sent = {"service": self._service, **arguments}
        self._transport.call(number, link.name, method, sent, limit_s)
