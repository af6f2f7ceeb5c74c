"""What people are sure of when a machine of several is drained, falls silent, or comes back."""

from functools import partial
from pathlib import Path

import pytest

from scheduler.domain.errors import MissingError, StateError
from scheduler.domain.nodes import LEFT, NOT_HEARD_YET, NodeFacts, NodeState
from scheduler.domain.pools import Pool
from scheduler.domain.resources import DeviceKind
from scheduler.hardware.node_pools import inventory_of
from scheduler.service.dispatch.messages import ChangeNode, NodeChange
from scheduler.service.nodes.sentences import sentence
from scheduler.settings import PoolSettings
from scheduler.testing.samples import job_spec
from tests.support.service_worlds import World, memory_store, sql_store, wide

POOL = Pool("cpu", DeviceKind.CPU, "Test CPU", 2, nodes=2, dollars_per_device_hour=0.1)


@pytest.fixture(params=["memory", "sqlite"])
def world(request, tmp_path: Path):
    """Two nodes of two CPUs each."""
    opened = memory_store() if request.param == "memory" else sql_store(tmp_path)
    made = World(
        tmp_path,
        opened,
        (POOL,),
        nodes=(NodeFacts("a"), NodeFacts("b")),
        node_names={"cpu": ("a", "b")},
    )
    yield made
    made.service.live_jobs.validate()
    made.service.stop()


def change(world: World, node: str, what: NodeChange, reason: str = "") -> None:
    message = ChangeNode(node, what, "ann", reason)
    world.service.dispatcher.post(message)
    world.step()
    message.answer.result(0)
    world.settle()


def become(world: World, name: str, state: NodeState, reason: str = "", **facts) -> None:
    told = NodeFacts(name, state, world.clock.now(), reason, **facts)
    world.executor.change_nodes(told)
    world.settle()


def nodes_of(world: World, *jobs: int) -> list[tuple[str, ...]]:
    return [world.attempt(job).nodes for job in jobs]


def test_attempts_say_on_which_node_they_run(world: World) -> None:
    jobs = [job.id for job in world.submit(*[job_spec(request=wide(2))] * 2)]
    assert sorted(nodes_of(world, *jobs)) == [("a",), ("b",)]
    spec = world.executor.specs[f"{jobs[0]}.1"]
    assert (spec.part.node,) == world.attempt(jobs[0]).nodes
    assert set(spec.part.devices) <= {f"cpu-{at}" for at in range(4)}
    (both,) = world.submit(job_spec(request=wide(4)))
    for job in jobs:
        world.finish(f"{job}.1")
    assert nodes_of(world, both.id) == [("a", "b")]
    parts = world.executor.specs[f"{both.id}.1"].parts
    assert [(part.node, part.devices) for part in parts] == [
        ("a", ("cpu-0", "cpu-1")),
        ("b", ("cpu-2", "cpu-3")),
    ]


def test_nothing_starts_on_a_drained_node_and_its_jobs_go_on(world: World) -> None:
    (running,) = world.submit(job_spec(request=wide(2)))
    (name,) = world.attempt(running.id).nodes
    other = {"a": "b", "b": "a"}[name]
    change(world, name, NodeChange.DRAIN, "new fans")
    waiting = [job.id for job in world.submit(*[job_spec(request=wide(2))] * 2)]
    assert world.state(running.id) == "RUNNING"
    assert nodes_of(world, waiting[0]) == [(other,)]
    assert world.state(waiting[1]) == "QUEUED"
    said = world.service.queries.explain(waiting[1]).text
    assert f"node {name} is draining since" in said
    assert "drained by ann: new fans" in said
    world.finish(f"{running.id}.1")
    assert world.state(waiting[1]) == "QUEUED"
    change(world, name, NodeChange.RESUME)
    assert nodes_of(world, waiting[1]) == [(name,)]


def test_a_drained_node_stays_drained_over_a_restart_and_a_silence(world: World) -> None:
    change(world, "a", NodeChange.DRAIN, "new fans")
    become(world, "a", NodeState.UNREACHABLE)
    become(world, "a", NodeState.UP)
    world.restart((POOL,), node_names={"cpu": ("a", "b")})
    node = world.service.nodes.node("a")
    assert (node.state, node.drained_by) == (NodeState.DRAINING, "ann")


