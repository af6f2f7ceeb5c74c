"""The executor of many nodes owes what every executor owes."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from scheduler.executors.base import Executor, LaunchSpec
from scheduler.executors.cluster import ClusterExecutor
from scheduler.executors.local import LocalExecutor, attempt_records, burial
from scheduler.executors.local.records import claim
from scheduler.executors.local.records import folder as files
from scheduler.executors.local.system import process
from scheduler.testing.executor_contract import ExecutorContract, Script
from scheduler.testing.in_process import DIGEST, InProcessCluster
from scheduler.testing.node_contract import NodeContract
from tests.executors.test_contract import _WORKS


def open_node(folder: Path) -> LocalExecutor:
    return LocalExecutor(
        folder / "run",
        preload="scheduler.testing.scripts:preload",
        target="scheduler.testing.scripts:run",
        linger_s=0.5,
        sweep_s=0.2,
    )


def destroy(folder: Path) -> None:
    """Kill everything that runs in the folder of a node, as if its machine had lost power."""
    for record, pid in claim.supervisors().items():
        if folder in record.parents:
            running = claim.runner(record)
            process.kill([pid, *process.descendants(pid)])
            burial.bury(record, running)


class TestClusterExecutor(ExecutorContract):
    node = "gpu-a"

    @pytest.fixture(autouse=True)
    def _cluster(self, tmp_path: Path) -> Iterator[None]:
        self.cluster = InProcessCluster(tmp_path, ("gpu-a", "gpu-b"), open_node, destroy)
        yield
        self.cluster.close()

    def open(self, folder: Path) -> Executor:
        return ClusterExecutor(self.cluster.transport(), digest=DIGEST)

    def work(self, script: Script) -> Mapping[str, Any]:
        return _WORKS[script]

    def lose(self, executor: Executor, spec: LaunchSpec) -> None:
        run_folder = self.cluster.nodes["gpu-a"].folder / "run"
        running = files.read_running(attempt_records.place(run_folder, spec))
        assert running is not None
        assert running.supervisor.send(signal.SIGKILL)


class TestNodesOfClusterExecutor(NodeContract):
    @pytest.fixture(autouse=True)
    def _cluster(self, tmp_path: Path) -> Iterator[None]:
        self.cluster = InProcessCluster(tmp_path, ("gpu-a", "gpu-b"), open_node, destroy)
        yield
        self.cluster.close()

    def open(self, folder: Path, *, lost_after_s: float) -> Executor:
        transport = self.cluster.transport()
        return ClusterExecutor(
            transport,
            digest=DIGEST,
            lost_after_s=lost_after_s,
            unreachable_after_s=1.0,
            patience_s=5.0,
        )

    def cut(self, node: str) -> None:
        self.cluster.cut(node)

    def heal(self, node: str) -> None:
        self.cluster.heal(node)

    def kill_node(self, node: str) -> None:
        self.cluster.kill_node(node)

    def restart_engine(self, pause_s: float) -> None:
        self.cluster.restart_engine(pause_s=pause_s)

    def run_folder(self, node: str) -> Path:
        return self.cluster.nodes[node].folder / "run"

    def lose(self, spec: LaunchSpec, rank: int) -> None:
        run_folder = self.run_folder(spec.parts[rank].node)
        running = files.read_running(attempt_records.place(run_folder, spec))
        assert running is not None
        assert running.supervisor.send(signal.SIGKILL)
