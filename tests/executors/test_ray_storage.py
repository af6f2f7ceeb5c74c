"""Real raylets that share no folder with the service: what a job saved is there elsewhere."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scheduler.domain.jobs import JobKind
from scheduler.domain.resources import DeviceKind
from scheduler.executors.base import Exited, LaunchSpec, Part
from scheduler.executors.path_needs import PathKind, PathNeed
from scheduler.node import storage_check
from scheduler.node.mirroring_executor import MirroringExecutor
from scheduler.storage.objects import ObjectStorage
from scheduler.storage.stored_folders import read_stub
from scheduler.testing.executor_contract import Recorder
from tests.executors.test_cluster_contract import destroy
from tests.support.ray_cluster import RayCluster, ray_executor

pytest.importorskip("ray", reason="the extra fulcrum-scheduler[ray] is not installed")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

PATIENCE_S = 120.0
NAMESPACE = "storage"


@pytest.fixture
def ray_cluster(tmp_path: Path) -> Iterator[RayCluster]:
    made = RayCluster(("gpu-a", "gpu-b"))
    yield made
    made.close()
    destroy(tmp_path / f"nodes-{os.getuid()}")


@pytest.fixture(params=["file", "s3"])
def storage(request, tmp_path: Path) -> ObjectStorage:
    """Made before the raylets, which inherit the environment that names S3's server."""
    if request.param == "s3":
        return ObjectStorage(request.getfixturevalue("s3_url"))
    return ObjectStorage(f"file://{tmp_path}/storage")


def launch(executor: MirroringExecutor, root: Path, number: int, node: str) -> LaunchSpec:
    spec = LaunchSpec(
        attempt=f"17.{number}",
        nonce=f"n{number}",
        job_nonce="j",
        kind=JobKind.COMMAND,
        work={"do": "count"},
        folder=root / "17" / f"attempt-{number}",
        shared=root / "17",
        parts=(Part(node, DeviceKind.CPU),),
    )
    executor.launch(spec)
    return spec


def test_a_job_goes_on_elsewhere_when_its_node_is_gone(
    storage: ObjectStorage, ray_cluster: RayCluster, tmp_path: Path
) -> None:
    root, sink = tmp_path / "service" / "jobs", Recorder()
    stored = {
        "shared": root.parent,
        "storage": storage.url,
        "mark": storage_check.mark(storage),
    }
    nodes = ray_executor(
        ray_cluster, tmp_path, NAMESPACE, stored, lost_after_s=8.0, unreachable_after_s=4.0
    )
    executor = MirroringExecutor(nodes, storage, root)
    executor.start(sink)

    def until(condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, f"waited in vain; so far: {sink.events}"
            sink.wait(0.05)

    def exited(spec: LaunchSpec) -> Exited:
        until(lambda: sink.exited(spec.attempt))
        return sink.exited(spec.attempt)[0]

    try:
        first = launch(executor, root, 1, "gpu-a")
        until(lambda: read_stub(root / "17" / "checkpoints")[1])
        found = nodes.questions.ask(["gpu-b"], [PathNeed(PathKind.FOLDER, "/nowhere")], PATIENCE_S)
        assert [one.problem for one in found["gpu-b"]] == ["/nowhere is not a folder"]
        ray_cluster.kill("gpu-a")
        destroy(tmp_path / f"nodes-{os.getuid()}" / NAMESPACE / "gpu-a")
        assert exited(first).lost
        second = launch(executor, root, 2, "gpu-b")
        until(lambda: "counted" in _log(second))
        place = tmp_path / f"nodes-{os.getuid()}" / NAMESPACE / "gpu-b" / "jobs" / "17.2-n2"
        (place / "17" / "attempt-2" / "gate").touch()
        assert exited(second).success
        assert _log(second) == "counted\nended\n"
        own, files = read_stub(root / "17" / "artifacts")
        result = storage.get(f"{own}/{files['result/attempts'].object}")
        assert result == b"17.1\n17.2\n"
    finally:
        executor.close()


def _log(spec: LaunchSpec) -> str:
    path = spec.folder / "log.txt"
    return path.read_text() if path.exists() else ""