def test_a_lost_job_starts_on_another_node_and_does_not_burn_its_attempts(world: World) -> None:
    jobs = [job.id for job in world.submit(*[job_spec(request=wide(2))] * 2)]
    (lost,) = (job for job in jobs if world.attempt(job).nodes == ("a",))
    become(world, "a", NodeState.UNREACHABLE, "no heartbeat for 6 s", lost_at=120.0)
    assert world.state(lost) == "RUNNING"
    assert "node a is unreachable since" in world.service.queries.explain(lost).text
    assert "or is started elsewhere at" in world.service.queries.explain(lost).text
    become(world, "a", NodeState.DOWN, "no heartbeat for 120 s")
    world.lose(f"{lost}.1")
    world.after(60.0)
    assert (world.state(lost), world.job(lost).attempts) == ("QUEUED", 1)
    (other,) = set(jobs) - {lost}
    world.finish(f"{other}.1")
    assert (world.state(lost), nodes_of(world, lost)) == ("RUNNING", [("b",)])
    become(world, "a", NodeState.UP)
    (third,) = world.submit(job_spec(request=wide(2)))
    assert nodes_of(world, third.id) == [("a",)]


def test_the_history_of_a_node_tells_what_happened_and_who_did_it(world: World) -> None:
    change(world, "a", NodeChange.DRAIN, "new fans")
    change(world, "a", NodeChange.DRAIN, "new fans")
    change(world, "a", NodeChange.RESUME)
    become(world, "a", NodeState.UNREACHABLE, "no heartbeat for 6 s")
    events = world.store.node_events("a")
    assert [(event.name.value, event.actor) for event in events] == [
        ("joined", "executor"),
        ("up", "executor"),
        ("draining", "ann"),
        ("up", "ann"),
        ("unreachable", "executor"),
    ]
    assert events[2].reason == "drained by ann: new fans"
    assert events[4].reason == "no heartbeat for 6 s"


def test_only_a_node_that_is_gone_and_idle_is_forgotten(world: World) -> None:
    with pytest.raises(StateError, match="node a is up"):
        change(world, "a", NodeChange.RETIRE)
    (job,) = world.submit(job_spec(request=wide(2)))
    (name,) = world.attempt(job.id).nodes
    become(world, name, NodeState.DOWN)
    with pytest.raises(StateError, match=f"node {name} has attempts"):
        change(world, name, NodeChange.RETIRE)
    world.lose(f"{job.id}.1")
    change(world, name, NodeChange.RETIRE)
    assert [node.name for node in world.service.nodes.all()] != ["a", "b"]
    assert world.store.node_events(name)[-1].name.value == "retired"
    with pytest.raises(MissingError, match="no node 'zz'"):
        change(world, "zz", NodeChange.DRAIN)


def test_a_retired_node_stays_away_until_it_joins_again(tmp_path: Path) -> None:
    derive = partial(inventory_of, wishes={})
    names = ("a", "b", "c")
    world = World(tmp_path, memory_store(), (), derive=derive, nodes=[*map(fast, names)])
    become(world, "a", NodeState.DOWN, LEFT)
    (wide_one,) = world.submit(job_spec(request=wide(3, "cuda")))
    said = world.service.queries.explain(wide_one.id).text
    assert "it needs 3 devices on nodes that can be used: a10-x1 has 2" in said
    world.cancel(wide_one.id)
    world.settle()
    change(world, "a", NodeChange.RETIRE)
    become(world, "a", NodeState.DOWN, LEFT)  # the executor tells of all that it knows
    assert [node.name for node in world.service.nodes.all()] == ["b", "c"]
    assert world.service.nodes.inventory.nodes["a10-x1"] == ("b", "c")
    with pytest.raises(Exception, match="holds 2"):
        world.submit(job_spec(request=wide(3, "cuda")))
    world.service.live_jobs.validate()
    world.executor.change_nodes(fast("a"))
    world.settle()
    assert world.service.nodes.inventory.nodes["a10-x1"] == ("b", "c", "a")
    world.service.stop()


def test_numbers_of_nodes_do_not_move_under_running_jobs(tmp_path: Path) -> None:
    derive = partial(inventory_of, wishes={})
    world = World(tmp_path, memory_store(), (), derive=derive, nodes=[*map(fast, "ab")])
    jobs = [job.id for job in world.submit(*[job_spec(request=wide(1, "cuda"))] * 2)]
    (on_a,) = (job for job in jobs if world.attempt(job).nodes == ("a",))
    world.finish(f"{on_a}.1")
    become(world, "a", NodeState.DOWN, LEFT)
    change(world, "a", NodeChange.RETIRE)
    assert world.service.nodes.inventory.nodes["a10-x1"] == ("", "b")
    world.service.live_jobs.validate()
    world.service.stop()


def test_the_time_since_which_a_node_drains_is_that_of_the_order(world: World) -> None:
    change(world, "a", NodeChange.DRAIN)
    begun = world.service.nodes.node("a").since
    world.after(10.0)
    become(world, "a", NodeState.UP)
    become(world, "a", NodeState.BOOTING)
    assert world.service.nodes.node("a").since == begun


