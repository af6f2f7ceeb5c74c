"""Opens a node's agent: the local executor of that machine, and what the machine has."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from scheduler.domain.nodes import NodeFacts
from scheduler.executors.cluster.agent import NodeAgent, NodeExecutor
from scheduler.executors.local import LocalExecutor
from scheduler.executors.local.system.digest import digest
from scheduler.executors.path_needs import PathFinding, PathNeed
from scheduler.hardware.cpus import detect_cpus
from scheduler.hardware.gpus import detect_gpus
from scheduler.hardware.limits import cpu_quota
from scheduler.node import shared_folder
from scheduler.node.carrying_executor import CarryingExecutor
from scheduler.node.storage_check import StorageCheck
from scheduler.storage.objects import ObjectStorage
from scheduler.workloads.spec.paths import MachineLook

OPENER = "scheduler.node.agent:open_agent"
"""Names `open_agent` to an engine."""


@dataclass(frozen=True, slots=True)
class AgentConfig:
    """What a service wants of the agents of all nodes; it travels as JSON."""

    folder: Path
    """On the node's own disk, the same after a restart. The user's number is added to its name;
    below it each node of each namespace has a folder."""
    namespace: str
    """Of the service."""
    name: str = ""
    """Of the node."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Of the node, as its engine has them."""
    linger_s: float = 3600.0
    """Seconds without a service and without attempts after which an agent ends."""
    shared: Path | None = None
    """The service's data folder. Without a storage a node must see it; None: it need not."""
    storage: str = ""
    """URL of the storage that carries the files of jobs; empty: the data folder is shared."""
    mark: str = ""
    """Of the data folder or the storage; see `shared_folder`, `storage_check`."""
    reserved_cores: int = 0
    """CPUs kept for the system."""
    reserved_memory: float = 0.1
    """Share of host memory kept for the system."""
    executor: Mapping[str, Any] = field(default_factory=dict)
    """Options of `LocalExecutor`."""


_CONFIG = TypeAdapter(AgentConfig)


def encode(config: AgentConfig) -> dict[str, Any]:
    """A JSON object for `open_agent`."""
    values: dict[str, Any] = _CONFIG.dump_python(config, mode="json")
    return values


def open_agent(values: Mapping[str, Any]) -> NodeAgent:
    """The agent of this machine, from what `encode` made; raises `ValueError`, `OSError`."""
    config = _CONFIG.validate_python(values)
    folder = _private(config.folder) / config.namespace / config.name
    options = {"pin": cpu_quota() is None, **config.executor}

    def local() -> NodeExecutor:
        return LocalExecutor(folder / "run", **options)

    if config.storage and config.shared is not None:
        jobs = config.shared / "jobs"
        storage = ObjectStorage(config.storage)
        check = StorageCheck(storage, config.mark)
        return NodeAgent(
            lambda: CarryingExecutor(local(), storage, jobs, folder / "jobs"),
            _facts(config),
            linger_s=config.linger_s,
            obstacle=lambda: check.problem,
            look=_look,
        )
    return NodeAgent(
        local,
        _facts(config),
        linger_s=config.linger_s,
        obstacle=lambda: _obstacle(config),
        look=_look,
    )


def _obstacle(config: AgentConfig) -> str:
    return shared_folder.problem(config.shared, config.mark) if config.shared else ""


def _look(needs: Sequence[PathNeed]) -> list[PathFinding]:
    """What this machine has, within the bounds of one request."""
    look = MachineLook()
    return [look.find(need) for need in needs]


def _private(folder: Path) -> Path:
    """The folder of this user alone. Raises `PermissionError` if another one made it."""
    folder = folder.with_name(f"{folder.name}-{os.getuid()}")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to another user; name another ray.node_folder")
    return folder


def _facts(config: AgentConfig) -> NodeFacts:
    cpus, gpus = detect_cpus(), detect_gpus()
    numbers = cpus.numbers[min(config.reserved_cores, len(cpus.numbers) - 1) :]
    return NodeFacts(
        config.name,
        labels=dict(config.labels),
        address=socket.gethostname(),
        boot_id=Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
        cpus=tuple(map(str, numbers)),
        cpu_model=cpus.model,
        gpus=tuple((gpu.uuid, gpu.model, gpu.memory_bytes) for gpu in gpus),
        memory_bytes=int(cpus.memory_bytes * (1 - config.reserved_memory)),
        digest=digest(),
    )
