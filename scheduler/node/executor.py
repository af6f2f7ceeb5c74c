"""What runs jobs, as the settings say."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scheduler import settings as config
from scheduler.domain.errors import InputError
from scheduler.executors.base import Executor
from scheduler.executors.cluster import ClusterExecutor
from scheduler.executors.local import LocalExecutor
from scheduler.executors.local.system.digest import digest
from scheduler.executors.ray import RayTransport
from scheduler.executors.ray.config import BridgeConfig
from scheduler.hardware.elastic_pools import elastic_pools
from scheduler.hardware.limits import cpu_quota
from scheduler.node import agent, engine, ray_command, shared_folder, storage_check
from scheduler.node.mirroring_executor import MirroringExecutor
from scheduler.problems import HealthProblem
from scheduler.service.nodes.node_paths import Ask
from scheduler.storage.objects import ObjectStorage


@dataclass(frozen=True, slots=True)
class Runner:
    """What runs the jobs of a service."""

    executor: Executor
    ask: Ask | None = None
    """Asks its nodes what they have; None: it runs jobs on this machine."""
    storage: ObjectStorage | None = None
    """Where the files of jobs are; None: in the data folder."""
    warnings: Callable[[], Iterable[HealthProblem]] = tuple
    """What is not well with the nodes, but keeps no job from starting."""


def runner(settings: config.Settings) -> Runner:
    """Not yet started. Raises `InputError` if it needs packages that are missing."""
    options: dict[str, Any] = {
        "light": "scheduler.workloads.run:preload_for_commands",
        "spares": settings.executor.warm_workers,
        "linger_s": settings.executor.linger_s,
        "grace_s": settings.executor.grace_s,
        "log_bytes": settings.executor.max_log_bytes,
        "pass_env": settings.executor.pass_env,
    }
    if settings.executor.kind == "ray":
        storage = None if settings.storage is None else ObjectStorage(settings.storage)
        transport = _transport(settings, options, storage)
        nodes = _on_ray(settings, transport)
        executor: Executor = nodes
        if storage is not None:
            executor = MirroringExecutor(nodes, storage, settings.data_dir.absolute() / "jobs")
        return Runner(executor, nodes.questions.ask, storage, lambda: _warnings(transport))
    if settings.storage is not None:
        raise InputError(
            "storage is for jobs on other machines",
            {"storage": "none, or executor.kind = ray"},
        )
    # A quota grants processor time on any CPU. Services that share a host under quotas would all
    # pin their jobs to its first CPUs.
    return Runner(LocalExecutor(settings.data_dir / "run", pin=cpu_quota() is None, **options))


def namespace(settings: config.Settings) -> str:
    """Of the service's agents: another one for each database, unless it is configured."""
    known = hashlib.sha256(settings.database.encode()).hexdigest()[:12]
    return settings.ray.namespace or f"fulcrum-{known}"


def _transport(
    settings: config.Settings, options: dict[str, Any], storage: ObjectStorage | None
) -> RayTransport:
    ray_command.check_installed()
    ray = settings.ray
    agents = agent.AgentConfig(
        folder=ray.node_folder,
        namespace=namespace(settings),
        linger_s=ray.linger_s,
        shared=settings.data_dir.absolute(),
        storage=settings.storage or "",
        mark=(
            shared_folder.mark(settings.data_dir)
            if storage is None
            else storage_check.mark(storage)
        ),
        reserved_cores=settings.hardware.reserved_cores,
        reserved_memory=settings.hardware.reserved_memory,
        executor=options,
    )
    bridge = BridgeConfig(
        ray.address, namespace(settings), agent.OPENER, digest(), agent.encode(agents)
    )
    token = settings.data_dir / engine.TOKEN_FILE
    return RayTransport(
        bridge,
        settings.data_dir / "ray" / "bridge.log",
        environment=engine.environment(token if token.is_file() else None),
    )


def _on_ray(settings: config.Settings, transport: RayTransport) -> ClusterExecutor:
    return ClusterExecutor(
        transport,
        digest=digest(),
        pools=elastic_pools(settings.pools),
        provider=transport,
        notice_grace_s=settings.preemption.grace_s,
        lost_after_s=settings.ray.lost_after_s,
    )


def _warnings(transport: RayTransport) -> Iterator[HealthProblem]:
    yield from _foreign(transport.foreign_agents())
    for name in transport.same_names():
        text = f"several machines have joined as node {name}; only one of them gets jobs"
        advice = f"on the others: fulcrum node leave {name}, then join under names of their own"
        yield HealthProblem("nodes", text, advice, fatal=False)


def _foreign(agents: Mapping[str, Sequence[str]]) -> Iterator[HealthProblem]:
    """Agents of other services, or of this one under an earlier name, on the same nodes."""
    for namespace, nodes in agents.items():
        text = (
            f"{', '.join(nodes)}: agents of another service, {namespace}, are there too: it may "
            "run jobs on the same devices"
        )
        advice = (
            "give each service nodes of its own; agents that no service uses end by themselves "
            "ray.linger_s after their last job"
        )
        yield HealthProblem("nodes", text, advice, fatal=False)
