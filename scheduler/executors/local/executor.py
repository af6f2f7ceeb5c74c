"""The local executor: attempts on this machine, each under a supervisor of its own."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import selectors
import signal
import socket
import threading
import time
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from scheduler.executors import environment
from scheduler.executors.base import ExecutorEvent, Order, Sink, Started
from scheduler.executors.local import claim, process, sockets
from scheduler.executors.local import folder as files
from scheduler.executors.local.digest import digest
from scheduler.executors.local.folder import Exit
from scheduler.executors.local.link import FAILURES, Link
from scheduler.executors.local.loss import bury
from scheduler.executors.local.setup import Setup
from scheduler.executors.local.watch import Watch, troubles
from scheduler.executors.local.watchdog import Patience, Watchdog
from scheduler.files import lacks_room

_OFFER_AGAIN_S = 5.0
"""A launch that left no trace for so long is sent again."""
_log = logging.getLogger(__name__)


class LocalExecutor:
    """Runs attempts as processes of this machine, forked from a warm server.

    `folder` (private to this user) holds the sockets; attempts have their own folders, whose
    files say everything, so any later executor can take over. Linux only.

    `preload` and `target` name functions (`module:function`): the first imports what workers
    need and must leave no threads; the second does the work of an `Order` and returns the exit
    code. `spares` workers wait for an order, so that bursts of so many start without a fork. The
    fork server ends when no service has been connected for `linger_s` seconds. Every `sweep_s`
    seconds the files of running attempts are looked at, in case a notice was lost.

    Jobs see the service's variables that `environment.PASSED` or `pass_env` name. With `pin` each
    runs on the CPUs of its devices only. `grace_s` passes between SIGTERM and SIGKILL wherever a
    cancellation names no other; a log keeps below `log_bytes` (0: not limited). What does not
    answer for `patience_s` seconds hangs, and is replaced or ended.
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
        grace_s: float = 5.0,
        log_bytes: int = 0,
        pin: bool = True,
        pass_env: Collection[str] = (),
        patience_s: float = 30.0,
    ) -> None:
        self._folder = folder.resolve()
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder.chmod(0o700)  # whoever may connect may run programs as this user
        setup = Setup(str(self._folder), preload, target, spares, linger_s, grace_s, log_bytes, pin)
        variables = environment.passed(os.environ, pass_env)
        code = digest(setup.encode(), *(f"{name}={variables[name]}" for name in sorted(variables)))
        self._link = Link(replace(setup, digest=code), variables, patience_s=patience_s)
        self._patience_s = patience_s
        self._adopts = process.adopts_orphans()
        self._turned_at = math.inf
        self._sweep_s = sweep_s
        self._sweep_at = 0.0
        self._lock = threading.RLock()
        self._watches: dict[str, Watch] = {}
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
        """What is wrong, one sentence each: hung processes, full disks, a server that fails."""
        found = list(self._link.health())
        if not self._closing and time.monotonic() - self._turned_at > 2 * self._patience_s:
            found.append("running attempts are not being watched: the executor's thread hangs")
        with self._lock:
            return (*found, *troubles(self._watches.values()))

    def start(self, sink: Sink) -> None:
        """Begin to deliver events to `sink`; the fork server is started or found again."""
        self._sink = sink
        for end in (self._bell, self._clapper):
            end.setblocking(False)
        self._mailbox = sockets.mailbox(self._folder)
        self._thread.start()

    def launch(self, order: Order) -> None:
        """Start an attempt; returns before it runs. Another launch of it starts nothing."""
        order = replace(order, folder=order.folder.resolve(), shared=order.shared.resolve())
        with self._lock:
            if order.attempt in self._watches:
                return
            watch = self._watches[order.attempt] = Watch(order.attempt, order.folder, order)
            if self._prepare(watch) and self._offer(watch):
                return
        self._wake(order.attempt)

    def _prepare(self, watch: Watch) -> bool:
        """Whether the order lies in its folder; one that cannot be written fails to start."""
        if (order := watch.order) is None:
            return True
        if self._watches.get(watch.attempt) is not watch:  # cancelled meanwhile
            return False
        try:
            order.folder.mkdir(parents=True, exist_ok=True)
            order.shared.mkdir(parents=True, exist_ok=True)
            if not files.ran(order.folder):
                files.write_order(order)
        except (OSError, TypeError) as error:
            if isinstance(error, OSError) and lacks_room(error):
                watch.trouble = f"it cannot start yet: {error.strerror}"
                return False
            del self._watches[order.attempt]
            failure = Exit(time.time(), f"could not start: {error}")
            self._outbox.append(files.exited(order.attempt, order.folder, failure))
            return False
        watch.order, watch.trouble = None, ""
        return True

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
        running = files.read_running(watch.folder)
        if running is not None:
            running.supervisor.send(signal.SIGUSR1)
            running.supervisor.send(signal.SIGCONT)  # one that is stopped could not obey
        elif self._withdraw(watch):
            self._wake()
        elif claim.settle(watch.folder, Exit(time.time(), "cancelled")):
            self._wake(attempt)

    def _withdraw(self, watch: Watch) -> bool:
        """Whether the attempt's order could not even be written: then it ends here."""
        with self._lock:
            if watch.order is None or self._watches.pop(watch.attempt, None) is None:
                return False
            cancelled = Exit(time.time(), "cancelled")
            self._outbox.append(files.exited(watch.attempt, watch.folder, cancelled))
            return True

    def alive(self, folders: Mapping[str, Path]) -> Mapping[str, int | None]:
        """Of these attempts those known here: the worker's pid, or None if none runs now."""
        answer: dict[str, int | None] = {}
        for attempt, folder in folders.items():
            with self._lock:
                known = attempt in self._watches
            if not known and (not folder.is_dir() or claim.withdraw(folder)):
                continue
            answer[attempt] = _pid(folder)
            with self._lock:
                self._watches.setdefault(attempt, Watch(attempt, folder.resolve()))
            self._wake(attempt)
        return answer

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
        self._turned_at = time.monotonic()
        wait = self._link.step()
        until_sweep = max(0.0, self._sweep_at - time.monotonic())
        self._listen(until_sweep if wait is None else min(wait, until_sweep))
        with self._lock:
            watches = [watch for name in self._urgent if (watch := self._watches.get(name))]
            self._urgent.clear()
            if time.monotonic() >= self._sweep_at:
                watches = list(self._watches.values())
                self._sweep_at = time.monotonic() + self._sweep_s
                if self._adopts:
                    process.reap_orphans(self._link.child)
        for watch in watches:
            try:
                self._look(watch)
            except OSError as error:
                if watch.trouble != str(error):  # the sweep comes back every second
                    _log.error("attempt %s could not be looked at: %s", watch.attempt, error)
                watch.trouble = str(error)
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
        attempt = notice.get("started") or notice.get("exited") or notice.get("waits")
        with self._lock:
            watch = self._watches.get(str(attempt))
            if watch is None:
                return
            if "started" in notice and not watch.started:
                watch.started = True
                self._outbox.append(Started(watch.attempt, notice["pid"], notice["time"]))
            elif "exited" in notice:
                self._urgent.add(watch.attempt)
            elif "waits" in notice:
                watch.waits = f"it has ended, which cannot be recorded yet: {notice['error']}"

    def _requeue(self) -> None:
        """The fork server came or went: whatever it has not begun is offered anew."""
        with self._lock:
            for watch in self._watches.values():
                watch.offered_at = None
                self._urgent.add(watch.attempt)

    def _offer(self, watch: Watch) -> bool:
        """Whether the launch is in the hands of the fork server; sent now unless it was lately."""
        now = time.monotonic()
        if watch.offered_at is not None and now - watch.offered_at < _OFFER_AGAIN_S:
            return True
        if not self._link.ready.is_set():
            return False
        ticket = claim.offer(watch.folder)
        if ticket is None:
            self._free(watch)
            return False
        watch.unclaimed = None
        message = {"launch": watch.attempt, "folder": str(watch.folder), "ticket": ticket}
        if not self._link.send(message):
            return False
        watch.offered_at = now
        return True

    def _free(self, watch: Watch) -> None:
        """End a supervisor that hangs between taking the attempt and saying so."""
        if files.ran(watch.folder):
            return
        watch.unclaimed = watch.unclaimed or Patience(self._patience_s)
        if watch.unclaimed.exhausted():
            watch.unclaimed = None
            pids = process.holders(watch.folder / claim.CLAIM)
            _log.error("processes %s hang over attempt %s", pids, watch.attempt)
            process.kill(pids)

    def _give_up(self, attempt: str, error: str) -> None:
        with self._lock:
            watch = self._watches.get(attempt)
        if watch is not None:
            claim.settle(watch.folder, Exit(time.time(), f"could not start: {error}"))
            self._wake(attempt)

    def _look(self, watch: Watch) -> None:
        """Read in the attempt's files what became of it."""
        with self._lock:
            if not self._prepare(watch):
                return
        exit_ = files.read_exit(watch.folder)
        running = files.read_running(watch.folder)
        if exit_ is None and not watch.folder.is_dir():
            exit_ = Exit(time.time(), "lost: its folder is gone", lost=True)
        if exit_ is None and running is None:
            with self._lock:
                self._offer(watch)
            watch.trouble = ""
            if self._link.failures >= FAILURES:
                self._give_up(watch.attempt, self._link.problem)
            return
        if exit_ is None and running is not None and running.supervisor.alive:
            watch.dog = watch.dog or Watchdog(running.supervisor, watch.attempt, self._patience_s)
            watch.trouble = watch.dog.look()
        elif exit_ is None and running is not None:
            # It may have written its last word between the two looks.
            exit_ = files.read_exit(watch.folder) or bury(watch.folder, running)
        with self._lock:
            if not watch.started and (begun := files.read(watch.folder / files.STARTED)):
                watch.started = True
                self._outbox.append(Started(watch.attempt, begun["pid"], begun["time"]))
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


def _pid(folder: Path) -> int | None:
    running = files.read_running(folder)
    if running is None or files.read_exit(folder) is not None:
        return None
    return running.worker.pid if running.supervisor.alive else None
