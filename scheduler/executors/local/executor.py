"""The local executor: attempts on this machine, each under a supervisor of its own."""

from __future__ import annotations

import contextlib
import logging
import selectors
import signal
import socket
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from scheduler.executors.base import AttemptKey, ExecutorEvent, Order, Sink, Started
from scheduler.executors.local import claim, records, server, sockets
from scheduler.executors.local import folder as files
from scheduler.executors.local.burial import bury
from scheduler.executors.local.digest import digest
from scheduler.executors.local.folder import Exit, Running
from scheduler.executors.local.link import FAILURES, Link

_OFFER_AGAIN_S = 5.0
"""A launch that left no trace for so long is sent again."""
_log = logging.getLogger(__name__)


class LocalExecutor:
    """Runs attempts as processes of this machine, forked from a warm server.

    `folder` (private to this user) holds the sockets and the executor's files of each attempt,
    which say everything, so any later executor can take over. Linux only.

    `preload` and `target` name functions (`module:function`): the first imports what workers
    need and must leave no threads; the second does the work of an `Order` and returns the exit
    code. `spares` workers wait for an order, so that bursts of so many start without a fork. The
    fork server ends when no service has been connected for `linger_s` seconds. Every `sweep_s`
    seconds the files of running attempts are looked at, in case a notice was lost.
    """

    def __init__(
        self,
        folder: Path,
        *,
        preload: str = "scheduler.workloads.run:preload",
        target: str = "scheduler.workloads.run:run",
        spares: int = 2,
        linger_s: float = 300.0,
        sweep_s: float = 1.0,
    ) -> None:
        self._folder = folder.resolve()
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder.chmod(0o700)  # whoever may connect may run programs as this user
        self._link = Link(
            server.Setup(
                str(self._folder), preload, target, digest(preload, target), spares, linger_s
            )
        )
        self._sweep_s = sweep_s
        self._sweep_at = 0.0
        self._lock = threading.RLock()
        self._watches: dict[str, _Watch] = {}
        self._outbox: deque[ExecutorEvent] = deque()
        self._urgent: set[str] = set()
        self._closing = False
        self._bell, self._clapper = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="local-executor", daemon=True)
        self._sink: Sink
        self._mailbox: socket.socket

    @property
    def ready(self) -> threading.Event:
        """Set while a launch would start within milliseconds; before, launches wait."""
        return self._link.ready

    @property
    def problem(self) -> str:
        """Why the fork server does not start; empty if it does."""
        return self._link.problem

    def health(self) -> tuple[str, ...]:
        """Problems in words, for whoever runs the service; empty: it is well. Returns at once."""
        return (self._link.problem,) if self._link.problem else ()

    def start(self, sink: Sink) -> None:
        """Begin to deliver events to `sink`; the fork server is started or found again."""
        self._sink = sink
        for end in (self._bell, self._clapper):
            end.setblocking(False)
        self._mailbox = sockets.mailbox(self._folder)
        self._thread.start()

    def launch(self, order: Order) -> None:
        """Start an attempt; returns before it runs. Another launch of it starts nothing."""
        order = replace(order, folder=_absolute(order.folder), shared=_absolute(order.shared))
        folder = records.place(self._folder, order)
        with self._lock:
            if order.attempt in self._watches:
                return
            try:
                records.prepare(folder, order)
            except (OSError, TypeError) as error:
                failure = Exit(time.time(), f"could not start: {error}")
                self._outbox.append(files.exited(order.attempt, folder, failure))
            else:
                watch = self._watches[order.attempt] = _Watch(order.attempt, folder)
                if self._offer(watch):
                    return
        self._wake(order.attempt)

    def cancel(self, attempt: str, *, grace_s: float = 5.0) -> None:
        """Ask it to stop (SIGTERM), and after `grace_s` make it. Unknown or ended: no effect."""
        with self._lock:
            watch = self._watches.get(attempt)
        if watch is None:
            return
        # The file first: a supervisor that is just beginning looks for it.
        try:
            files.write(watch.folder / files.CANCEL, {"grace_s": grace_s, "time": time.time()})
        except OSError:  # a full disk: without the file the grace is the supervisor's own
            _log.exception("the wish to cancel attempt %s could not be kept", attempt)
        running = _running(watch)
        if running is not None:
            running.supervisor.send(signal.SIGUSR1)
            return
        with contextlib.suppress(OSError):  # damaged: it is ended when it is looked at
            claim.settle(watch.folder, Exit(time.time(), "cancelled"))
        self._wake(attempt)

    def alive(self, keys: Iterable[AttemptKey]) -> Mapping[str, int | None]:
        """Of these attempts those known here: the worker's pid, or None if none runs now."""
        answer: dict[str, int | None] = {}
        supervisors = claim.supervisors()
        for key in keys:
            folder = records.place(self._folder, key)
            with self._lock:
                watch = self._watches.get(key.attempt)
            if watch is None and folder not in supervisors and _never_ran(folder):
                continue
            watch = watch or _Watch(key.attempt, folder)
            watch.running = files.read_running(folder) or claim.runner(folder, supervisors)
            answer[key.attempt] = _pid(watch)
            with self._lock:
                self._watches.setdefault(key.attempt, watch)
            self._wake(key.attempt)
        return answer

    def stop_others(self, keys: Iterable[AttemptKey]) -> int:
        """Stop the attempts of this run folder besides these; how many. Takes seconds if any."""
        known = {records.place(self._folder, key) for key in keys}
        stopped = records.stop_others(self._folder, known)
        records.tidy(self._folder, known)
        return stopped

    def close(self) -> None:
        """Stop watching; running attempts go on."""
        self._closing = True
        self._wake()
        if self._thread.ident is None:  # it was never started
            self._bell.close()
            self._clapper.close()
        elif self._thread is not threading.current_thread():
            self._thread.join()

    def _wake(self, attempt: str | None = None) -> None:
        if attempt is not None:
            with self._lock:
                self._urgent.add(attempt)
        try:
            self._clapper.send(b"!")
        except OSError:  # full: it rings already; closed: nobody listens any more
            return

    def _run(self) -> None:
        while not self._closing:
            try:
                self._turn()
            except Exception:  # attempts must be watched whatever happens
                _log.exception("watching attempts failed, it goes on in %g s", self._sweep_s)
                time.sleep(self._sweep_s)
        self._link.close()
        for end in (self._mailbox, self._bell, self._clapper):
            end.close()

    def _turn(self) -> None:
        """Wait for something to happen, look at the attempts it concerns, deliver events."""
        wait = self._link.step()
        until_sweep = max(0.0, self._sweep_at - time.monotonic())
        self._listen(until_sweep if wait is None else min(wait, until_sweep))
        with self._lock:
            watches = [watch for name in self._urgent if (watch := self._watches.get(name))]
            self._urgent.clear()
            if time.monotonic() >= self._sweep_at:
                watches = list(self._watches.values())
                self._sweep_at = time.monotonic() + self._sweep_s
        for watch in watches:
            try:
                self._look(watch)
            except OSError:
                _log.exception("attempt %s could not be looked at", watch.attempt)
        self._deliver()

    def _listen(self, wait_s: float) -> None:
        """Take in notices, messages of the fork server and calls of other threads."""
        with selectors.DefaultSelector() as selector:
            connection = self._link.connection
            for source in (self._bell, self._mailbox, connection):
                if source is not None:
                    selector.register(source, selectors.EVENT_READ)
            selector.select(wait_s)
        with contextlib.suppress(BlockingIOError):
            self._bell.recv(4096)
        while True:
            try:
                notice = sockets.receive(self._mailbox)
            except BlockingIOError:
                break
            if notice is not None:
                self._notice(notice)
        was_ready = self._link.ready.is_set()
        for message in self._link.receive():
            if "refused" in message:
                self._give_up(message["refused"], message["error"])
        if self._link.ready.is_set() != was_ready or self._link.failures >= FAILURES:
            self._requeue()

    def _notice(self, notice: dict[str, Any]) -> None:
        """A bell only: anybody may ring it, and the files say what happened."""
        attempt = notice.get("started") or notice.get("exited")
        with self._lock:
            self._urgent.add(str(attempt))

    def _requeue(self) -> None:
        """The fork server came or went: whatever it has not begun is offered anew."""
        with self._lock:
            for watch in self._watches.values():
                watch.offered_at = None
                self._urgent.add(watch.attempt)

    def _offer(self, watch: _Watch) -> bool:
        """Whether the launch is in the hands of the fork server; sent now unless it was lately."""
        now = time.monotonic()
        if watch.offered_at is not None and now - watch.offered_at < _OFFER_AGAIN_S:
            return True
        if not self._link.ready.is_set():
            return False
        ticket = claim.offer(watch.folder)
        if ticket is None:
            return False
        message = {"launch": watch.attempt, "folder": str(watch.folder), "ticket": ticket}
        if not self._link.send(message):
            return False
        watch.offered_at = now
        return True

    def _give_up(self, attempt: str, error: str) -> None:
        with self._lock:
            watch = self._watches.get(attempt)
        if watch is not None:
            claim.settle(watch.folder, Exit(time.time(), f"could not start: {error}"))
            self._wake(attempt)

    def _look(self, watch: _Watch) -> None:
        """Find out what became of the attempt: by its files, and by its processes."""
        exit_ = files.read_exit(watch.folder)
        running = None if exit_ else _running(watch)
        if exit_ is None and running is None and not watch.damaged:
            with self._lock:
                self._offer(watch)
            if self._link.failures >= FAILURES:
                self._give_up(watch.attempt, self._link.problem)
            return
        if exit_ is None and (running is None or not running.supervisor.alive):
            # It may have written its last word between the two looks.
            exit_ = files.read_exit(watch.folder) or bury(watch.folder, running)
        with self._lock:
            if not watch.started and (begun := files.read_started(watch.folder)):
                watch.started = True
                self._outbox.append(Started(watch.attempt, int(begun["pid"]), begun["time"]))
            if exit_ is not None and self._watches.pop(watch.attempt, None) is watch:
                self._outbox.append(files.exited(watch.attempt, watch.folder, exit_))

    def _deliver(self) -> None:
        """Hand events over; those the sink fails on are kept, and others overtake them."""
        kept: list[ExecutorEvent] = []
        while True:
            with self._lock:
                if not self._outbox:
                    self._outbox.extend(kept)
                    return
                event = self._outbox.popleft()
            if any(event.attempt == other.attempt for other in kept):
                kept.append(event)
                continue
            try:
                self._sink(event)
            except Exception:
                _log.exception("%s of attempt %s is kept", type(event).__name__, event.attempt)
                kept.append(event)


