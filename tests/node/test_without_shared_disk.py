"""Nodes that share no folder with the service: a storage carries the files of jobs."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scheduler.domain.jobs import JobKind
from scheduler.domain.resources import DeviceKind
from scheduler.executors.base import AttemptKey, Exited, LaunchSpec, Part
from scheduler.executors.cluster import ClusterExecutor
from scheduler.node.carrying_executor import CarryingExecutor
from scheduler.node.mirroring_executor import MirroringExecutor
from scheduler.storage.objects import ObjectStorage
from scheduler.storage.stored_folders import read_stub
from scheduler.testing.executor_contract import Recorder
from scheduler.testing.in_process import DIGEST, InProcessCluster
from tests.executors.test_cluster_contract import destroy, open_node
from tests.support.waiting import PATIENCE_S

A, B = "gpu-a", "gpu-b"
_NUMBERS = itertools.count(1)


class Site:
    """A service and two nodes, each with a folder of its own, and a storage."""

    def __init__(self, root: Path) -> None:
        self.root = root / "service" / "jobs"
        self.nodes = root / "nodes"
        self.storage = ObjectStorage(f"memory://site-{next(_NUMBERS)}")
        self.cluster = InProcessCluster(self.nodes, (A, B), self._open_node, destroy)
        self.open()

    def _open_node(self, folder: Path) -> CarryingExecutor:
        return CarryingExecutor(open_node(folder), self.storage, self.root, folder / "jobs")

    def open(self) -> None:
        self.sink = Recorder()
        inner = ClusterExecutor(
            self.cluster.transport(),
            digest=DIGEST,
            lost_after_s=3.0,
            unreachable_after_s=1.0,
            patience_s=PATIENCE_S,
        )
        self.executor = MirroringExecutor(inner, self.storage, self.root)
        self.executor.start(self.sink)

    def close(self) -> None:
        self.executor.close()
        self.cluster.close()

    def launch(self, attempt: str, *nodes: str, do: str = "count", **rest: object) -> LaunchSpec:
        job, _, number = attempt.partition(".")
        spec = LaunchSpec(
            attempt=attempt,
            nonce=f"n{number}",
            job_nonce="j",
            kind=JobKind.COMMAND,
            work={"do": do, **rest},
            folder=self.root / job / f"attempt-{number}",
            shared=self.root / job,
            parts=tuple(Part(node, DeviceKind.CPU) for node in nodes),
        )
        self.executor.launch(spec)
        return spec

    def place(self, spec: LaunchSpec, rank: int = 0) -> Path:
        """The attempt's folder on its node."""
        node = self.nodes / spec.parts[rank].node
        return node / "jobs" / f"{spec.attempt}-{spec.nonce}"

    def let_end(self, spec: LaunchSpec) -> Exited:
        folder = self.place(spec) / spec.folder.relative_to(self.root)
        self.until(folder.is_dir)
        (folder / "gate").touch()
        return self.exited(spec)

    def exited(self, spec: LaunchSpec) -> Exited:
        self.until(lambda: bool(self.sink.exited(spec.attempt)))
        return self.sink.exited(spec.attempt)[0]

    def said(self, spec: LaunchSpec) -> list[str]:
        log = spec.folder / "log.txt"
        return log.read_text().splitlines() if log.exists() else []

    def until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, f"waited in vain; so far: {self.sink.events}"
            self.sink.wait(0.05)

    def artifact(self, spec: LaunchSpec) -> str:
        own, files = read_stub(spec.shared / "artifacts")
        data = self.storage.get(f"{own}/{files['result/attempts'].object}")
        return "" if data is None else data.decode()

    def saved(self, spec: LaunchSpec) -> bool:
        return bool(read_stub(spec.shared / "checkpoints")[1])


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.close()


def test_the_log_is_read_while_a_job_runs_and_all_it_left_when_it_has_ended(site: Site) -> None:
    spec = site.launch("1.1", A)
    site.until(lambda: "counted" in site.said(spec))
    assert not (spec.folder / "work").exists()
    assert site.let_end(spec).success
    assert site.said(spec) == ["counted", "ended"]
    assert site.artifact(spec) == "1.1\n"
    site.until(lambda: not site.place(spec).exists())  # nothing stays on the node


