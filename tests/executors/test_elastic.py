"""What people are sure of when nodes boot for their jobs and are shut down after them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from scheduler.domain.elastic_pools import Elasticity, ElasticPool
from scheduler.domain.nodes import NodeState
from scheduler.domain.resources import DeviceKind
from scheduler.executors.base import AttemptKey, LaunchSpec
from scheduler.executors.cluster.base import Departure
from scheduler.testing.in_process import InProcessCluster
from tests.executors.test_cluster import Service
from tests.executors.test_cluster_contract import destroy, open_node
from tests.support.waiting import PATIENCE_S

ON, FIRST, SECOND = "gpu-a", "spot-0", "spot-1"
POOL = ElasticPool(
    "spot", DeviceKind.CPU, "Test CPU", 1, 2, Elasticity(idle_timeout_s=PATIENCE_S * 10)
)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[InProcessCluster]:
    made = InProcessCluster(tmp_path / "nodes", (ON,), open_node, destroy)
    yield made
    made.close()


class Elastic(Service):
    """A service with an elastic pool."""

    def __init__(self, root: Path, cluster: InProcessCluster, pool: ElasticPool, **options) -> None:
        transport = cluster.transport()
        given = {"transport": transport, "pools": (pool,), "provider": transport}
        super().__init__(root, cluster, **given, **({"unreachable_after_s": 6.0} | options))

    def on(self, attempt: str, do: str, *nodes: str) -> LaunchSpec:
        """Launch an attempt on these nodes, as a placement on nodes that are off does."""
        spec = self.spec(attempt, do)
        devices = {FIRST: ("#0",), SECOND: ("#0",)}
        parts = tuple(
            replace(spec.parts[0], node=node, devices=devices.get(node, ())) for node in nodes
        )
        spec = replace(spec, parts=parts)
        self.executor.launch(spec)
        return spec


@pytest.fixture
def service(cluster, tmp_path, request) -> Iterator[Elastic]:
    pool, options = getattr(request, "param", (POOL, {}))
    made = Elastic(tmp_path, cluster, pool, **options)
    made.until_state(ON, NodeState.UP)
    yield made
    made.executor.close()


def test_nodes_are_off_until_a_job_is_placed_there(cluster, service) -> None:
    service.until_state(FIRST, NodeState.OFF)
    assert service.state(SECOND) is NodeState.OFF
    assert not cluster.wanted
    service.on("1.1", "exit", FIRST)
    assert service.exited("1.1").success
    service.until_state(FIRST, NodeState.UP)
    assert service.executor.nodes()[FIRST].cpus == ("0",)
    assert service.state(SECOND) is NodeState.OFF
    assert set(cluster.wanted) == {FIRST}


def test_a_launch_waits_until_its_node_has_booted(cluster, service) -> None:
    cluster.boots = False
    service.on("1.1", "exit", FIRST)
    service.until_state(FIRST, NodeState.BOOTING)
    assert not service.sink.started("1.1")
    assert set(cluster.wanted) == {FIRST}
    cluster.boot(FIRST)
    assert service.exited("1.1").success


def test_parts_start_together_when_all_nodes_have_booted(cluster, service) -> None:
    cluster.boots = False
    spec = service.on("1.1", "gate", ON, FIRST)
    service.until_state(FIRST, NodeState.BOOTING)
    service.on("2.1", "exit", ON)
    assert service.exited("2.1").success
    assert not (spec.folder / "log.txt").exists()
    cluster.boot(FIRST)
    service.until(lambda: bool(service.sink.started("1.1")))
    (spec.shared / "gate").touch()
    assert service.exited("1.1").success


SHORT = replace(POOL, elasticity=Elasticity(idle_timeout_s=0.5))


@pytest.mark.parametrize("service", [(SHORT, {})], indirect=True)
def test_a_node_without_jobs_is_shut_down(cluster, service) -> None:
    service.on("1.1", "exit", FIRST)
    assert service.exited("1.1").success
    service.until_state(FIRST, NodeState.OFF)
    assert service.executor.nodes()[FIRST].reason == "it had no job for 0.5 s"
    service.until(lambda: FIRST not in cluster.nodes)
    service.on("2.1", "exit", FIRST)
    assert service.exited("2.1").success


@pytest.mark.parametrize(
    "service", [(replace(SHORT, elasticity=Elasticity(1, 0.2)), {})], indirect=True
)
def test_the_least_number_of_nodes_is_on_from_the_start_and_stays_on(cluster, service) -> None:
    service.until_state(FIRST, NodeState.UP)
    assert service.state(SECOND) is NodeState.OFF
    service.on("1.1", "exit", SECOND)
    assert service.exited("1.1").success
    service.until_state(SECOND, NodeState.OFF)
    assert service.state(FIRST) is NodeState.UP
    cluster.kill_node(FIRST)  # its machine is gone: another one boots
    service.until_state(FIRST, NodeState.OFF)
    service.until_state(SECOND, NodeState.UP)


@pytest.mark.parametrize("service", [(replace(POOL, boot_timeout_s=0.5), {})], indirect=True)
def test_a_node_that_does_not_boot_loses_its_job_and_is_not_asked_for_again(
    cluster, service
) -> None:
    cluster.boots = False
    service.on("1.1", "exit", FIRST)
    ended = service.exited("1.1")
    assert ended.lost
    assert ended.reason == "lost: node spot-0 is off: it was not ready within 0.5 s"
    service.until_state(FIRST, NodeState.DOWN)
    service.until(lambda: not cluster.wanted)
    service.on("2.1", "exit", FIRST)
    assert service.exited("2.1").lost


@pytest.mark.parametrize("service", [(replace(POOL, devices=2), {})], indirect=True)
def test_a_machine_with_too_few_devices_is_given_back(cluster, service) -> None:
    service.on("1.1", "exit", FIRST)
    why = "its boot failed: it has 1 cpu device instead of 2"
    assert service.exited("1.1").reason == f"lost: node spot-0 is off: {why}"
    service.until_state(FIRST, NodeState.DOWN)
    service.until(lambda: FIRST not in cluster.nodes)


def test_before_its_machine_is_taken_away_an_attempt_is_preempted_and_not_lost(
    cluster, service
) -> None:
    service.on("1.1", "sleep", FIRST)
    service.until(lambda: bool(service.sink.started("1.1")))
    cluster.boots = False
    cluster.notice(FIRST, Departure("spot notice", time.time() + 60.0))
    ended = service.exited("1.1")
    assert (ended.preempted, ended.lost) == (True, False)
    why = "its machine will be taken away: spot notice"
    assert ended.reason == f"node spot-0 is draining: {why}"
    service.until_state(FIRST, NodeState.OFF)
    assert service.executor.nodes()[FIRST].reason == why


def test_a_notice_drains_a_node_that_is_always_on(cluster, service) -> None:
    service.on("1.1", "sleep", ON)
    service.until(lambda: bool(service.sink.started("1.1")))
    cluster.notice(ON, Departure("Ray drains it"))
    assert service.exited("1.1").preempted
    service.until_state(ON, NodeState.DRAINING)


def test_an_idle_machine_that_is_gone_is_off_at_once(cluster, service) -> None:
    service.on("1.1", "exit", FIRST)
    assert service.exited("1.1").success
    service.until_state(FIRST, NodeState.UP)
    cluster.kill_node(FIRST)
    service.until_state(FIRST, NodeState.OFF)
    assert service.executor.nodes()[FIRST].reason == "its machine is gone"


@pytest.mark.parametrize(
    "service", [(POOL, {"lost_after_s": 3.0, "unreachable_after_s": 1.0})], indirect=True
)
def test_a_silent_machine_has_its_time_before_its_jobs_are_lost(cluster, service) -> None:
    service.on("1.1", "sleep", FIRST)
    service.until(lambda: bool(service.sink.started("1.1")))
    cluster.kill_node(FIRST)
    service.until_state(FIRST, NodeState.UNREACHABLE)
    assert service.exited("1.1").reason == "lost: node spot-0 was not heard for 3 s"
    service.until_state(FIRST, NodeState.OFF)


def test_a_job_that_is_cancelled_does_not_wait_for_the_boot(cluster, service) -> None:
    cluster.boots = False
    service.on("1.1", "sleep", FIRST)
    service.until_state(FIRST, NodeState.BOOTING)
    service.executor.cancel("1.1")
    assert service.exited("1.1").reason == "cancelled"


def _key(spec: LaunchSpec) -> AttemptKey:
    nodes = tuple(part.node for part in spec.parts)
    return AttemptKey(spec.attempt, spec.nonce, spec.folder, nodes)


def test_a_service_that_starts_again_has_the_machines_that_are_on(cluster, tmp_path) -> None:
    before = Elastic(tmp_path, cluster, POOL)
    spec = before.on("1.1", "gate", FIRST)
    waits = before.on("2.1", "gate", SECOND)
    before.until(lambda: len(before.sink.started("1.1") + before.sink.started("2.1")) == 2)
    pid = before.sink.started("1.1")[0].pid
    before.executor.close()
    cluster.kill_node(SECOND)
    del cluster.nodes[SECOND]
    after = Elastic(tmp_path, cluster, POOL)
    found = after.executor.alive([_key(spec), _key(waits)])
    assert found == {"1.1": pid}  # nothing is left of the other
    after.until_state(FIRST, NodeState.UP)
    after.until_state(SECOND, NodeState.OFF)
    (spec.shared / "gate").touch()
    assert after.exited("1.1").success
    after.executor.close()
