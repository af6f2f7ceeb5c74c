"""What the executor of many nodes does beyond the contracts."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from scheduler.domain.nodes import LEFT, NodeFacts, NodeState
from scheduler.executors.base import AttemptKey, Exited, Started
from scheduler.executors.cluster import ClusterExecutor
from scheduler.executors.cluster.attempt import ClusterAttempt
from scheduler.executors.cluster.base import NodeMembers
from scheduler.executors.cluster.node import NodeLink, TalkStage
from scheduler.executors.local import LocalExecutor
from scheduler.executors.path_needs import PathKind, PathNeed
from scheduler.executors.silence import SilenceLimit
from scheduler.testing.in_process import DIGEST, InProcessCluster
from tests.executors.conftest import Machine
from tests.executors.test_cluster_contract import destroy, open_node
from tests.support.waiting import PATIENCE_S

A, B = "gpu-a", "gpu-b"


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[InProcessCluster]:
    made = InProcessCluster(tmp_path, (A, B), open_node, destroy)
    yield made
    made.close()


class Service(Machine):
    """A service that uses the cluster."""

    def __init__(self, root: Path, cluster: InProcessCluster, **options) -> None:
        super().__init__(root)
        defaults = {"digest": DIGEST, "unreachable_after_s": 1.0, "patience_s": PATIENCE_S}
        transport = options.pop("transport", None) or cluster.transport()
        self.executor = ClusterExecutor(transport, **(defaults | options))
        self.executor.start(self.sink)

    def state(self, node: str) -> NodeState | None:
        facts = self.executor.nodes().get(node)
        return None if facts is None else facts.state

    def until_state(self, node: str, state: NodeState) -> None:
        self.until(lambda: self.state(node) is state)


def test_a_service_that_was_replaced_can_use_no_node(cluster, tmp_path) -> None:
    old = Service(tmp_path, cluster, term=1.0)
    old.until_state(A, NodeState.UP)
    new = Service(tmp_path, cluster, term=2.0)
    new.until_state(A, NodeState.UP)
    old.until_state(A, NodeState.DRAINING)
    assert old.executor.nodes()[A].reason == "a later service uses this node"
    cluster.restart_engine()
    new.until_state(A, NodeState.UP)
    old.until_state(A, NodeState.DRAINING)
    assert new.state(A) is NodeState.UP
    old.executor.close()
    new.executor.close()


def test_a_node_of_other_code_is_not_used(cluster, tmp_path) -> None:
    service = Service(tmp_path, cluster, digest="other")
    service.until_state(A, NodeState.DRAINING)
    assert service.executor.nodes()[A].reason == "its Fulcrum is of other code"
    service.executor.close()


def test_a_node_takes_no_job_while_something_is_in_the_way(cluster, tmp_path) -> None:
    cluster.nodes[A].obstacle = "it does not see the folder"
    service = Service(tmp_path, cluster)
    service.until_state(B, NodeState.UP)
    service.until_state(A, NodeState.DRAINING)
    assert service.executor.nodes()[A].reason == "it does not see the folder"
    cluster.nodes[A].obstacle = ""
    service.until_state(A, NodeState.UP)
    service.executor.close()


def test_a_node_that_begins_again_takes_no_job_before_it_is_ready(cluster, tmp_path) -> None:
    service = Service(tmp_path, cluster)
    service.until_state(A, NodeState.UP)
    node, link, imported = cluster.nodes[A], service.executor._links.get(A), threading.Event()

    class Cold(LocalExecutor):
        ready = imported

    node._open = lambda folder: Cold(folder / "run")
    cluster.cut(A)
    service.until_state(A, NodeState.UNREACHABLE)
    service.until(lambda: link.again_at > 0)  # its last poll has failed
    node.restart()
    cluster.heal(A)

    def settled() -> bool:
        with service.executor._lock:
            return bool(node.agent._service) and link.stage is TalkStage.OPEN

    service.until(settled)
    assert service.state(A) is NodeState.BOOTING
    assert service.executor.nodes()[A].reason == "it imports torch, so that jobs start at once"
    imported.set()
    service.until_state(A, NodeState.UP)
    service.executor.close()


def test_a_cluster_whose_nodes_have_no_names_says_so(cluster, tmp_path) -> None:
    service = Service(tmp_path, cluster)
    service.executor._links.take_in(NodeMembers({}, {}, unnamed=3))
    assert service.executor.health() == ("none of 3 nodes has a name: see `fulcrum node join`",)
    service.executor.close()


def test_a_node_that_left_in_order_is_down_at_once_until_it_joins_again(cluster, tmp_path) -> None:
    service = Service(tmp_path, cluster)
    service.until_state(A, NodeState.UP)
    cluster.cut(A)
    left = NodeMembers({}, {}, left={A})
    service.until(lambda: service.executor._inbox.put(left) or service.state(A) is NodeState.DOWN)
    assert service.executor.nodes()[A].reason == LEFT
    cluster.heal(A)
    service.executor._inbox.put(NodeMembers({A: "again"}, {}))
    service.until_state(A, NodeState.UP)


def test_parts_that_start_too_late_end_the_attempt(cluster, tmp_path) -> None:
    service = Service(tmp_path, cluster, gang_start_s=0.5)
    service.until_state(B, NodeState.UP)
    cluster.cut(B)
    spec = service.spec("1.1", "sleep")
    parts = tuple(replace(spec.parts[0], node=node) for node in (A, B))
    service.executor.launch(replace(spec, parts=parts))
    service.until(lambda: _late(service))
    cluster.heal(B)
    ended = service.exited("1.1")
    assert ended.lost
    assert ended.reason == f"lost: rank 1 on {B} did not start within 0.5 s of the others"
    service.executor.close()


def _late(service: Service) -> bool:
    return any(one.verdict for one in service.executor._attempts.values())


def test_a_launch_that_cannot_reach_its_node_is_cancelled_at_once(cluster, tmp_path) -> None:
    service = Service(tmp_path, cluster)
    spec = service.spec("1.1", "sleep")
    service.executor.launch(replace(spec, parts=(replace(spec.parts[0], node="gpu-z"),)))
    service.executor.cancel("1.1")
    assert service.exited("1.1").reason == "cancelled"
    service.executor.close()


def _ended(reason: str, time: float, **rest) -> Exited:
    return Exited("1.1", time, reason, **({"success": False, "started_at": 1.0} | rest))


@pytest.mark.parametrize(
    ("first", "second", "reason", "lost", "retriable"),
    [
        # The failure of a machine explains that of a connection to it, which was seen before.
        (
            _ended("exit code 1", 8.0),
            _ended("lost: its supervisor was killed", 9.0, lost=True),
            f"lost: rank 1 on {B}: its supervisor was killed",
            True,
            True,
        ),
        (
            _ended("exit code 1", 9.0),
            _ended("signal SIGKILL", 8.0),
            f"rank 1 on {B}: signal SIGKILL",
            False,
            True,
        ),
        (
            _ended("time limit", 9.0),
            _ended("cancelled", 9.5),
            f"rank 0 on {A}: time limit",
            False,
            False,
        ),
        (
            _ended("exit code 2", 9.0, retriable=False),
            _ended("cancelled", 9.5),
            f"rank 0 on {A}: exit code 2",
            False,
            False,
        ),
        (_ended("cancelled", 9.0), _ended("cancelled", 9.5), "cancelled", False, True),
    ],
)
def test_the_part_that_failed_first_decides(first, second, reason, lost, retriable) -> None:
    attempt = ClusterAttempt(AttemptKey("1.1", "a", Path("1.1"), (A, B)))
    for rank in attempt.ranks:
        attempt.started(rank, Started("1.1", 7 + rank.number, 1.0 + rank.number))
    by_end = sorted(zip(attempt.ranks, (first, second), strict=True), key=lambda one: one[1].time)
    whole = [attempt.exited(rank, event) for rank, event in by_end]
    assert whole[0] is None
    assert whole[1] is not None
    said = (whole[1].reason, whole[1].lost, whole[1].retriable, whole[1].time)
    assert said == (reason, lost, retriable, max(first.time, second.time))


def test_an_attempt_of_two_parts_succeeds_with_the_result_of_rank_0() -> None:
    attempt = ClusterAttempt(AttemptKey("1.1", "a", Path("1.1"), (A, B)))
    told = [
        attempt.started(rank, Started("1.1", 7 + rank.number, 5.0 - rank.number))
        for rank in attempt.ranks
    ]
    assert told == [None, Started("1.1", 7, 5.0)]
    ends = [
        _ended("exit code 0", 8.0 - rank.number, success=True, result={"rank": rank.number})
        for rank in attempt.ranks
    ]
    whole = [attempt.exited(rank, end) for rank, end in zip(attempt.ranks, ends, strict=True)][1]
    assert whole is not None
    assert (whole.success, whole.result, whole.time) == (True, {"rank": 0}, 8.0)


def test_the_offset_of_a_clock_is_that_of_the_fastest_answer(monkeypatch) -> None:
    link = NodeLink(A, SilenceLimit(1.0), SilenceLimit(2.0), NodeFacts(A))
    monkeypatch.setattr("scheduler.executors.cluster.node.time.time", lambda: 110.0)
    link.attended(NodeFacts(A), now=405.0, sent_at=100.0)  # five seconds on its way back
    assert link.clock_offset_s == 295.0
    link.clock_says(409.9, sent_at=108.0)
    assert link.clock_offset_s == pytest.approx(299.9)
    link.clock_says(408.0, sent_at=107.0)
    assert link.clock_offset_s == pytest.approx(299.9)
    link.clock_says(110.0, sent_at=109.0)  # somebody set it
    assert link.clock_offset_s == 0.0


def test_nodes_say_what_they_have_and_one_that_is_silent_is_not_waited_for(
    cluster, tmp_path
) -> None:
    service = Service(tmp_path, cluster)
    for node in (A, B):
        service.until_state(node, NodeState.UP)
    cluster.nodes[A].paths.add("/data/cats")
    cats = PathNeed(PathKind.TRAINING, "/data/cats")
    ask = service.executor.questions.ask
    found = ask({A, B, "unknown"}, [cats], PATIENCE_S)
    assert {name: [one.problem for one in each] for name, each in found.items()} == {
        A: [""],
        B: ["is not there"],
    }
    cluster.cut(B)
    assert ask({A, B}, [cats], PATIENCE_S).keys() == {A}
    assert not ask({A}, [cats], 0.0)