def test_an_attempt_elsewhere_goes_on_from_what_was_saved(site: Site) -> None:
    first = site.launch("1.1", A)
    site.until(lambda: site.saved(first))
    site.cluster.kill_node(A)
    assert site.exited(first).lost
    second = site.launch("1.2", B)
    assert site.let_end(second).success
    assert site.artifact(second) == "1.1\n1.2\n"


@pytest.mark.slow
def test_an_attempt_that_was_given_up_ends_and_leaves_no_trace(site: Site) -> None:
    first = site.launch("1.1", A)
    site.until(lambda: site.saved(first))
    site.cluster.cut(A)
    assert site.exited(first).lost
    second = site.launch("1.2", B)
    # The node is not heard, but its agent sees in the storage that a newer attempt owns the job.
    record = site.nodes / A / "run" / "attempts" / "1.1-n1" / "exit.json"
    site.until(record.exists)
    assert json.loads(record.read_text())["reason"] == "lost: attempt 2 took over"
    assert site.let_end(second).success
    assert site.artifact(second) == "1.1\n1.2\n"
    site.cluster.heal(A)
    assert len(site.sink.exited("1.1")) == 1


def test_a_later_service_finds_what_runs_and_what_it_left(site: Site) -> None:
    spec, other = site.launch("1.1", A), site.launch("2.1", B)
    for each in (spec, other):
        site.until(lambda each=each: "counted" in site.said(each))
    site.executor.close()
    folder = site.place(other) / "2" / "attempt-1"
    (folder / "gate").touch()
    site.open()
    keys = [
        AttemptKey(each.attempt, each.nonce, each.folder, (node,))
        for each, node in ((spec, A), (other, B))
    ]
    site.executor.stop_others(keys)
    assert set(site.executor.alive(keys)) == {"1.1", "2.1"}
    assert site.exited(other).success
    assert site.artifact(other) == "2.1\n"
    assert site.let_end(spec).success
    assert site.said(spec) == ["counted", "ended"]


def test_an_agent_that_is_replaced_goes_on_carrying(site: Site) -> None:
    spec = site.launch("1.1", A)
    site.until(lambda: "counted" in site.said(spec))
    site.cluster.restart_engine()
    assert site.let_end(spec).success
    assert site.said(spec) == ["counted", "ended"]
    assert site.artifact(spec) == "1.1\n"


def test_an_end_waits_for_a_storage_that_is_away_and_health_says_why(
    site: Site, monkeypatch
) -> None:
    spec = site.launch("1.1", A)
    site.until(lambda: "counted" in site.said(spec))

    def away(*_: object) -> None:
        raise OSError("the bucket is away")

    for name in ("put", "put_file", "sizes", "get"):
        monkeypatch.setattr(site.storage, name, away)
    (site.place(spec) / "1" / "attempt-1" / "gate").touch()
    site.until(lambda: any("the bucket is away" in text for text in site.executor.health()))
    assert not site.sink.exited("1.1")
    monkeypatch.undo()
    assert site.exited(spec).success
    assert site.said(spec) == ["counted", "ended"]


def test_an_attempt_that_waits_for_its_files_can_be_cancelled(site: Site, monkeypatch) -> None:
    def away(*_: object) -> None:
        raise OSError("the bucket is away")

    monkeypatch.setattr(site.storage, "get", away)
    spec = site.launch("1.1", A)
    site.until(lambda: any("cannot be fetched" in text for text in site.executor.health()))
    site.executor.cancel("1.1", grace_s=1)
    assert site.exited(spec).reason == "cancelled"
    monkeypatch.undo()


def test_ranks_on_several_nodes_meet_by_the_storage(site: Site) -> None:
    spec = site.launch("1.1", A, B, do="sleep")
    first, second = (site.place(spec, rank) / "1" / "attempt-1" for rank in (0, 1))
    site.until(lambda: first.is_dir() and second.is_dir())
    (first / "rendezvous.json").write_text("here")
    site.until((second / "rendezvous.json").is_file)
    assert (second / "rendezvous.json").read_text() == "here"
    site.executor.cancel("1.1", grace_s=1)
    assert site.exited(spec).reason == "cancelled"


def test_each_rank_has_its_log_in_the_storage(site: Site) -> None:
    spec = site.launch("1.1", A, B, do="exit", say="here")
    assert site.exited(spec).success
    assert site.said(spec) == ["here"]
    assert (spec.folder / "rank-1" / "log.txt").read_text() == "here\n"
