"""What people are sure of when machines are booted for their jobs and billed while they are up."""

from functools import partial
from pathlib import Path

import pytest

from scheduler.domain.elastic_pools import ElasticPool
from scheduler.domain.nodes import NodeEventName, NodeState
from scheduler.hardware.elastic_pools import elastic_pools
from scheduler.hardware.node_pools import inventory_of
from scheduler.service.dispatch.messages import ChangeNode, NodeChange
from scheduler.settings import PoolSettings
from scheduler.testing.elastic_executor import ElasticFakeExecutor
from scheduler.testing.samples import job_spec
from tests.support.service_worlds import World, memory_store, sql_store, wide

WISH = PoolSettings(
    kind="cpu",
    model="Test CPU",
    devices=2,
    nodes=2,
    boot_s=60.0,
    idle_timeout_s=300.0,
    billed="up",
    dollars_per_device_hour=1.0,
)
WISHES = {"spot": WISH}
WORKS_S = 100.0


def executor(pools: tuple[ElasticPool, ...], clock):
    return ElasticFakeExecutor(clock, lambda _: WORKS_S, pools, {"spot": 60.0})


@pytest.fixture(params=["memory", "sqlite"])
def world(request, tmp_path: Path):
    opened = memory_store() if request.param == "memory" else sql_store(tmp_path)
    made = World(
        tmp_path,
        opened,
        (),
        executor=partial(executor, elastic_pools(WISHES)),
        derive=partial(inventory_of, wishes=WISHES),
    )
    yield made
    made.service.live_jobs.validate()
    made.service.stop()


def states(world: World) -> dict[str, NodeState]:
    return {node.name: node.state for node in world.service.nodes.all()}


def advance(world: World, seconds: float) -> None:
    """Let time pass; what happens meanwhile is decided on when it happens."""
    end = world.clock.now() + seconds
    while (at := world.executor.next_event_time()) <= end:
        world.executor.advance(at)
        world.settle()
    world.executor.advance(end)
    world.settle()


def test_nodes_that_are_off_are_a_pool(world: World) -> None:
    (pool,) = world.service.cluster.view().pools
    assert (pool.pool.name, pool.pool.nodes, pool.pool.devices_per_node) == ("spot", 2, 2)
    assert pool.pool.boot_s == 60.0
    assert states(world) == {"spot-0": NodeState.OFF, "spot-1": NodeState.OFF}


def test_a_job_boots_its_node_and_runs_when_it_is_up(world: World) -> None:
    begun = world.clock.now()
    (job,) = world.submit(job_spec(request=wide(2)))
    world.settle()
    (name,) = world.attempt(job.id).nodes
    assert world.state(job.id) == "STARTING"
    assert states(world)[name] is NodeState.BOOTING
    advance(world, 60.0)
    assert (world.state(job.id), states(world)[name]) == ("RUNNING", NodeState.UP)
    advance(world, WORKS_S)
    assert world.state(job.id) == "SUCCEEDED"
    attempt = world.attempt(job.id)
    assert (attempt.started_at, attempt.finished_at) == (begun + 60.0, begun + 60.0 + WORKS_S)
    advance(world, 299.0)
    assert states(world)[name] is NodeState.UP
    advance(world, 2.0)
    assert states(world)[name] is NodeState.OFF


def test_a_second_job_shares_the_boot_of_the_first(world: World) -> None:
    first, second = (job.id for job in world.submit(*[job_spec(request=wide(1))] * 2))
    world.settle()
    assert world.attempt(first).nodes == world.attempt(second).nodes
    advance(world, 30.0)
    (third,) = (job.id for job in world.submit(job_spec(request=wide(2))))
    world.settle()
    assert world.attempt(third).nodes != world.attempt(first).nodes
    advance(world, 30.0)
    assert [world.state(job) for job in (first, second, third)] == ["RUNNING"] * 2 + ["STARTING"]


def test_boots_and_idle_time_are_paid_and_told(world: World) -> None:
    (job,) = world.submit(job_spec(request=wide(2)))
    world.settle()
    advance(world, 59.0)
    (idle,) = world.service.cluster.idle_costs(None, None)
    assert idle.device_seconds == pytest.approx(2 * 59.0)
    advance(world, 1.0 + WORKS_S + 300.0 + 1000.0)
    (idle,) = world.service.cluster.idle_costs(None, None)
    assert idle.device_seconds == pytest.approx(2 * (60.0 + 300.0))
    assert idle.dollars == pytest.approx(2 * 360.0 / 3600)
    assert world.attempt(job.id).dollars == pytest.approx(2 * WORKS_S / 3600)
    (name,) = world.attempt(job.id).nodes
    told = [event.name for event in world.store.node_events(node=name)]
    assert told[-3:] == [NodeEventName.BOOTING, NodeEventName.UP, NodeEventName.OFF]
    assert world.store.node_events(node=name)[-1].reason == "it had no job for 300 s"


def test_a_drained_node_that_is_off_is_not_booted_and_costs_nothing(world: World) -> None:
    for name in ("spot-0", "spot-1"):
        message = ChangeNode(name, NodeChange.DRAIN, "ann", "too expensive")
        world.service.dispatcher.post(message)
        world.step()
        message.answer.result(0)
    (job,) = world.submit(job_spec(request=wide(1)))
    world.executor.change_nodes()
    advance(world, 100.0)
    assert world.state(job.id) == "QUEUED"
    assert "drained by ann: too expensive" in world.service.queries.explain(job.id).text
    assert not world.service.cluster.idle_costs(None, None)
    message = ChangeNode("spot-0", NodeChange.RESUME, "ann")
    world.service.dispatcher.post(message)
    world.settle()
    assert world.attempt(job.id).nodes == ("spot-0",)
