"""The executor owes the same over Ray: a real cluster of three raylets on this machine."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from scheduler.executors.base import Executor, LaunchSpec
from scheduler.executors.local import attempt_records
from scheduler.executors.local.records import folder as files
from scheduler.testing.executor_contract import ExecutorContract, Script
from scheduler.testing.node_contract import NodeContract
from tests.executors.test_cluster_contract import destroy
from tests.executors.test_contract import _WORKS
from tests.support.ray_cluster import RayCluster, ray_executor

pytest.importorskip("ray", reason="the extra fulcrum-scheduler[ray] is not installed")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

_NAMESPACES = (f"contract-{number}" for number in itertools.count(1))


@pytest.fixture(scope="module")
def ray_cluster() -> Iterator[RayCluster]:
    made = RayCluster(("gpu-a", "gpu-b"))
    yield made
    made.close()


class _OnRay:
    """Each test has agents and folders of its own."""

    @pytest.fixture(autouse=True)
    def _fresh(self, ray_cluster: RayCluster, tmp_path: Path) -> Iterator[None]:
        ray_cluster.complete()
        self.ray, self.root, self.namespace = ray_cluster, tmp_path, next(_NAMESPACES)
        yield
        ray_cluster.thaw()
        destroy(self.nodes)

    @property
    def nodes(self) -> Path:
        return self.root / f"nodes-{os.getuid()}" / self.namespace

    def run_folder(self, node: str) -> Path:
        return self.nodes / node / "run"

    def lose_rank(self, spec: LaunchSpec, rank: int) -> None:
        run_folder = self.run_folder(spec.parts[rank].node)
        running = files.read_running(attempt_records.place(run_folder, spec))
        assert running is not None
        assert running.supervisor.send(signal.SIGKILL)


class TestRayExecutor(_OnRay, ExecutorContract):
    node = "gpu-a"

    def open(self, folder: Path) -> Executor:
        return ray_executor(self.ray, folder, self.namespace)

    def work(self, script: Script) -> Mapping[str, Any]:
        return _WORKS[script]

    def lose(self, executor: Executor, spec: LaunchSpec) -> None:
        self.lose_rank(spec, 0)


class TestNodesOfRayExecutor(_OnRay, NodeContract):
    lost_after_s = 8.0
    restart_lost_after_s = 40.0

    def open(self, folder: Path, *, lost_after_s: float) -> Executor:
        return ray_executor(
            self.ray,
            folder,
            self.namespace,
            lost_after_s=lost_after_s,
            unreachable_after_s=4.0,
            patience_s=15.0,
        )

    def cut(self, node: str) -> None:
        self.ray.freeze(node)

    def heal(self, node: str) -> None:
        self.ray.thaw()

    def kill_node(self, node: str) -> None:
        self.ray.kill(node)
        destroy(self.nodes / node)

    def restart_engine(self, pause_s: float) -> None:
        self.ray.restart(pause_s)

    def lose(self, spec: LaunchSpec, rank: int) -> None:
        self.lose_rank(spec, rank)
