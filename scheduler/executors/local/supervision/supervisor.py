"""One attempt's supervisor: starts it, holds it to its limits, records its end.

It shares nothing with the service but the executor's files of the attempt, and outlives service
and fork server (what slurmstepd is to Slurm). It is forked ahead of time together with its worker;
both wait as a *spare*, so a launch costs two messages and no fork.
"""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import signal
import socket
import sys
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from scheduler.executors.base import LaunchSpec
from scheduler.executors.local.records import claim
from scheduler.executors.local.records import folder as files
from scheduler.executors.local.records.folder import ExitRecord, RunningRecord
from scheduler.executors.local.supervision import worker
from scheduler.executors.local.supervision.setup import Setup, Workplace
from scheduler.executors.local.system import memory, process, sockets
from scheduler.executors.local.system.log_cap import EVERY_S, LogCap
from scheduler.executors.local.system.process import ProcessIdentity
from scheduler.executors.local.system.watchdog import PING
from scheduler.ownership import fences
from scheduler.ownership.fences import SupersededError

SAMPLE_S = 0.5
"""Between two looks at the memory of an attempt with a limit."""
LOOK_S = 1.0
"""Between two looks for what others left in the job's and the attempt's folder."""
SIGN_S = 5.0
"""Between two signs of life."""
ROOM_S = 2.0
"""Seconds between two tries to record an end while the disk is full."""
WATCHED = frozenset({signal.SIGCHLD, signal.SIGTERM, signal.SIGUSR1, PING})

_CANCELLED = "cancelled"
_PREEMPTED = "preempted"
_TIME_LIMIT = "time limit"
_OUT_OF_MEMORY = "out of memory"
_LOST = "lost: "
_STOPPED = f"{_LOST}the supervisor was told to stop"


def stand_by(channel: socket.socket, workplace: Workplace) -> None:
    """Fork the worker, wait for a launch message, and see it through. Runs in its own process."""
    gc.disable()  # a collection would copy pages it shares with the fork server
    os.setsid()
    process.name_process(claim.HOLDER)
    process.become_subreaper()
    signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
    peer, far_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    own = os.getpid()
    pid = os.fork()
    if not pid:
        channel.close()
        peer.close()
        _become_worker(far_end, own, workplace)
    far_end.close()
    message = sockets.receive(channel)
    channel.close()
    if message is None:  # the fork server is gone, no launch will come
        process.kill([pid])
        return
    attempt, folder = message["launch"], Path(message["folder"])
    claimed = claim.take(folder, message["ticket"])
    if claimed is None:
        process.kill([pid])
        return
    try:
        secrets = message.get("secrets")
        exit_ = Supervisor(folder, pid, peer, workplace.setup, secrets).run()
    except OSError as error:  # the disk is too full to say that it begins: launched again later
        process.kill([pid])
        print(f"attempt {attempt} cannot be supervised: {error}", flush=True)
        return
    run_folder = Path(workplace.setup.folder)
    _record(exit_, attempt, folder, run_folder)
    os.close(claimed)
    sockets.notify(run_folder, {"exited": attempt}, patience_s=1.0)


def _record(exit_: ExitRecord, attempt: str, folder: Path, run_folder: Path) -> None:
    """Write how the attempt ended, as soon as that is possible; until then keep it and say so."""
    while True:
        try:
            return files.write_exit(folder, exit_)
        except (FileExistsError, NotADirectoryError):  # a job put something in the folder's place
            return print(f"the end of attempt {attempt} cannot be recorded", flush=True)
        except OSError as error:
            sockets.waits(run_folder, attempt, error)
        signal.sigtimedwait(WATCHED, ROOM_S)  # what takes signals is not held for hung