def test_a_drained_node_that_leaves_and_joins_again_is_still_drained(world: World) -> None:
    change(world, "a", NodeChange.DRAIN, "new fans")
    become(world, "a", NodeState.DOWN, LEFT)
    node = world.service.nodes.node("a")
    assert (node.reason, node.drained_by) == (LEFT, "ann")
    assert "nodes resume" not in sentence(node, 0)
    become(world, "a", NodeState.UP)
    node = world.service.nodes.node("a")
    assert (node.state, node.reason) == (NodeState.DRAINING, "drained by ann")
    change(world, "a", NodeChange.RESUME)
    become(world, "a", NodeState.DOWN, LEFT)
    with pytest.raises(StateError, match="node a is down"):
        change(world, "a", NodeChange.RESUME)


def test_a_restart_does_not_change_when_a_silent_node_was_heard(world: World) -> None:
    world.after(5.0)
    become(world, "a", NodeState.UNREACHABLE)
    heard = world.service.nodes.node("a").seen_at
    world.after(60.0)
    become(world, "a", NodeState.BOOTING, NOT_HEARD_YET)
    assert world.service.nodes.node("a").seen_at == heard


def test_a_node_that_is_away_is_a_problem_that_health_names(world: World) -> None:
    become(world, "b", NodeState.DOWN, "no heartbeat for 120 s")
    (problem,) = [one for one in world.service.problems() if one.part == "nodes"]
    assert "node b is down since" in problem.text
    assert not problem.fatal


def fast(name: str, count: int = 1) -> NodeFacts:
    gpus = tuple((f"{name}-{at}", "NVIDIA A10", 24 * 2**30) for at in range(count))
    return NodeFacts(name, gpus=gpus)


def test_pools_grow_with_the_nodes_that_join_and_waiting_jobs_start_there(tmp_path: Path) -> None:
    derive = partial(inventory_of, wishes={})
    world = World(tmp_path, memory_store(), (), derive=derive, nodes=(fast("a"),))
    first, second = world.submit(job_spec(request=wide(1, "cuda")), job_spec(request=wide(1)))
    world.settle()
    assert [world.state(first.id), world.state(second.id)] == ["RUNNING", "QUEUED"]
    world.executor.change_nodes(fast("b"))
    world.settle()
    assert nodes_of(world, second.id) == [("b",)]
    assert [view.pool.nodes for view in world.service.cluster.view().pools] == [2]
    world.service.live_jobs.validate()
    world.restart((), derive=derive)
    assert nodes_of(world, first.id, second.id) == [("a",), ("b",)]
    assert world.service.nodes.inventory.nodes["a10-x1"] == ("a", "b")
    world.service.live_jobs.validate()
    world.service.stop()


def test_a_job_for_a_node_that_never_joined_is_refused_until_it_joins(tmp_path: Path) -> None:
    derive = partial(inventory_of, wishes={})
    world = World(tmp_path, memory_store(), (), derive=derive, nodes=(fast("a"),))
    with pytest.raises(Exception, match="width"):
        world.submit(job_spec(request=wide(2, "NVIDIA A10")))
    world.executor.change_nodes(fast("b"))
    world.settle()
    (job,) = world.submit(job_spec(request=wide(2, "NVIDIA A10")))
    assert nodes_of(world, job.id) == [("a", "b")]
    world.service.stop()


def test_idle_nodes_that_are_billed_while_up_cost_money(tmp_path: Path) -> None:
    wishes = {"a10-x1": PoolSettings(billed="up", dollars_per_device_hour=3.6)}
    derive = partial(inventory_of, wishes=wishes)
    world = World(tmp_path, memory_store(), (), derive=derive, nodes=(fast("a"),))
    (job,) = world.submit(job_spec())
    world.settle()
    world.clock.advance(100.0)
    world.finish(f"{job.id}.1")
    world.clock.advance(50.0)
    world.executor.change_nodes(NodeFacts("a", NodeState.DOWN))
    world.settle()
    world.clock.advance(1000.0)
    (idle,) = world.service.cluster.idle_costs(None, None)
    assert (idle.pool, idle.device_seconds) == ("a10-x1", pytest.approx(50.0))
    assert idle.dollars == pytest.approx(0.05)
    (used,) = world.store.costs("pool")
    assert (used.group, used.device_seconds) == ("a10-x1", 100.0)
    world.service.stop()


def test_nothing_is_idle_where_only_work_is_billed(world: World) -> None:
    world.clock.advance(100.0)
    assert world.service.cluster.idle_costs(None, None) == []
