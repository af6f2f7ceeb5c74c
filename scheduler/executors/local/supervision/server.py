"""A fork server: a process with all imports done, from which workers are forked.

A run folder has one of each name. It holds no state that matters: attempts belong to their
supervisors, so it may be killed at any time, and is replaced when the code has changed. It is
single-threaded, because a fork copies only the thread that forks. It ends by itself when no
service has been connected for a while.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
import time
import traceback
import weakref
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from scheduler.executors.local.supervision import supervisor
from scheduler.executors.local.supervision.setup import Setup, Workplace
from scheduler.executors.local.system import process, sockets
from scheduler.locks import lock

_REFILL_S = 0.05
_FIRST_S = 10.0
"""The first service has at least so long to connect."""
_SINGLE_THREADED = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    # Asking for devices through NVML leaves CUDA untouched, which does not survive a fork.
    "PYTORCH_NVML_BASED_CUDA_CHECK": "1",
}


def main() -> None:
    """Entry point of the process; its last argument is an encoded `Setup`."""
    os.closerange(3, 1 << 16)  # what the service let its children inherit, ports for one
    setup = Setup(**json.loads(sys.argv[-1]))
    os.chdir(setup.folder)
    held = lock(setup.lock, wait=False)
    if held is None:
        return  # another one serves in its place
    process.name_process("fulcrum-forks")
    process.become_subreaper()
    environment = dict(os.environ)  # before the libraries add what only this process needs
    os.environ.update(_SINGLE_THREADED)
    # Services may connect from now on; they are answered when the imports are done.
    with sockets.listen(setup.socket) as listener:
        _named(setup.preload)()
        workplace = Workplace(setup, environment, _named(setup.target))
        _keep_finalizers_from_workers()
        gc.collect()
        gc.freeze()  # collections in workers leave these pages shared
        if process.threads() > 1:
            print(f"{setup.preload} left {process.threads() - 1} threads; forks will lack them")
        ForkServer(workplace, listener, held).serve()


class ForkServer:
    """Hands launches to spares and keeps their number up."""

    def __init__(self, workplace: Workplace, listener: socket.socket, lock: int) -> None:
        self._workplace = workplace
        self._setup = workplace.setup
        self._listener = listener
        self._lock = lock
        self._selector = selectors.DefaultSelector()
        self._services: set[socket.socket] = set()
        self._spares: list[tuple[int, socket.socket]] = []
        self._supervisors: set[int] = set()
        self._retired = False
        self._launched_at = 0.0
        self._alone_since = time.monotonic() + _FIRST_S
        self._bell, self._clapper = socket.socketpair()

    def serve(self) -> None:
        """Until it is retired or has been alone for long enough."""
        self._bell.setblocking(False)
        self._clapper.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda _signum, _frame: None)
        signal.set_wakeup_fd(self._clapper.fileno(), warn_on_full_buffer=False)
        self._listener.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        self._selector.register(self._bell, selectors.EVENT_READ, self._reap)
        while not self._retired and not self._deserted():
            ready = self._selector.select(self._patience())
            for key, _ in ready:
                act: Callable[[Any], None] = key.data
                act(key.fileobj)
            if not ready and self._refill_in() == 0.0:
                with self._forking_reported():
                    self._add_spare()
        self._setup.socket.unlink(missing_ok=True)

    def _patience(self) -> float | None:
        """Seconds to wait for messages."""
        if (refill_in := self._refill_in()) is not None:
            return refill_in
        if self._services:
            return None
        return max(0.0, self._alone_since + self._setup.linger_s - time.monotonic())

    def _refill_in(self) -> float | None:
        """Seconds until the next spare shall be forked; None if there are enough.

        While one is left there is time to let the worker just launched have the processor first.
        """
        if len(self._spares) >= self._setup.spares:
            return None
        if not self._spares:
            return 0.0
        return max(0.0, self._launched_at + _REFILL_S - time.monotonic())

    def _deserted(self) -> bool:
        lonely = time.monotonic() - self._alone_since
        return not self._services and lonely >= self._setup.linger_s

    def _accept(self, listener: socket.socket) -> None:
        service, _ = listener.accept()
        service.setblocking(False)
        self._services.add(service)
        self._selector.register(service, selectors.EVENT_READ, self._listen)
        self._answer(service, {"hello": self._setup.digest, "pid": os.getpid()})

    def _listen(self, service: socket.socket) -> None:
        try:
            message = sockets.receive(service)
        except BlockingIOError:
            return
        if message is None:
            self._selector.unregister(service)
            self._services.remove(service)
            service.close()
            self._alone_since = time.monotonic()
        elif "launch" in message:
            self._launch(service, message)
        elif "ping" in message:
            self._answer(service, {"pong": True})
        elif "retire" in message:
            self._retired = True

    def _launch(self, service: socket.socket, message: dict[str, Any]) -> None:
        self._launched_at = time.monotonic()
        try:
            while True:
                if not self._spares:
                    self._add_spare()
                _, channel = self._spares.pop(0)
                try:
                    channel.send(sockets.encode(message))
                except OSError:  # that spare was killed; the next one
                    continue
                finally:
                    channel.close()
                return
        except OSError as error:
            self._answer(service, {"refused": message["launch"], "error": str(error)})

    def _answer(self, service: socket.socket, message: dict[str, Any]) -> None:
        # A service that is gone or reads nothing finds out by the attempt's folder.
        with contextlib.suppress(OSError):
            service.send(sockets.encode(message))

    def _add_spare(self) -> None:
        near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            pid = os.fork()
        except OSError:
            near.close()
            far.close()
            raise
        if not pid:
            near.close()
            self._become_supervisor(far)
        far.close()
        self._supervisors.add(pid)
        self._spares.append((pid, near))

    def _become_supervisor(self, channel: socket.socket) -> NoReturn:
        code = 1
        try:
            self._forget()
            supervisor.stand_by(channel, self._workplace)
            code = 0
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
        finally:
            os._exit(code)

    def _forget(self) -> None:
        """Drop what belongs to the server: the forked copy must not keep it open."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._selector.close()
        for inherited in (self._listener, self._bell, self._clapper, *self._services):
            inherited.close()
        for _, inherited in self._spares:
            inherited.close()
        os.close(self._lock)

    def _reap(self, bell: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError):
            bell.recv(4096)
        ended = {}
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if not pid:
                break
            ended[pid] = status
        # One that ends in order leaves no process. What others leave becomes a child of this one,
        # and so does what a stray had started.
        disorder = any(status or pid not in self._supervisors for pid, status in ended.items())
        self._supervisors.difference_update(ended)
        for pid, channel in self._spares:
            if pid in ended:
                channel.close()
        self._spares = [spare for spare in self._spares if spare[0] not in ended]
        if disorder:
            self._kill_strays()

    def _kill_strays(self) -> None:
        """End the descendants of killed supervisors, which become children of this process."""
        own = os.getpid()
        children = [stat.pid for stat in process.everything() if stat.parent == own]
        strays = [pid for pid in children if pid not in self._supervisors]
        for pid in strays:
            process.kill(process.descendants(pid))
        process.kill(strays)

    @contextlib.contextmanager
    def _forking_reported(self) -> Iterator[None]:
        try:
            yield
        except OSError:  # no memory or no process left: try again, not at once
            traceback.print_exc()
            time.sleep(0.2)


def _keep_finalizers_from_workers() -> None:
    """What the imports want finalized at exit is the server's; a worker would do it all over.

    The libraries leave thousands of them, 40 ms at the end of every worker.
    """
    registry: dict[weakref.finalize[..., Any], Any] = getattr(weakref.finalize, "_registry", {})
    for finalizer in list(registry):
        finalizer.atexit = False


def _named(name: str) -> Callable[..., Any]:
    module, _, function = name.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), function)
    return found
