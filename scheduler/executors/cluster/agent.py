"""What runs on a node: an executor of that machine, and what the service asks of it.

An agent serves one service at a time. A service that starts again, or takes over from another,
attends the agent again: the agent then gives it a fresh executor, which finds what runs by its
files, as after any restart. So an agent may be killed at any time, too.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from scheduler.domain.nodes import NodeFacts
from scheduler.executors.base import Executor, ExecutorEvent, Exited, NodesChanged
from scheduler.executors.cluster import wire
from scheduler.executors.path_needs import PathFinding, PathNeed
from scheduler.executors.silence import SilenceLimit

LONGEST_WAIT_S = 10.0
"""Of one poll."""


class NodeExecutor(Executor, Protocol):
    """An executor of one machine, which needs time until attempts start at once."""

    @property
    def ready(self) -> threading.Event:
        """Set while a launch would start within milliseconds."""


class NodeAgent:
    """Answers the calls that a `AgentTransport` carries; any thread may call.

    `facts` describes the machine; `obstacle` says at each poll why no job can run on it now, if
    any; `look` says what it has of what jobs name. Without a call for `linger_s` seconds and
    without attempts it is `deserted`: nobody needs it, and its process should end.
    """

    def __init__(
        self,
        open_executor: Callable[[], NodeExecutor],
        facts: NodeFacts,
        *,
        linger_s: float,
        obstacle: Callable[[], str] = str,
        look: Callable[[Sequence[PathNeed]], Sequence[PathFinding]] | None = None,
    ) -> None:
        self._open = open_executor
        self._look = look or _believed
        self._obstacle = obstacle
        self._facts = facts
        self._lonely = SilenceLimit(linger_s)
        self._epoch = os.urandom(8).hex()
        self._service = ""
        self._term = 0.0
        self._attempts: set[str] = set()
        self._changed = threading.Condition()
        self._events: list[tuple[int, dict[str, Any]]] = []
        self._count = 0
        self._control = threading.Lock()
        self._executor = self._opened()

    def call(self, method: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Carry one call out; `refused` in the answer says why that was not done.

        `arguments` holds `service`, the caller's id, besides what the method takes:

        - `attend(term)`: serve this service from now on, unless one of a later term does.
        - `poll(after, wait_s)`: forget events up to number `after`; the others, as soon as there
          are any, or none after `wait_s` seconds.
        - `settle(known, adopt)`: stop the attempts that are not `known` (null: stop none), then
          watch those of `adopt`; what is known of them.
        - `look(needs)`: what this machine has at these paths.
        - `launch(spec)`, `cancel(attempt, grace_s)`, `preempt(attempt, grace_s)`: see `Executor`.

        Raises `ValueError` for a method or arguments that do not exist.
        """
        self._lonely.renew()
        service = str(arguments["service"])
        if method == "attend":
            return self._attend(service, float(arguments["term"]))
        if service != self._service:
            return {"refused": "the agent does not serve this service", "epoch": self._epoch}
        if method == "poll":
            return self._poll(int(arguments["after"]), float(arguments["wait_s"]))
        if method == "look":
            needs = wire.needs_of(arguments["needs"])
            return {"findings": wire.findings_to_json(self._look(needs))}
        with self._control:
            return self._carry_out(method, arguments)

    @property
    def deserted(self) -> bool:
        """Whether no service has called for a while and no attempt is left; ask each second."""
        return self._lonely.exhausted() and not self._attempts

    def close(self) -> None:
        """Attempts go on."""
        self._executor.close()

    def _attend(self, service: str, term: float) -> dict[str, Any]:
        with self._control:
            if service != self._service:
                if term < self._term:
                    return {"refused": "a later service uses this node", "epoch": self._epoch}
                if self._service:
                    self._executor.close()
                    with self._changed:
                        self._events.clear()
                        self._attempts.clear()
                    self._executor = self._opened()
                self._service, self._term = service, term
        return {"epoch": self._epoch, "facts": wire.facts_to_json(self._facts), "now": time.time()}

    def _opened(self) -> NodeExecutor:
        executor = self._open()
        executor.start(self._note)
        return executor

    def _note(self, event: ExecutorEvent) -> None:
        if isinstance(event, NodesChanged):
            return
        with self._changed:
            self._count += 1
            self._events.append((self._count, wire.event_to_json(event)))
            if isinstance(event, Exited):
                self._attempts.discard(event.attempt)
            self._changed.notify_all()

    def _poll(self, after: int, wait_s: float) -> dict[str, Any]:
        executor, obstacle = self._executor, self._obstacle()
        with self._changed:
            self._events = [one for one in self._events if one[0] > after]
            if not self._events:
                self._changed.wait(min(wait_s, LONGEST_WAIT_S))
            return {
                "epoch": self._epoch,
                "events": list(self._events),
                "now": time.time(),
                "warm": executor.ready.is_set(),
                "obstacle": obstacle,
                "health": executor.health(),
            }

    def _carry_out(self, method: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        match method:
            case "launch":
                spec = wire.spec_of(arguments["spec"])
                self._attempts.add(spec.attempt)
                self._executor.launch(spec)
            case "cancel":
                self._executor.cancel(arguments["attempt"], grace_s=arguments["grace_s"])
            case "preempt":
                self._executor.preempt(arguments["attempt"], grace_s=arguments["grace_s"])
            case "settle":
                return self._settle(arguments)
            case _:
                raise ValueError(f"an agent has no method {method!r}")
        return {}

    def _settle(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        stopped = 0
        if arguments["known"] is not None:
            stopped = self._executor.stop_others(wire.keys_of(arguments["known"]))
        found = self._executor.alive(wire.keys_of(arguments["adopt"]))
        self._attempts |= found.keys()
        # Another machine's attempt in this node's own folder: nobody here can know more.
        pids = {attempt: pid if isinstance(pid, int) else None for attempt, pid in found.items()}
        return {"stopped": stopped, "found": pids}


def _believed(needs: Sequence[PathNeed]) -> Sequence[PathFinding]:
    """What a machine says that cannot look."""
    return [PathFinding() for _ in needs]