class Supervisor:
    """Watches over the worker `pid`, to which `peer` leads."""

    def __init__(
        self,
        folder: Path,
        pid: int,
        peer: socket.socket,
        setup: Setup,
        secrets: Mapping[str, str] | None = None,
    ) -> None:
        self._folder = folder
        self._secrets = dict(secrets or {})
        self._grace_s = setup.grace_s
        self._log_bytes = setup.log_bytes
        self._log: LogCap | None = None
        self._pid = pid
        self._peer = peer
        self._status: int | None = None
        self._cause: str | None = None
        """Why the worker is being stopped."""
        self._done = False
        """Whether the work was done before it was stopped."""
        self._kill_at: float | None = None
        self._time_limit_at: float | None = None
        self._sample_at: float | None = None
        self._log_at: float | None = None
        self._memory_bytes = 0
        self._peak_bytes = 0
        self._spec: LaunchSpec | None = None
        self._look_at = self._sign_at = time.monotonic()

    def run(self) -> ExitRecord:
        """Give the worker its spec, wait until every process of it is gone, say how it ended."""
        supervisor, worker_ = ProcessIdentity.of(os.getpid()), ProcessIdentity.of(self._pid)
        if supervisor is None or worker_ is None:
            return ExitRecord(time.time(), "lost: the spare worker had died", lost=True)
        oom_kills = memory.oom_kills()
        files.write_running(self._folder, RunningRecord(supervisor, worker_))
        # After the line above a wish to stop signals this process; before, it left a file.
        wish = self._wish()
        if wish is not None:
            self._peer.close()
            self._extinguish()
            return ExitRecord(time.time(), wish, preempted=wish == _PREEMPTED)
        self._begin()
        while self._status is None:
            self._turn()
        self._extinguish()
        if self._log is not None:
            self._log.enforce()
        return self._verdict(memory.oom_kills() > oom_kills)

    def _begin(self) -> None:
        with contextlib.suppress(OSError):  # a worker that died is found by its status
            self._peer.send(os.fsencode(self._folder))
            self._peer.send(sockets.encode(self._secrets))
        try:
            spec: LaunchSpec = files.read_spec(self._folder)
        except (ValueError, KeyError, TypeError):
            return  # the worker fails with it and says so
        self._spec = spec
        now = time.monotonic()
        if self._log_bytes:
            self._log = LogCap(spec.part_folder / files.LOG, self._log_bytes)
            self._log_at = now + EVERY_S
        if spec.time_limit_s is not None:
            self._time_limit_at = now + spec.time_limit_s
        if spec.part.memory_bytes:
            self._memory_bytes = spec.part.memory_bytes
            self._sample_at = now + SAMPLE_S

    def _turn(self) -> None:
        """Wait for the next signal or deadline, and act on it."""
        times = (self._kill_at, self._time_limit_at, self._sample_at, self._log_at, self._look_at)
        wait = max(0.0, min(at for at in times if at is not None) - time.monotonic())
        self._hear(wait)
        self._reap()
        now = time.monotonic()
        if now >= self._look_at:
            self._look_at = now + LOOK_S
            self._look(now)
        if self._time_limit_at is not None and now >= self._time_limit_at:
            self._time_limit_at = None
            self._stop(_TIME_LIMIT, self._grace_s)
        if self._sample_at is not None and now >= self._sample_at:
            self._sample_at = now + SAMPLE_S
            self._sample()
        if self._log is not None and self._log_at is not None and now >= self._log_at:
            self._log_at = now + EVERY_S
            self._log.enforce()
        if self._kill_at is not None and now >= self._kill_at:
            self._kill_at = now + 0.2  # again, for what was forked meanwhile
            process.kill(process.descendants(os.getpid()))

    def _look(self, now: float) -> None:
        """Give a sign of life; find a newer attempt, or a wish that another machine left."""
        if now >= self._sign_at:
            self._sign_at = now + SIGN_S
            files.sign_of_life(self._folder)
        if self._spec is not None:
            try:
                fences.check(self._spec.shared, self._spec.attempt, self._spec.nonce)
            except SupersededError as error:
                self._stop(f"{_LOST}{error}", 0.0)  # another one works in its place already
            except OSError:  # a full disk or a folder that is gone keeps no attempt out
                pass
        if (wish := self._wish()) not in (None, self._cause):
            self._obey(wish)

    def _obey(self, wish: str) -> None:
        name = files.PREEMPT if wish == _PREEMPTED else files.CANCEL
        self._stop(wish, files.read_grace(self._folder, name, self._grace_s))

    def _hear(self, wait_s: float) -> None:
        """Take the next signal, if one comes in time; a ping wants no more than to be taken."""
        info = signal.sigtimedwait(WATCHED, wait_s)
        if info is not None and info.si_signo == signal.SIGUSR1:
            self._obey(self._wish() or _CANCELLED)
        elif info is not None and info.si_signo == signal.SIGTERM:
            self._stop(_STOPPED, self._grace_s)

    def _wish(self) -> str | None:
        """What a file asks for, if one does: a cancellation outweighs a preemption."""
        if files.read(self._folder / files.CANCEL) is not None:
            return _CANCELLED
        return None if files.read(self._folder / files.PREEMPT) is None else _PREEMPTED

    def _stop(self, cause: str, grace_s: float) -> None:
        """Ask all its processes to end, as Slurm does; make them after `grace_s`."""
        if self._status is not None and self._kill_at is None:
            return  # it has ended by itself, and what it left is being killed
        deadline = time.monotonic() + grace_s
        self._kill_at = deadline if self._kill_at is None else min(self._kill_at, deadline)
        if self._cause is not None:
            if (self._cause, cause) == (_PREEMPTED, _CANCELLED):
                self._cause = cause
            return
        self._cause = cause
        self._done = files.done(self._folder)
        pids = process.descendants(os.getpid())
        process.kill(pids, signal.SIGTERM)
        process.kill(pids, signal.SIGCONT)  # what is stopped could not obey

    def _sample(self) -> None:
        pids = process.descendants(os.getpid())
        self._peak_bytes = max(self._peak_bytes, memory.resident(pids))
        if memory.exceeds(pids, self._memory_bytes):
            self._cause = self._cause or _OUT_OF_MEMORY
            process.kill(pids)

    def _reap(self) -> bool:
        """Collect ended children; whether any are left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if not pid:
                return True
            if pid == self._pid:
                self._status = status

    def _extinguish(self) -> None:
        """Until no process is left: those that are being stopped keep the rest of their grace."""
        while self._reap():
            now = time.monotonic()
            if self._kill_at is None or now >= self._kill_at:
                process.kill(process.descendants(os.getpid()))
            self._hear(0.05)

    def _verdict(self, oom_killed: bool) -> ExitRecord:
        status = self._status or 0
        code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else None
        signum = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
        started = files.read_started(self._folder)
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        runtime_s, ended_at = files.elapsed(started)
        # Work that ends well although it was asked to stop has ended well, unless it was too long.
        if self._cause in (None, _CANCELLED, _PREEMPTED):
            success = code == 0 or files.done(self._folder)
        else:
            success = self._lost and self._done
        return ExitRecord(
            time=ended_at,
            reason="exit code 0" if success else self._reason(code, signum, oom_killed),
            success=success,
            lost=not success and self._lost,
            preempted=not success and self._cause == _PREEMPTED,
            code=code,
            signal=signum,
            started_at=started.get("time"),
            runtime_s=runtime_s,
            pid=self._pid,
            max_rss_bytes=max(self._peak_bytes, usage.ru_maxrss * 1024),
            cpu_s=round(usage.ru_utime + usage.ru_stime, 3),
        )

    @property
    def _lost(self) -> bool:
        return self._cause is not None and self._cause.startswith(_LOST)

    def _reason(self, code: int | None, signum: int | None, oom_killed: bool) -> str:
        if self._cause is not None:
            return self._cause
        if signum is not None:
            name = f"signal {_signal_name(signum)}"
            doubt = signum == signal.SIGKILL and oom_killed
            return f"{name} (possibly out of memory)" if doubt else name
        failure = self._failure()
        return f"could not start: {failure}" if failure else f"exit code {code}"

    def _failure(self) -> str:
        """What the worker said if it failed before the work began."""
        try:
            return self._peer.recv(sockets.LIMIT, socket.MSG_DONTWAIT).decode(errors="replace")
        except OSError:
            return ""


def _become_worker(peer: socket.socket, supervisor: int, workplace: Workplace) -> NoReturn:
    code = 1
    try:
        for signum in WATCHED:
            signal.signal(signum, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        gc.enable()
        code = worker.attend(peer, supervisor, workplace)
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(code & 0xFF)


def _signal_name(signum: int) -> str:
    try:
        return signal.Signals(signum).name
    except ValueError:  # real-time signals have no name
        return str(signum)
