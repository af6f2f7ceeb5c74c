"""The executor of many nodes: sends each part of an attempt to its node, and hears what becomes.

One thread owns all talk: it takes in what the transport heard, keeps one long poll open at each
agent, which is the node's heartbeat too, and makes the calls that parts and nodes wait for.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from scheduler.domain.elastic_pools import ElasticPool
from scheduler.domain.nodes import NodeFacts
from scheduler.executors.base import (
    UNKNOWN,
    AttemptEvent,
    AttemptKey,
    Exited,
    LaunchSpec,
    NodesChanged,
    Sink,
    Started,
    Unknown,
)
from scheduler.executors.cluster import wire
from scheduler.executors.cluster.attempt import CANCEL, LAUNCH, PREEMPT, AttemptPart, ClusterAttempt
from scheduler.executors.cluster.base import (
    AgentAnswer,
    AgentFailure,
    AgentTransport,
    EngineConnection,
    Heard,
    NodeMembers,
)
from scheduler.executors.cluster.elastic import ElasticLinks, launchable
from scheduler.executors.cluster.folders import take
from scheduler.executors.cluster.links import NodeLinks
from scheduler.executors.cluster.node import NodeLink, TalkStage
from scheduler.executors.cluster.path_questions import PathQuestions
from scheduler.executors.cluster.provider import NodeProvider
from scheduler.executors.cluster.talk import Talk
from scheduler.executors.outbox import Outbox, drained

_RETRY_S = 0.5
_TICK_S = 0.2
_log = logging.getLogger(__name__)


class ClusterExecutor:
    """Runs attempts on the nodes of a transport.

    A node that was not heard for `unreachable_after_s` seconds is unreachable, after
    `lost_after_s` its attempts are lost; while the transport hears nobody that time stands still.
    Nodes of another `digest` are not used. Of an attempt on several nodes all parts must run
    `gang_start_s` seconds after the first. `term` orders services that use the same nodes: a
    later one wins. `alive` and `stop_others` wait up to `patience_s` for the nodes concerned.

    `provider` boots the nodes of the elastic `pools`: a launch waits until its nodes are up. If a
    node's machine will be taken away, the node is draining, and its attempts are preempted with
    `notice_grace_s`, or with less where the notice leaves less.
    """

    def __init__(
        self,
        transport: AgentTransport,
        *,
        digest: str,
        pools: Sequence[ElasticPool] = (),
        provider: NodeProvider | None = None,
        notice_grace_s: float = 30.0,
        term: float | None = None,
        lost_after_s: float = 120.0,
        unreachable_after_s: float = 6.0,
        gang_start_s: float = 60.0,
        patience_s: float = 20.0,
    ) -> None:
        self._transport = transport
        self._talk = Talk(transport, time.time() if term is None else term)
        self._links = NodeLinks(
            digest, unreachable_after_s=unreachable_after_s, lost_after_s=lost_after_s
        )
        self._gang_start_s = gang_start_s
        self._patience_s = patience_s
        self._elastic = ElasticLinks(pools, provider)
        self._notice_grace_s = notice_grace_s
        self._attempts: dict[str, ClusterAttempt] = {}
        self._known: dict[str, AttemptKey] | None = None
        """Attempts that the store knows and nobody adopted yet; None: nobody has said so far."""
        self._stopped = 0
        self._inbox: queue.SimpleQueue[Heard | None] = queue.SimpleQueue()
        self.questions = PathQuestions(lambda: self._inbox.put(None))
        """Ask nodes what they have."""
        self._lock = threading.RLock()
        self._turned = threading.Condition(self._lock)
        self._outbox = Outbox()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="cluster-executor", daemon=True)
        self._sink: Sink

    def start(self, sink: Sink) -> None:
        """Begin to deliver events to `sink`; nodes are heard of as they answer."""
        self._sink = sink
        self._thread.start()
        self._transport.start(self._inbox.put)

    def launch(self, spec: LaunchSpec) -> None:
        """Start an attempt on the nodes of its parts; returns before it runs."""
        if spec.attempt in self._attempts:
            return
        nodes = tuple(part.node for part in spec.parts)
        attempt = ClusterAttempt(AttemptKey(spec.attempt, spec.nonce, spec.folder, nodes))
        failure = take(spec)  # without the lock: a shared disk may be slow
        with self._lock:
            if failure is not None:
                self._outbox.put(failure)
            elif spec.attempt not in self._attempts:
                self._register(attempt)
                for rank in attempt.ranks:
                    sent = wire.spec_to_json(replace(spec, rank=rank.number))
                    self._want(attempt, rank, LAUNCH, {"spec": sent})
        self._inbox.put(None)

    def cancel(self, attempt: str, *, grace_s: float = 5.0) -> None:
        """Ask its parts to stop, now or when their nodes are heard again."""
        self._ask_to_stop(attempt, CANCEL, "cancelled", grace_s)

    def preempt(self, attempt: str, *, grace_s: float) -> None:
        """Ask its parts to save their work and stop, now or when their nodes are heard again."""
        self._ask_to_stop(attempt, PREEMPT, "preempted", grace_s)

    def alive(self, keys: Iterable[AttemptKey]) -> Mapping[str, int | Unknown | None]:
        """Of these attempts those that their nodes know; `UNKNOWN` where a node is not heard."""
        with self._lock:
            asked = {}
            for key in keys:
                attempt = self._attempts.get(key.attempt)
                if attempt is None:
                    attempt = ClusterAttempt(key)
                    attempt.asked = True
                    self._register(attempt)
                asked[key.attempt] = attempt
            nodes = {rank.node for attempt in asked.values() for rank in attempt.ranks}
            self._settle_again(nodes)
            self._wait_for(nodes)
            return {
                name: found
                for name, attempt in asked.items()
                if (found := self._found(attempt)) is not _NEVER
            }

    def stop_others(self, keys: Iterable[AttemptKey]) -> int:
        """Stop what runs besides these attempts: now on nodes of theirs, later on all others."""
        with self._lock:
            self._known = {key.attempt: key for key in keys}
            self._stopped = 0
            self._settle_again([link.name for link in self._links])
            self._wait_for({node for key in self._known.values() for node in key.nodes})
            return self._stopped

    def nodes(self) -> Mapping[str, NodeFacts]:
        """All nodes that were ever heard of, or that an attempt was placed on."""
        with self._lock:
            return self._links.facts()

    def health(self) -> tuple[str, ...]:
        """Why the cluster is not heard, and what nodes say of themselves."""
        return self._links.health()

    def close(self) -> None:
        """Stop watching; running attempts and agents go on."""
        self._closing = True
        self._inbox.put(None)
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join()
        self._transport.close()

    def _run(self) -> None:
        while not self._closing:
            try:
                self._turn()
            except Exception:  # attempts must be watched whatever happens
                _log.exception("watching nodes failed, it goes on in %g s", _RETRY_S)
                time.sleep(_RETRY_S)

    def _turn(self) -> None:
        heard = drained(self._inbox, _TICK_S)
        with self._lock:
            for one in heard:
                self._take_in(one)
            self.questions.pass_on(self._links, self._talk)
            for link, why in self._elastic.look(self._links):
                self._leave_behind(link, why)
            for link in self._links:
                self._look(link)
            self._look_at_gangs()
            if self._links.refresh():
                self._outbox.put(NodesChanged(self.nodes()))
            self._turned.notify_all()
        self._outbox.deliver(self._sink)

    def _take_in(self, heard: Heard | None) -> None:
        match heard:
            case EngineConnection():
                if self._links.connect(heard):
                    self._elastic.connected()
            case NodeMembers():
                self._links.take_in(heard)
            case AgentAnswer() | AgentFailure():
                self._talk.take_in(heard)

    def _look(self, link: NodeLink) -> None:
        """Do what is due at a node: the next call, or to give up its attempts."""
        if self._links.connection.connected:
            if link.off or link.booting:
                link.renew()
            if link.lost.exhausted() or (link.left and not link.ranks and not link.seen):
                link.given_up = True
            if link.given_up:
                self._give_up(link)
            for attempt in link.vacated():
                grace_s = link.grace_s(self._notice_grace_s)
                self._ask_to_stop(attempt, PREEMPT, "preempted", grace_s)
            if link.seen and time.monotonic() >= link.again_at:
                self._call_on(link)

    def _call_on(self, link: NodeLink) -> None:
        if link.stage is TalkStage.ABSENT:
            if not link.asking:
                self._talk.attend(link)
            return
        if not link.polling:
            self._talk.poll(link, self._hear)
        if link.stage is TalkStage.ATTENDED and not link.asking:
            self._settle(link)
        if link.stage is TalkStage.OPEN:
            for name, rank in list(link.busy.items()):
                if rank.calling or not rank.todo:
                    continue
                if not rank.launching or launchable(link.ranks[name][0], rank, self._links):
                    self._talk.send(link, name, rank)

    def _settle(self, link: NodeLink) -> None:
        """Ask what the node knows of its parts, and let it stop what nobody else knows."""
        keys = {name: attempt.key for name, (attempt, _) in link.ranks.items()}
        asked = {name: keys[name] for name, (_, rank) in link.ranks.items() if not rank.launching}
        known = None if self._known is None else (self._known | keys).values()

        def settled(stopped: int, found: Mapping[str, int | None]) -> None:
            self._stopped += stopped
            # Attempts that were asked about meanwhile need another answer.
            if all(name in asked or rank.launching for name, (_, rank) in link.ranks.items()):
                link.stage = TalkStage.OPEN
            for name in asked:
                if name in link.ranks:
                    attempt, rank = link.ranks[name]
                    rank.known, rank.missing = name in found, name not in found
                    rank.pid = found.get(name)
                    if rank.missing and not attempt.asked:
                        self._lose_unknown(attempt, rank)

        self._talk.settle(link, known, asked.values(), settled)

    def _hear(self, link: NodeLink, event: AttemptEvent) -> None:
        """Take in what a node says of a part."""
        found = link.ranks.get(event.attempt)
        if found is None:  # it was given up, or ended before
            return
        attempt, rank = found
        offset_s = link.offset_of(rank)
        if isinstance(event, Started):
            whole = attempt.started(rank, replace(event, time=event.time - offset_s))
            if whole is not None:
                self._outbox.put(whole)
            return
        begun = None if event.started_at is None else event.started_at - offset_s
        self._end(attempt, rank, replace(event, time=event.time - offset_s, started_at=begun))

    def _end(self, attempt: ClusterAttempt, rank: AttemptPart, event: Exited) -> None:
        link = self._links.get(rank.node)
        link.ranks.pop(attempt.key.attempt, None)
        link.busy.pop(attempt.key.attempt, None)
        whole = attempt.exited(rank, event)
        for other in attempt.running:
            if other.stopped and other.launching and not other.sent:
                self._end(attempt, other, Exited(event.attempt, event.time, "cancelled", False))
        self._wake(attempt)
        if whole is not None:
            if self._attempts.get(attempt.key.attempt) is attempt:
                del self._attempts[attempt.key.attempt]
            self._outbox.put(whole)

    def _give_up(self, link: NodeLink) -> None:
        for attempt, rank in list(link.ranks.values()):
            why = f"node {link.name} was not heard for {link.lost.limit_s:g} s"
            self._lose(link, attempt, rank, why)

    def _leave_behind(self, link: NodeLink, why: str) -> None:
        """No machine has the name of this node, so nothing of its attempts goes on."""
        for attempt, rank in list(link.ranks.values()):
            if attempt.asked and not rank.launching:
                rank.missing = True
            else:
                self._lose(link, attempt, rank, why)

    def _lose(self, link: NodeLink, attempt: ClusterAttempt, rank: AttemptPart, why: str) -> None:
        """End a part of which nothing is known any more."""
        self._end(attempt, rank, link.lost_part(attempt.key.attempt, rank, why))

    def _lose_unknown(self, attempt: ClusterAttempt, rank: AttemptPart) -> None:
        why = f"node {rank.node} knows nothing of it"
        self._lose(self._links.get(rank.node), attempt, rank, why)

    def _look_at_gangs(self) -> None:
        for attempt in list(self._attempts.values()):
            if attempt.late(self._gang_start_s):
                attempt.give_up_start(self._gang_start_s)
                self._wake(attempt)

    def _ask_to_stop(self, name: str, method: str, reason: str, grace_s: float) -> None:
        with self._lock:
            attempt = self._attempts.get(name)
            for rank in [] if attempt is None else attempt.running:
                assert attempt is not None
                if rank.launching and not rank.sent:
                    now = time.time()
                    preempted = reason == "preempted"
                    ended = Exited(name, now, reason, success=False, preempted=preempted)
                    self._end(attempt, rank, ended)
                else:
                    self._want(attempt, rank, method, {"attempt": name, "grace_s": grace_s})
        self._inbox.put(None)

    def _want(
        self, attempt: ClusterAttempt, rank: AttemptPart, method: str, arguments: Mapping[str, Any]
    ) -> None:
        """Make this call once the node is heard, after those that wait already."""
        rank.todo.append((method, arguments))
        self._wake(attempt)

    def _wake(self, attempt: ClusterAttempt) -> None:
        for rank in attempt.running:
            if rank.todo:
                self._links.get(rank.node).busy[attempt.key.attempt] = rank

    def _register(self, attempt: ClusterAttempt) -> None:
        name = attempt.key.attempt
        self._attempts[name] = attempt
        if self._known is not None:
            self._known.pop(name, None)
        for rank in attempt.ranks:
            self._links.get(rank.node).ranks[name] = (attempt, rank)

    def _forget(self, attempt: ClusterAttempt) -> None:
        del self._attempts[attempt.key.attempt]
        for rank in attempt.ranks:
            self._links.get(rank.node).ranks.pop(attempt.key.attempt, None)

    def _found(self, attempt: ClusterAttempt) -> int | Unknown | None:
        """What `alive` answers; a part that its node does not know ends the others."""
        attempt.asked = False
        if all(rank.missing for rank in attempt.ranks):
            self._forget(attempt)
            return _NEVER
        for rank in attempt.running:
            if rank.missing:
                self._lose_unknown(attempt, rank)
        if any(not rank.known and rank.exited is None for rank in attempt.ranks):
            return UNKNOWN
        return attempt.ranks[0].pid

    def _settle_again(self, names: Iterable[str]) -> None:
        for name in names:
            link = self._links.get(name)
            if link.stage is TalkStage.OPEN:
                link.stage = TalkStage.ATTENDED
        self._inbox.put(None)

    def _wait_for(self, names: Iterable[str]) -> None:
        """Until these nodes were asked, or cannot be for now."""
        links = [self._links.get(name) for name in names]
        deadline = time.monotonic() + self._patience_s
        while any(link.awaited for link in links):
            left = deadline - time.monotonic()
            if left <= 0 or self._closing:
                for link in links:
                    link.tardy = link.awaited
                return
            self._turned.wait(left)


_NEVER = Unknown()
"""In place of an answer about an attempt that was never started."""
