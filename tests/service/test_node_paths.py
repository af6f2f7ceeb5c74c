"""What people are sure of when nodes do not have the same folders, programs and weights."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.http.intake import Intake
from api.schemas.jobs import JOB
from scheduler.domain.errors import InfeasibleError, InputError
from scheduler.domain.nodes import NodeFacts, NodeState
from scheduler.domain.pools import Pool
from scheduler.domain.resources import DeviceKind
from scheduler.executors.path_needs import PathFinding, PathKind, PathNeed
from scheduler.service.dispatch.messages import ChangeNode, NodeChange
from scheduler.service.nodes.node_paths import NodePaths
from scheduler.testing.samples import job_spec
from tests.support.service_worlds import World, memory_store, wide

FAST = Pool("fast", DeviceKind.CPU, "Test CPU", 2, nodes=2, dollars_per_device_hour=0.2)
SLOW = Pool("slow", DeviceKind.CPU, "Old CPU", 2, nodes=1, dollars_per_device_hour=0.1)
CATS = PathNeed(PathKind.TRAINING, "/data/cats")


class Disks:
    """What nodes have, and how often they were asked."""

    def __init__(self, **has: set[str]) -> None:
        self.has = has
        self.silent: set[str] = set()
        self.asked: list[str] = []

    def ask(self, nodes, needs, patience_s):
        answering = sorted(set(nodes) - self.silent)
        self.asked += answering
        return {node: [self._find(node, need) for need in needs] for node in answering}

    def _find(self, node: str, need: PathNeed) -> PathFinding:
        there = need.path in self.has.get(node, set())
        return PathFinding(images=40) if there else PathFinding(f"{need.path} is not a folder")


@pytest.fixture
def open_world(tmp_path: Path):
    made = []

    def opened(**has: set[str]) -> tuple[World, Disks]:
        disks = Disks(**has)
        world = World(
            tmp_path,
            memory_store(),
            (FAST, SLOW),
            nodes=tuple(NodeFacts(name) for name in "abc"),
            node_names={"fast": ("a", "b"), "slow": ("c",)},
            ask=disks.ask,
        )
        made.append(world)
        return world, disks

    yield opened
    for world in made:
        world.service.live_jobs.validate()
        world.service.stop()


def on_cats(**rest):
    return job_spec(work={"dataset": "folder:/data/cats"}, **rest)


def find(world: World, **rest) -> PathFinding:
    return world.service.paths.look(on_cats(**rest).request).find(CATS)


def test_a_path_that_no_node_has_is_refused_and_the_nodes_are_named(open_world) -> None:
    world, _ = open_world(c={"/data/cats"})
    assert find(world) == PathFinding(images=40)
    assert find(world, request=wide(1, "Test CPU")).problem == (
        "no node that could run the job has it: /data/cats is not a folder (a, b)"
    )


def test_a_submission_is_refused_with_the_name_of_the_field(open_world) -> None:
    world, disks = open_world(a={"/data/cats"}, b={"/data/cats"})
    intake = Intake(lambda: world.service, world.clock)
    job = {"kind": "cnn-train", "work": {"model": "simple-cnn", "dataset": "folder:/data/cats"}}
    spec = intake.one(JOB.validate_python(job), "ann")
    assert spec.profile.samples > 0  # of the images that the nodes count
    disks.has.clear()
    world.service.paths = NodePaths(world.service.nodes, disks.ask, lambda _: None)
    with pytest.raises(InputError) as caught:
        intake.several([JOB.validate_python(job)], "ann")
    assert "(a, b, c)" in caught.value.fields["jobs.0.work.dataset"]


def test_a_job_runs_only_where_all_nodes_have_what_it_names(open_world) -> None:
    world, _ = open_world(a={"/data/cats"}, c={"/data/cats"})
    find(world)
    (job,) = world.submit(on_cats())
    assert world.attempt(job.id).nodes == ("c",)
    (waiting,) = world.submit(on_cats(request=wide(2)))
    assert world.state(waiting.id) == "QUEUED"
    said = world.service.queries.explain(waiting.id).text
    assert "pool fast is out of the question: on b: work.dataset: /data/cats is not" in said


def test_a_pool_of_unequal_nodes_is_refused_until_the_others_are_drained(open_world) -> None:
    world, _ = open_world(a={"/data/cats"})
    find(world)
    with pytest.raises(InfeasibleError, match=r"on b: work\.dataset: /data/cats") as caught:
        world.submit(on_cats())
    assert "drain" in caught.value.fields["work.dataset"]
    world.service.dispatcher.post(ChangeNode("b", NodeChange.DRAIN, "ann"))
    world.settle()
    (job,) = world.submit(on_cats())
    assert world.attempt(job.id).nodes == ("a",)


def test_what_nobody_says_in_time_is_believed_and_asked_again_before_the_start(open_world) -> None:
    world, disks = open_world(c={"/data/cats"})
    disks.silent = {"a", "b", "c"}
    assert not find(world).problem
    disks.silent = set()
    find(world)
    assert not disks.asked  # for a while no request waits for nodes that did not answer
    (job,) = world.submit(on_cats())
    assert world.state(job.id) == "QUEUED"
    assert "it is not known yet whether /data/cats" in world.service.queries.explain(job.id).text
    world.service.paths.refresh(world.service.live_jobs.queued())
    world.settle()
    assert world.attempt(job.id).nodes == ("c",)


def test_a_machine_that_is_another_one_is_asked_again(open_world) -> None:
    world, disks = open_world(a={"/data/cats"}, b={"/data/cats"})
    find(world)
    assert sorted(disks.asked) == ["a", "b", "c"]
    find(world)
    assert len(disks.asked) == 3
    told = NodeFacts("b", NodeState.UP, world.clock.now(), boot_id="another")
    world.executor.change_nodes(told)
    world.settle()
    find(world)
    assert disks.asked[3:] == ["b"]


def test_a_job_that_names_no_path_asks_nobody(open_world) -> None:
    world, disks = open_world()
    (job,) = world.submit(job_spec(work={"dataset": "digits"}))
    assert world.state(job.id) == "STARTING"
    world.service.paths.refresh(world.service.live_jobs.queued())
    assert not disks.asked
