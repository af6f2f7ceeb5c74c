"""Two services on the same raylet: each sees the other's agent, and what one leaves ends."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from scheduler.domain.nodes import NodeState
from scheduler.executors.ray import RayTransport
from tests.executors.conftest import Machine
from tests.executors.test_cluster_contract import destroy
from tests.support.ray_cluster import RayCluster, ray_executor

pytest.importorskip("ray", reason="the extra fulcrum-scheduler[ray] is not installed")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

NODE = "gpu-a"


@pytest.fixture
def ray_cluster(tmp_path: Path) -> Iterator[RayCluster]:
    made = RayCluster((NODE,))
    yield made
    made.close()
    for name in ("old", "new"):
        destroy(tmp_path / name / f"nodes-{os.getuid()}")


class Service(Machine):
    """A service of the name of its folder."""

    def __init__(self, cluster: RayCluster, root: Path) -> None:
        super().__init__(root)
        self.executor = ray_executor(cluster, root, root.name)
        self.executor.start(self.sink)
        self.until(lambda: self.state is NodeState.UP)

    @property
    def state(self) -> NodeState | None:
        facts = self.executor.nodes().get(NODE)
        return None if facts is None else facts.state

    @property
    def foreign(self) -> object:
        transport = self.executor._transport
        assert isinstance(transport, RayTransport)
        return transport.foreign_agents()


def test_agents_of_a_service_of_another_name_are_seen_until_they_end(
    ray_cluster: RayCluster, tmp_path: Path
) -> None:
    old = Service(ray_cluster, tmp_path / "old")
    new = Service(ray_cluster, tmp_path / "new")
    new.until(lambda: new.foreign == {"old": [NODE]})
    old.until(lambda: old.foreign == {"new": [NODE]})
    old.executor.close()
    new.until(lambda: new.foreign == {})
    assert new.state is NodeState.UP
    new.executor.close()


def test_of_two_machines_of_one_name_the_first_is_used_until_it_is_gone(
    ray_cluster: RayCluster, tmp_path: Path
) -> None:
    service = Service(ray_cluster, tmp_path / "new")
    transport = service.executor._transport
    assert isinstance(transport, RayTransport)
    ray_cluster.add(NODE)
    service.until(lambda: list(transport.same_names()) == [NODE])
    assert service.state is NodeState.UP
    ray_cluster.kill(NODE)
    service.until(lambda: not transport.same_names())
    service.until(lambda: service.state is NodeState.UP)
    service.executor.close()