@dataclass(slots=True)
class _Watch:
    attempt: str
    folder: Path
    """Of the executor's files; see `records`."""
    running: Running | None = None
    """Kept once it is known: what becomes of the file then does not matter."""
    damaged: bool = False
    """Whether its files are not what they must be, so that only processes tell how it is."""
    offered_at: float | None = None
    """Monotonic seconds of the last launch sent."""
    started: bool = False
    """Whether `Started` was handed over."""


def _running(watch: _Watch) -> Running | None:
    """Who runs the attempt: as its file says or, if that is lost, as the kernel does."""
    if watch.running is None:
        watch.running = files.read_running(watch.folder)
    if watch.running is None:
        watch.damaged = files.ran(watch.folder) or not claim.usable(watch.folder)
        if watch.damaged:  # or it has been written since the look above
            watch.running = files.read_running(watch.folder) or claim.runner(watch.folder)
    return watch.running


def _never_ran(folder: Path) -> bool:
    """Whether nobody ran it or will; False if its files are too damaged to tell."""
    try:
        return not folder.is_dir() or claim.withdraw(folder)
    except OSError:
        return False


def _pid(watch: _Watch) -> int | None:
    running = watch.running
    if running is None or files.read_exit(watch.folder) is not None:
        return None
    return running.worker.pid if running.supervisor.alive else None


def _absolute(folder: Path) -> Path:
    """By a name without links, but for its own: that may be a link which a job put there."""
    return folder.parent.resolve() / folder.name
