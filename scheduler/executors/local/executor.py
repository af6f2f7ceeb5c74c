"""The local executor: attempts on this machine, each under a supervisor of its own."""

from __future__ import annotations

import contextlib
import logging
import math
import selectors
import signal
import socket
import threading
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from scheduler.domain.nodes import LOCAL, NodeFacts
from scheduler.executors.base import AttemptKey, LaunchSpec, Sink, Started, Unknown
from scheduler.executors.local import attempt_records
from scheduler.executors.local.burial import bury
from scheduler.executors.local.launches import Launches, give_up
from scheduler.executors.local.records import claim
from scheduler.executors.local.records import folder as files
from scheduler.executors.local.records.folder import ExitRecord
from scheduler.executors.local.supervision.link import FAILURES, Link
from scheduler.executors.local.supervision.links import Links
from scheduler.executors.local.supervision.setup import Setup
from scheduler.executors.local.system import process, sockets
from scheduler.executors.local.system.watchdog import Watchdog
from scheduler.executors.local.watch import Watch, never_ran, troubles
from scheduler.executors.outbox import Outbox
from scheduler.logs import of_attempt

_log = logging.getLogger(__name__)


class LocalExecutor:
    """Runs attempts as processes of this machine, forked from a warm server.

    `folder` (private to this user) holds the sockets and the executor's files of each attempt,
    which say everything, so any later executor can take over. Linux only.

    `preload` and `target` name functions (`module:function`): the first imports what workers
    need and must leave no threads; the second does the work of a `LaunchSpec`. With `light`,
    which names what is imported instead, commands have a fork server of their own. `spares`
    workers of each server wait for a launch, so that so many jobs start at once without a fork. A
    fork server ends when no service has been connected for `linger_s` seconds. The executor reads
    the files of running attempts every `sweep_s` seconds, in case a notice was lost.

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
        light: str | None = None,
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
        self._folder.chmod(0o700)  # a process that may connect may run programs as this user
        setup = Setup(str(self._folder), preload, target, spares, linger_s, grace_s, log_bytes, pin)
        self._links = Links(setup, pass_env, patience_s, light)
        self._launches = Launches(self._links, patience_s)
        self._patience_s = patience_s
        self._adopts = process.adopts_orphans()
        self._turned_at = math.inf
        self._sweep_s = sweep_s
        self._sweep_at = 0.0
        self._lock = threading.RLock()
        self._watches: dict[str, Watch] = {}
        self._outbox = Outbox()
        self._urgent: set[str] = set()
        self._closing = False
        self._bell, self._clapper = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="local-executor", daemon=True)
        self._sink: Sink
        self._mailbox: socket.socket

    @property
    def ready(self) -> threading.Event:
        """Set once `preload` is done: launches start within milliseconds. Before, they wait."""
        return self._links.main.ready

    def health(self) -> tuple[str, ...]:
        """What is wrong, one sentence each: hung processes, full disks, a server that fails."""
        found = [problem for link in self._links for problem in link.health()]
        if not self._closing and time.monotonic() - self._turned_at > 2 * self._patience_s:
            found.append("running attempts are not being watched: the executor's thread hangs")
        # Without the lock, which a thread that hangs may hold.
        return (*found, *troubles(list(self._watches.values())))

    def nodes(self) -> Mapping[str, NodeFacts]:
        """This machine alone."""
        return {LOCAL: NodeFacts(LOCAL)}

    def start(self, sink: Sink) -> None:
        """Begin to deliver events to `sink`; the fork server is started or found again."""
        self._sink = sink
        for end in (self._bell, self._clapper):
            end.setblocking(False)
        self._mailbox = sockets.mailbox(self._folder)
        self._thread.start()

    def launch(self, spec: LaunchSpec) -> None:
        """Start an attempt; returns before it runs. Another launch of it starts nothing."""
        spec = replace(spec, folder=_absolute(spec.folder), shared=_absolute(spec.shared))
        folder = attempt_records.place(self._folder, spec)
        with self._lock:
            if spec.attempt in self._watches:
                return
            watch = self._watches[spec.attempt] = Watch(spec.attempt, folder, spec, spec.secrets)
            with contextlib.suppress(OSError):  # it happens again, and is told, at the next look
                if self._prepare(watch) and self._launches.offer(watch):
                    return
        self._wake(spec.attempt)

    def cancel(self, attempt: str, *, grace_s: float = 5.0) -> None:
        """Ask it to stop (SIGTERM), and after `grace_s` make it. Unknown or ended: no effect."""
        with self._lock:
            watch = self._watches.get(attempt)
            if watch is None:
                return
            if watch.spec is not None:  # nobody can have begun it
                self._end(watch, ExitRecord(time.time(), "cancelled"))
                self._wake()
                return
        # The file first: a supervisor that is just beginning looks for it.
        try:
            files.ask_to_stop(watch.folder, files.CANCEL, grace_s)
        except OSError:  # a full disk: without the file the grace is the supervisor's own
            _log.exception(
                "the wish to cancel attempt %s could not be kept",
                attempt,
                extra=of_attempt(attempt),
            )
        if not _ring(watch):
            watch.cancelled = True
            self._wake(attempt)

    def preempt(self, attempt: str, *, grace_s: float) -> None:
        """Ask it to save its work and stop (SIGTERM), and after `grace_s` stop it.

        Raises `OSError` if the disk is too full to keep the wish; nothing is stopped then.
        """
        with self._lock:
            watch = self._watches.get(attempt)
            if watch is None:
                return
            if watch.spec is not None:  # nobody can have begun it
                self._end(watch, ExitRecord(time.time(), "preempted", preempted=True))
                self._wake()
                return
        # Without the file the supervisor would take the signal for a cancellation.
        files.ask_to_stop(watch.folder, files.PREEMPT, grace_s)
        if not _ring(watch):
            self._wake(attempt)  # its supervisor finds the file when it begins

    def alive(self, keys: Iterable[AttemptKey]) -> Mapping[str, int | Unknown | None]:
        """Of these attempts those known here: the worker's pid, or None if none runs now."""
        answer: dict[str, int | Unknown | None] = {}
        supervisors = claim.supervisors()
        for key in keys:
            folder = attempt_records.place(self._folder, key)
            with self._lock:
                watch = self._watches.get(key.attempt)
            if watch is None and folder not in supervisors and never_ran(folder):
                continue
            watch = watch or Watch(key.attempt, folder)
            watch.running = files.read_running(folder) or claim.runner(folder, supervisors)
            answer[key.attempt] = watch.pid
            with self._lock:
                self._watches.setdefault(key.attempt, watch)
            self._wake(key.attempt)
        return answer

    def stop_others(self, keys: Iterable[AttemptKey]) -> int:
        """Stop the attempts of this run folder besides these; how many. Takes seconds if any."""
        known = {attempt_records.place(self._folder, key) for key in keys}
        stopped = attempt_records.stop_others(self._folder, known)
        attempt_records.tidy(self._folder, known)
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
        for link in self._links:
            link.close()
        for end in (self._mailbox, self._bell, self._clapper):
            end.close()

    def _turn(self) -> None:
        """Wait for something to happen, look at the attempts it concerns, deliver events."""
        self._turned_at = time.monotonic()
        waits = [wait for link in self._links if (wait := link.step()) is not None]
        self._listen(min([*waits, max(0.0, self._sweep_at - time.monotonic())]))
        with self._lock:
            watches = [watch for name in self._urgent if (watch := self._watches.get(name))]
            self._urgent.clear()
            if time.monotonic() >= self._sweep_at:
                watches = list(self._watches.values())
                self._sweep_at = time.monotonic() + self._sweep_s
                if self._adopts:
                    process.reap_orphans([link.child for link in self._links])
        for watch in watches:
            try:
                self._look(watch)
            except OSError as error:
                if watch.trouble != str(error):  # the sweep comes back every second
                    _log.error(
                        "attempt %s could not be looked at: %s",
                        watch.attempt,
                        error,
                        extra=of_attempt(watch.attempt),
                    )
                watch.trouble = str(error)
        self._outbox.deliver(self._sink)

    def _listen(self, wait_s: float) -> None:
        """Take in notices, messages of the fork server and calls of other threads."""
        with selectors.DefaultSelector() as selector:
            connections = [link.connection for link in self._links]
            for source in (self._bell, self._mailbox, *connections):
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
        for link in self._links:
            self._hear(link)

    def _hear(self, link: Link) -> None:
        """Take in what a fork server says, and whether it came or went."""
        was_ready = link.ready.is_set()
        for message in link.receive():
            if "refused" in message:
                with self._lock:
                    watch = self._watches.get(str(message["refused"]))
                if watch is not None and give_up(watch, str(message.get("error"))):
                    self._wake(watch.attempt)
        if link.ready.is_set() != was_ready or link.failures >= FAILURES:
            self._requeue()

    def _notice(self, notice: dict[str, Any]) -> None:
        """A bell only: anybody may ring it, and the files say what happened."""
        attempt = str(notice.get("started") or notice.get("exited") or notice.get("waits"))
        with self._lock:
            self._urgent.add(attempt)
            if "waits" in notice and (watch := self._watches.get(attempt)):
                error = str(notice.get("error"))
                watch.waits = f"it waits, how far it is cannot be recorded yet: {error}"

    def _requeue(self) -> None:
        """The fork server came or went: what it has not begun is offered again."""
        with self._lock:
            for watch in self._watches.values():
                watch.offered_at = None
                self._urgent.add(watch.attempt)

    def _prepare(self, watch: Watch) -> bool:
        """Whether the spec lies in its folder; the attempt ends if it never can."""
        if self._watches.get(watch.attempt) is not watch:  # cancelled meanwhile
            return False
        failure = self._launches.prepare(watch)
        if failure is not None:
            self._end(watch, failure)
        return failure is None and watch.spec is None

    def _look(self, watch: Watch) -> None:
        """Find out what became of the attempt: by its files, and by its processes."""
        with self._lock:
            if not self._prepare(watch):
                return
        exit_ = files.read_exit(watch.folder)
        running = None if exit_ else watch.find()
        if exit_ is None and running is None and not watch.damaged:
            self._begin(watch)
            return
        if exit_ is None and running is not None and running.supervisor.alive:
            watch.dog = watch.dog or Watchdog(running.supervisor, watch.attempt, self._patience_s)
            watch.trouble = watch.dog.look()
        elif exit_ is None and watch.dead():
            # It may have written its last word between the two looks.
            exit_ = files.read_exit(watch.folder) or bury(watch.folder, running)
        with self._lock:
            if watch.started_at is None and (begun := files.read_started(watch.folder)):
                watch.started_at, watch.waits = begun["time"], ""
                self._outbox.put(Started(watch.attempt, int(begun["pid"]), begun["time"]))
            if exit_ is not None:
                self._end(watch, exit_)

    def _begin(self, watch: Watch) -> None:
        """Let it be launched or, if nobody wants it any more, end. Raises `OSError`."""
        if watch.cancelled:
            if claim.settle(watch.folder, ExitRecord(time.time(), "cancelled")):
                self._wake(watch.attempt)
        elif (link := self._launches.link(watch)).failures >= FAILURES:
            if give_up(watch, link.problem):
                self._wake(watch.attempt)
        else:
            with self._lock:
                self._launches.offer(watch)
        watch.trouble = ""

    def _end(self, watch: Watch, exit_: ExitRecord) -> None:
        """Report the end, once."""
        if self._watches.get(watch.attempt) is watch:
            del self._watches[watch.attempt]
            event = files.exited(watch.attempt, watch.folder, exit_)
            begun = event.started_at if watch.started_at is None else watch.started_at
            self._outbox.put(replace(event, started_at=begun))


def _ring(watch: Watch) -> bool:
    """Make the supervisor look for wishes; False if none is known to run yet."""
    running = watch.find()
    if running is None:
        return False
    running.supervisor.send(signal.SIGUSR1)
    running.supervisor.send(signal.SIGCONT)  # one that is stopped could not obey
    return True


def _absolute(folder: Path) -> Path:
    """By a name without links, but for its own: that may be a link which a job put there."""
    return folder.parent.resolve() / folder.name
