"""A Ray cluster on this machine for demos and benchmarks: its nodes can die as machines do."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from api.client import Client
from scheduler.domain.nodes import NodeState
from scheduler.node import engine

TIMEOUT_S = 240.0
"""Seconds for nodes to become ready."""
_BRIDGE = "scheduler.executors.ray.bridge"
"""A service's connection to the head."""


class LocalCluster:
    """Each node is a Ray node with an address and a run folder of its own, as on another machine.

    `folder` is that of the service, and of no other cluster; `pools` names the pool of each node
    (empty: by its devices); `port` is that of the head (default: a free one).
    """

    def __init__(self, folder: Path, pools: Mapping[str, str], port: int | None = None) -> None:
        self._folder = folder.resolve()
        self._pools = pools
        self._hosts = {name: f"127.0.0.{at}" for at, name in enumerate(pools, start=11)}
        self._port = port or _free_port()
        self.address = f"{engine.THIS_MACHINE}:{self._port}"
        """Of the head."""

    def settings(self, lost_after_s: float) -> dict[str, str]:
        """Variables for a service on this cluster."""
        return {
            "FULCRUM_EXECUTOR__KIND": "ray",
            "FULCRUM_RAY__ADDRESS": self.address,
            "FULCRUM_RAY__LOST_AFTER_S": str(lost_after_s),
            "FULCRUM_RAY__NODE_FOLDER": str(self._folder / "nodes"),
        }

    def start_head(self) -> None:
        """Start the head, again on the same port. Raises `StateError`."""
        token = engine.token_file(self._folder)
        engine.start_head(engine.THIS_MACHINE, self._port, token)

    def join(self, name: str) -> None:
        """Start a node. Raises `StateError`."""
        token = engine.token_file(self._folder)
        engine.join(self.address, name, token, self._hosts[name], self._pools[name] or None)

    def wait(self, client: Client, tell: Callable[[str], object] = lambda _: None) -> None:
        """Until all nodes take jobs; `tell` gets a line for each change. Raises `RuntimeError`."""
        begun, line = time.monotonic(), ""
        while time.monotonic() - begun < TIMEOUT_S:
            found = {node.name: node.state for node in client.nodes().nodes}
            states = [f"{name} {found.get(name, 'absent')}" for name in self._pools]
            if line != (line := ", ".join(states)):
                tell(f"{time.monotonic() - begun:4.0f} s  nodes: {line}")
            if all(found.get(name) is NodeState.UP for name in self._pools):
                return
            time.sleep(0.5)
        raise RuntimeError(f"the nodes are not ready after {TIMEOUT_S:g} s: {line}")

    def kill(self, name: str) -> None:
        """End every process of a node, as if its machine lost power."""
        run = f"{self._folder / 'nodes'}-{os.getuid()}"
        host = self._hosts[name]
        marks = f"node-ip-address={host}", f"node_ip_address={host}"
        self._end(
            lambda line, own: (
                (own and any(mark in line for mark in marks))
                or (run in line and f"/{name}/run" in line)
            )
        )

    def kill_head(self) -> None:
        """End the head."""
        marks = f"{engine.THIS_MACHINE}:{self._port}", f"gcs_server_port={self._port}"
        nodes = [f"address={host}" for host in self._hosts.values()]
        self._end(
            lambda line, own: (
                own
                and any(mark in line for mark in marks)
                and _BRIDGE not in line
                and not any(node in line for node in nodes)
            )
        )

    def close(self) -> None:
        """End the head and all nodes, with what runs there."""
        for name in self._pools:
            self.kill(name)
        self.kill_head()

    def _end(self, belongs: Callable[[str, bool], bool]) -> None:
        """Kill the processes with such command lines, and their descendants.

        `belongs` gets the line, and whether the process is one of Ray's in this cluster.
        """
        found: set[psutil.Process] = set()
        for process in _others():
            with suppress(psutil.Error):
                if belongs(" ".join(process.cmdline()), self._owns(process)):
                    found |= {process, *process.children(recursive=True)}
        for process in found:
            with suppress(psutil.Error):
                process.kill()

    def _owns(self, process: psutil.Process) -> bool:
        """Other clusters of this machine have nodes of the same addresses, but other tokens."""
        token = process.environ().get(engine.TOKEN_VARIABLE)
        return token is not None and Path(token).resolve().is_relative_to(self._folder)


@contextmanager
def local_cluster(folder: Path, pools: Mapping[str, str]) -> Iterator[LocalCluster]:
    """A cluster with its head running; nodes join by `LocalCluster.join`."""
    made = LocalCluster(folder, pools)
    try:
        made.start_head()
        yield made
    finally:
        made.close()


def _free_port() -> int:
    with socket.create_server((engine.THIS_MACHINE, 0)) as free:
        return int(free.getsockname()[1])


def _others() -> Iterable[psutil.Process]:
    return (process for process in psutil.process_iter() if process.pid != os.getpid())
