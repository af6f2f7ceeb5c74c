"""The service's end of the bridge: starts it, watches it, starts it again."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from scheduler.domain.elastic_pools import ElasticPool
from scheduler.executors.cluster.base import (
    AgentAnswer,
    AgentFailure,
    Departure,
    EngineConnection,
    Hearer,
    NodeMembers,
)
from scheduler.executors.ray.config import BridgeConfig
from scheduler.executors.ray.frames import Frames
from scheduler.executors.silence import SilenceLimit

DRAINS = "Ray drains it"
_RETRY_S = 1.0
_LOOK_S = 0.5
_log = logging.getLogger(__name__)


class RayTransport:
    """Calls agents by way of a bridge; a bridge that ends or hangs is replaced.

    `environment` is that of the bridge besides this process's own, such as the path of Ray's
    token. What the bridge and Ray print goes to the file `log`. A bridge that says nothing for
    `patience_s` seconds is killed; connecting to a head that is busy may take some of them.
    """

    def __init__(
        self,
        config: BridgeConfig,
        log: Path,
        *,
        environment: Mapping[str, str] | None = None,
        patience_s: float = 60.0,
    ) -> None:
        self._config = config
        self._log = log
        self._environment = {**os.environ, **_QUIET, **(environment or {})}
        self._patience_s = patience_s
        self._lock = threading.Lock()
        self._frames: Frames | None = None
        self._bridge: subprocess.Popen[bytes] | None = None
        self._heard = SilenceLimit(patience_s)
        self._pending: set[int] = set()
        self._provided: dict[str, Any] | None = None
        """What each bridge is told first, once machines were asked for."""
        self._foreign: Mapping[str, Sequence[str]] = {}
        self._same_name: Sequence[str] = ()
        self._closed = threading.Event()
        self._hear: Hearer = _nobody
        self._thread = threading.Thread(target=self._run, name="ray-transport", daemon=True)

    @property
    def bridge_pid(self) -> int | None:
        """The process of the bridge, while one runs."""
        bridge = self._bridge
        return None if bridge is None or bridge.poll() is not None else bridge.pid

    def foreign_agents(self) -> Mapping[str, Sequence[str]]:
        """Namespace of another service → the nodes that its agents are on."""
        return self._foreign

    def same_names(self) -> Sequence[str]:
        """Names that several machines have joined under; one of them is used."""
        return self._same_name

    def start(self, hear: Hearer) -> None:
        """Start the first bridge."""
        self._hear = hear
        self._thread.start()
        threading.Thread(target=self._watch, name="ray-watchdog", daemon=True).start()

    def call(
        self, number: int, node: str, method: str, arguments: Mapping[str, Any], limit_s: float
    ) -> None:
        """Call the node's agent by way of the bridge."""
        with self._lock:
            frames = self._frames
            self._pending.add(number)
        message = {"call": number, "node": node, "method": method, "arguments": dict(arguments)}
        try:
            if frames is None:
                raise ConnectionError("there is no bridge")
            frames.send({**message, "limit_s": limit_s})
        except OSError as error:
            self._fail(number, str(error))

    def provide(self, wanted: Mapping[str, ElasticPool]) -> None:
        """Have Ray's autoscaler boot a machine for each of these nodes, and end all others."""
        wishes = {
            name: {"pool": pool.name, "kind": pool.kind.value, "devices": pool.devices}
            for name, pool in wanted.items()
        }
        with self._lock:
            self._provided = {"provide": wishes}
            frames = self._frames
            with suppress(OSError):  # the next bridge is told
                if frames is not None:
                    frames.send(self._provided)

    def close(self) -> None:
        """End the bridge; agents go on."""
        self._closed.set()
        self._kill()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                self._begin()
                self._listen()
            except Exception:  # nodes must be heard again whatever happens
                _log.exception("the bridge to Ray failed and is started again")
            self._end()
            self._closed.wait(_RETRY_S)

    def _begin(self) -> None:
        own, other = socket.socketpair()
        command = [sys.executable, "-P", "-m", "scheduler.executors.ray.bridge"]
        self._log.parent.mkdir(parents=True, exist_ok=True)
        try:
            with other, self._log.open("wb") as log:
                self._bridge = subprocess.Popen(
                    [*command, str(other.fileno()), self._config.encode()],
                    env=self._environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=[other.fileno()],
                    start_new_session=True,  # Ctrl-C is for the service
                )
        except BaseException:
            own.close()
            raise
        self._heard.renew()
        with self._lock:
            self._frames = Frames(own)
            if self._provided is not None:
                with suppress(OSError):
                    self._frames.send(self._provided)
        if self._closed.is_set():
            self._kill()

    def _listen(self) -> None:
        frames = self._frames
        assert frames is not None
        while True:
            try:
                message = frames.receive()
            except ConnectionError:
                return
            if message is None:
                return
            self._heard.renew()
            self._take_in(message)

    def _take_in(self, message: Mapping[str, Any]) -> None:
        if "answer" in message:
            with self._lock:
                self._pending.discard(message["answer"])
            self._hear(AgentAnswer(message["answer"], message["value"]))
        elif "failed" in message:
            self._fail(message["failed"], message["error"])
        elif "members" in message:
            leaving = {name: Departure(DRAINS, at) for name, at in message["leaving"].items()}
            self._foreign, self._same_name = message["foreign"], message["same_name"]
            named, problems = message["members"], message["problems"]
            left = frozenset(message["left"])
            self._hear(NodeMembers(named, problems, leaving, message["unnamed"], left))
        elif "connected" in message:
            self._hear(EngineConnection(message["connected"], message["problem"]))

    def _end(self) -> None:
        """Nothing can be heard until another bridge is connected."""
        self._kill()
        if self._bridge is not None:
            self._bridge.wait()
        with self._lock:
            frames, self._frames = self._frames, None
            pending = sorted(self._pending)
        self._foreign, self._same_name = {}, ()
        if frames is not None:
            frames.close()
        if not self._closed.is_set():
            words = self._last_words()
            problem = "the connection to Ray was lost" + (f": {words}" if words else "")
            self._hear(EngineConnection(connected=False, problem=problem))
            for number in pending:
                self._fail(number, "the bridge ended")

    def _fail(self, number: int, error: str) -> None:
        with self._lock:
            if number not in self._pending:
                return
            self._pending.discard(number)
        self._hear(AgentFailure(number, error))

    def _watch(self) -> None:
        while not self._closed.wait(_LOOK_S):
            if self._heard.exhausted():
                _log.error("the bridge to Ray says nothing and is replaced")
                self._heard.renew()
                self._kill()

    def _kill(self) -> None:
        bridge = self._bridge
        if bridge is not None and bridge.poll() is None:
            bridge.send_signal(signal.SIGKILL)

    def _last_words(self) -> str:
        try:
            lines = self._log.read_text(errors="replace").splitlines()
        except OSError:
            return ""
        return next((line.strip() for line in reversed(lines) if line.strip()), "")[:300]


_QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS": "0"}


def _nobody(_: object) -> None:
    """Before the start."""
