"""A Ray cluster of raylets on this machine, and ways to break its nodes."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from scheduler.executors.cluster import ClusterExecutor
from scheduler.executors.local.system import process
from scheduler.executors.local.system.digest import digest
from scheduler.executors.ray import RayTransport
from scheduler.executors.ray.config import NODE_LABEL, BridgeConfig
from scheduler.node import agent

ADDRESS = "127.0.0.2"
"""Ray rewrites 127.0.0.1 to the machine's outer address."""
_SMALL = {"object_store_memory": 80 << 20, "memory": 512 << 20, "node_ip_address": ADDRESS}
ENVIRONMENT = {
    "RAY_worker_oom_score_adjustment": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS": "0",
}


class RayCluster:
    """A head without work, and one raylet for each name."""

    def __init__(self, names: Iterable[str]) -> None:
        os.environ.update(ENVIRONMENT)
        self.names = tuple(names)
        self._port = 0
        self._nodes: dict[str, Any] = {}
        self._stopped: list[int] = []
        self.start()

    @property
    def address(self) -> str:
        return f"{ADDRESS}:{self._port}"

    def start(self) -> None:
        """Begin, on the port of before if there was one."""
        from ray.cluster_utils import Cluster

        port = {"gcs_server_port": self._port} if self._port else {}
        head = {"num_cpus": 0, "include_dashboard": False, **_SMALL, **port}
        self._cluster = Cluster(initialize_head=True, head_node_args=head)
        self._port = int(self._cluster.address.rpartition(":")[2])
        self._nodes = {}
        self.complete()

    def complete(self) -> None:
        """Add the nodes that are missing, and let frozen ones go on."""
        self.thaw()
        for name in self.names:
            if name not in self._nodes:
                self._nodes[name] = self.add(name)

    def add(self, name: str) -> Any:
        """Start a raylet with this name, whether or not there is one; it ends with the cluster."""
        return self._cluster.add_node(num_cpus=1, labels={NODE_LABEL: name}, **_SMALL)

    def freeze(self, name: str) -> None:
        """Stop the raylet and its workers, agents among them, as if nothing came through."""
        for pid in self._processes(name):
            self._stopped.append(pid)
            process.kill([pid], signal.SIGSTOP)

    def thaw(self) -> None:
        process.kill(self._stopped, signal.SIGCONT)
        self._stopped.clear()

    def kill(self, name: str) -> None:
        """End the raylet and its workers; nothing that left them ends."""
        pids = self._processes(name)
        process.kill(pids)
        self._cluster.remove_node(self._nodes.pop(name), allow_graceful=False)

    def restart(self, pause_s: float = 0.0) -> None:
        """End head and raylets, and begin them again at the same address."""
        self.thaw()
        self._cluster.shutdown()
        time.sleep(pause_s)
        self.start()

    def close(self) -> None:
        self.thaw()
        self._cluster.shutdown()

    def _processes(self, name: str) -> list[int]:
        raylet = self._nodes[name].all_processes["raylet"][0].process.pid
        workers = [
            stat.pid
            for stat in process.everything()
            if stat.parent == raylet and _title(stat.pid).startswith(b"ray::")
        ]
        return [raylet, *workers]


class HasAddress(Protocol):
    """A Ray cluster."""

    @property
    def address(self) -> str:
        """Of its head."""


def _title(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def ray_executor(
    cluster: HasAddress,
    root: Path,
    namespace: str,
    stored: Mapping[str, Any] | None = None,
    **options: Any,
) -> ClusterExecutor:
    """An executor whose attempts do what `scheduler.testing.scripts` says.

    `stored`: fields of the agents' configuration for nodes that share no folder.
    """
    local = {
        "preload": "scheduler.testing.scripts:preload",
        "target": "scheduler.testing.scripts:run",
        "linger_s": 0.5,
        "sweep_s": 0.2,
    }
    agents = agent.AgentConfig(
        root / "nodes", namespace, linger_s=5.0, executor=local, **stored or {}
    )
    code = digest()
    config = BridgeConfig(cluster.address, namespace, agent.OPENER, code, agent.encode(agents))
    transport = RayTransport(config, root / "bridge.log")
    return ClusterExecutor(transport, digest=code, provider=transport, **options)
