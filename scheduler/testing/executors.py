"""An executor that a test drives by hand or by a manual clock."""

from __future__ import annotations

import itertools
import math
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from scheduler.domain.nodes import LOCAL, NodeFacts
from scheduler.executors.base import (
    AttemptKey,
    ExecutorEvent,
    Exited,
    LaunchSpec,
    NodesChanged,
    Sink,
    Started,
)
from scheduler.testing.clock import ManualClock


class FakeExecutor:
    """Runs nothing; attempts end when the test says so, or after `runtime(spec)` seconds.

    Synchronous: events wait until `deliver`, which `advance`, `finish`, `fail` and `lose` call
    too, and reach the sink in the calling thread. With `runtime`, an attempt ends well that many
    seconds of `clock` after its launch (`math.inf`: never by itself); drive it with
    `next_event_time` and `advance`.
    """

    def __init__(
        self,
        clock: ManualClock | None = None,
        runtime: Callable[[LaunchSpec], float] | None = None,
    ) -> None:
        self.clock = clock or ManualClock()
        self.specs: dict[str, LaunchSpec] = {}
        """What was launched at this executor, oldest first, each attempt once."""
        self.launches: list[str] = []
        """Every call of `launch`."""
        self.cancels: list[str] = []
        """Every call of `cancel`."""
        self.preempts: list[str] = []
        """Every call of `preempt`."""
        self.obeys = True
        """Whether being asked to stop ends an attempt; if not, the test ends it."""
        self.broken = ""
        """If not empty, launches end with `could not start: …`."""
        self.known_nodes = {LOCAL: NodeFacts(LOCAL)}
        self._runtime = runtime
        self._machine: dict[str, _Run] = {}
        self._pids = itertools.count(10_000)
        self._watched: set[str] = set()
        self._queue: deque[ExecutorEvent] = deque()
        self._lock = threading.RLock()
        self._sink: Sink | None = None

    def health(self) -> tuple[str, ...]:
        """Report no problem."""
        return ()

    def nodes(self) -> Mapping[str, NodeFacts]:
        """The nodes that the test has set."""
        return dict(self.known_nodes)

    def change_nodes(self, *nodes: NodeFacts) -> None:
        """Set these nodes, and tell of it."""
        with self._lock:
            self.known_nodes |= {node.name: node for node in nodes}
            self._queue.append(NodesChanged(self.nodes()))
        self.deliver()

    def start(self, sink: Sink) -> None:
        """Send events to `sink` from now on."""
        self._sink = sink

    def launch(self, spec: LaunchSpec) -> None:
        """Note the spec; its `Started` waits to be delivered."""
        with self._lock:
            self.launches.append(spec.attempt)
            if self._known(spec.attempt, spec.nonce):
                self._watch(spec.attempt)
                return
            self.specs[spec.attempt] = spec
            run = _Run(spec, pid=next(self._pids))
            self._machine[spec.attempt] = run
            self._watched.add(spec.attempt)
            if self.broken:
                self._end(spec.attempt, f"could not start: {self.broken}")
                return
            run.starts_at = self._ready_at(spec)
            if self._runtime is not None:
                run.ends_at = run.starts_at + self._runtime(spec)
            self._begin(self.clock.now())

    def cancel(self, attempt: str, *, grace_s: float = 5.0) -> None:
        """End the attempt at once as cancelled, unless it does not obey."""
        with self._lock:
            self.cancels.append(attempt)
            if self.obeys and attempt in self.running:
                self._end(attempt, "cancelled")

    def preempt(self, attempt: str, *, grace_s: float) -> None:
        """End the attempt at once as preempted, unless it does not obey."""
        with self._lock:
            self.preempts.append(attempt)
            if self.obeys and attempt in self.running:
                self._end(attempt, "preempted", preempted=True)

    def alive(self, keys: Iterable[AttemptKey]) -> Mapping[str, int | None]:
        """The attempts that were ever launched on this machine, by any executor."""
        with self._lock:
            known = [key.attempt for key in keys if self._known(key.attempt, key.nonce)]
            for attempt in known:
                self._watch(attempt)
            return {
                attempt: None if self._machine[attempt].exited else self._machine[attempt].pid
                for attempt in known
            }

    def stop_others(self, keys: Iterable[AttemptKey]) -> int:
        """End at once the attempts that run and are not among these."""
        with self._lock:
            named = {(key.attempt, key.nonce) for key in keys}
            others = [a for a in self.running if (a, self._machine[a].spec.nonce) not in named]
            for attempt in others:
                self._end(attempt, "lost: no store knows it", lost=True)
            return len(others)

    def close(self) -> None:
        """Deliver no more events; the machine stays for a successor."""
        self._sink = None

    def successor(self) -> FakeExecutor:
        """The executor of a restarted service: same machine, same clock, empty memory."""
        after = FakeExecutor(self.clock, self._runtime)
        after._machine, after._pids = self._machine, self._pids
        after.known_nodes = dict(self.known_nodes)
        return after

    @property
    def running(self) -> list[str]:
        """The attempts that have not ended, in order of launch."""
        return [attempt for attempt, run in self._machine.items() if run.exited is None]

    def finish(self, attempt: str, result: Mapping[str, Any] | None = None) -> None:
        """Let the attempt succeed. Raises `ValueError` if it does not run, as `fail` and `lose`."""
        self._end(attempt, "exit code 0", success=True, result=result or {})
        self.deliver()

    def fail(
        self,
        attempt: str,
        reason: str = "exit code 1",
        *,
        retriable: bool = True,
        result: Mapping[str, Any] | None = None,
    ) -> None:
        """Let the attempt fail."""
        self._end(attempt, reason, retriable=retriable, result=result or {})
        self.deliver()

    def lose(self, attempt: str, reason: str = "lost: its supervisor was killed") -> None:
        """Let the attempt's machine fail."""
        self._end(attempt, reason, lost=True)
        self.deliver()

    def stop_preempted(self, attempt: str) -> None:
        """Let an attempt that did not obey at once end as preempted."""
        self._end(attempt, "preempted", preempted=True)
        self.deliver()

    def next_event_time(self) -> float:
        """The time at which something happens by itself; `math.inf` if nothing does."""
        runs = [run for run in self._machine.values() if not run.exited]
        starts = [run.starts_at for run in runs if run.started_at is None]
        return min([run.ends_at for run in runs] + starts, default=math.inf)

    def advance(self, to: float) -> None:
        """Let time pass until `to`; attempts end and are delivered in the order of their ends."""
        self.deliver()
        while (next_time := self.next_event_time()) <= to:
            self.clock.advance_to(max(next_time, self.clock.now()))
            self._change_by_itself(next_time)
            self._begin(next_time)
            due = [a for a in self.running if self._machine[a].ends_at <= next_time]
            for attempt in due:
                self._end(attempt, "exit code 0", success=True)
            self.deliver()
        self.clock.advance_to(to)

    def deliver(self) -> int:
        """Hand all waiting events, and those they cause, to the sink; returns how many."""
        for count in itertools.count():
            with self._lock:
                if self._sink is None or not self._queue:
                    return count
                event, sink = self._queue.popleft(), self._sink
            sink(event)
        raise AssertionError

    def _ready_at(self, spec: LaunchSpec) -> float:
        """When the attempt starts, which is launched now."""
        return self.clock.now()

    def _change_by_itself(self, now: float) -> None:
        """What happens to nodes at a time that `next_event_time` has named."""

    def _begin(self, now: float) -> None:
        """Start the attempts that are due."""
        for run in self._machine.values():
            if run.exited is None and run.started_at is None and run.starts_at <= now:
                run.started_at = run.starts_at
                self._queue.append(Started(run.spec.attempt, run.pid, run.starts_at))

    def _known(self, attempt: str, nonce: str) -> bool:
        return attempt in self._machine and self._machine[attempt].spec.nonce == nonce

    def _watch(self, attempt: str) -> None:
        """Report what is known of an attempt that this executor did not start."""
        if attempt in self._watched:
            return
        self._watched.add(attempt)
        run = self._machine[attempt]
        if run.exited is not None:
            self._queue.append(run.exited)

    def _end(
        self,
        attempt: str,
        reason: str,
        *,
        success: bool = False,
        retriable: bool = True,
        lost: bool = False,
        preempted: bool = False,
        result: Mapping[str, Any] | None = None,
    ) -> None:
        with self._lock:
            run = self._machine.get(attempt)
            if run is None or run.exited is not None:
                raise ValueError(f"{attempt} does not run; these do: {', '.join(self.running)}")
            run.exited = Exited(
                attempt=attempt,
                time=self.clock.now(),
                reason=reason,
                success=success,
                retriable=retriable,
                lost=lost,
                preempted=preempted,
                result=dict(result or {}),
                started_at=run.started_at,
            )
            if attempt in self._watched:
                self._queue.append(run.exited)


@dataclass(slots=True)
class _Run:
    spec: LaunchSpec
    pid: int
    started_at: float | None = None
    starts_at: float = math.inf
    ends_at: float = math.inf
    exited: Exited | None = None
