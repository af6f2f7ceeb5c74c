"""Ray's autoscaler as the provider of machines: raylets of this machine that boot and end."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from scheduler.domain.elastic_pools import Elasticity, ElasticPool
from scheduler.domain.nodes import NodeState
from scheduler.domain.resources import DeviceKind
from scheduler.executors.base import AttemptKey, LaunchSpec, Part
from tests.executors.conftest import Machine
from tests.executors.test_cluster_contract import destroy
from tests.support.ray_autoscaler import RayAutoscaler
from tests.support.ray_cluster import ray_executor

provider = "ray.autoscaler._private.fake_multi_node.node_provider"
pytest.importorskip(provider, reason="Ray with its autoscaler for tests is not installed")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

POOL = ElasticPool("spot", DeviceKind.CPU, "Test CPU", 1, 2, Elasticity(idle_timeout_s=2.0))


@pytest.fixture(scope="module")
def ray(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayAutoscaler]:
    made = RayAutoscaler(tmp_path_factory.mktemp("ray"), POOL.name)
    yield made
    made.close()


class Service(Machine):
    """A service of its own on the cluster."""

    def __init__(self, ray: RayAutoscaler, root: Path, pool: ElasticPool = POOL) -> None:
        super().__init__(root)
        self.nodes = root / f"nodes-{os.getuid()}"
        self.executor = ray_executor(ray, root, root.name, pools=(pool,))
        self.executor.start(self.sink)

    def on(self, attempt: str, do: str, node: str) -> LaunchSpec:
        spec = self.spec(attempt, do, parts=(Part(node, DeviceKind.CPU, ("#0",)),))
        self.executor.launch(spec)
        return spec

    def until_state(self, node: str, state: NodeState) -> None:
        self.until(lambda: node in (nodes := self.executor.nodes()) and nodes[node].state is state)


@pytest.fixture
def service(ray: RayAutoscaler, tmp_path: Path) -> Iterator[Service]:
    made = Service(ray, tmp_path)
    yield made
    made.executor.close()
    destroy(made.nodes)


def test_a_machine_boots_for_a_job_and_ends_after_it(ray, service) -> None:
    service.until_state("spot-1", NodeState.OFF)
    assert ray.machines() == []
    service.on("1.1", "exit", "spot-1")
    assert service.exited("1.1").success
    (machine,) = ray.machines()
    facts = service.executor.nodes()["spot-1"]
    assert (facts.engine_id, facts.labels["fulcrum/pool"]) == (machine, "spot")
    service.until_state("spot-1", NodeState.OFF)
    service.until(lambda: ray.machines() == [])


def test_a_notice_preempts_the_job_in_time(ray, service) -> None:
    service.on("1.1", "sleep", "spot-0")
    service.started("1.1")
    (machine,) = ray.machines()
    ray.drain(machine, 60.0)
    noticed_at = time.time()
    ended = service.exited("1.1")
    assert (ended.preempted, ended.lost) == (True, False)
    assert "its machine will be taken away: Ray drains it" in ended.reason
    assert ended.time < noticed_at + 60.0
    service.until_state("spot-0", NodeState.OFF)
    service.until(lambda: ray.machines() == [])


def test_a_service_that_starts_again_finds_its_machine(ray, tmp_path) -> None:
    before = Service(ray, tmp_path)
    spec = before.on("1.1", "gate", "spot-0")
    pid = before.started("1.1").pid
    before.executor.close()
    after = Service(ray, tmp_path)
    key = AttemptKey(spec.attempt, spec.nonce, spec.folder, ("spot-0",))
    assert after.executor.alive([key]) == {"1.1": pid}
    (spec.shared / "gate").touch()
    assert after.exited("1.1").success
    after.until_state("spot-0", NodeState.OFF)
    after.until(lambda: ray.machines() == [])
    after.executor.close()
    destroy(after.nodes)
