"""Two clusters on one machine have nodes of the same addresses; each ends its own alone."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil
import pytest

from api.local_cluster import LocalCluster, local_cluster
from scheduler.node import engine

NODE = "--node-ip-address=127.0.0.11"
_WAITS = "import sys; sys.stdin.read()"


class Processes:
    """Programs that wait, with the environment and the command lines of Ray's."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack

    def start(self, *words: str, **environment: str) -> subprocess.Popen[bytes]:
        variables: Mapping[str, str] = os.environ | environment
        begun = subprocess.Popen(
            [sys.executable, "-c", _WAITS, *words], stdin=subprocess.PIPE, env=variables
        )
        self._stack.enter_context(begun)
        self._stack.callback(begun.kill)
        return begun

    def of_ray(self, folder: Path, *words: str) -> subprocess.Popen[bytes]:
        """One that the cluster of this folder would have started."""
        return self.start(*words, **engine.environment(engine.token_file(folder)))


@pytest.fixture
def processes() -> Iterator[Processes]:
    with ExitStack() as stack:
        yield Processes(stack)


@pytest.fixture
def clusters(tmp_path: Path) -> list[LocalCluster]:
    return [LocalCluster(tmp_path / name, {"a": "cpu"}) for name in ("one", "other")]


def goes_on(process: subprocess.Popen[bytes]) -> bool:
    """Whether nothing has killed it: it ends by itself once its input does."""
    assert process.stdin is not None
    process.stdin.close()
    return process.wait(30) == 0


def test_a_node_of_another_cluster_goes_on(
    tmp_path: Path, processes: Processes, clusters: list[LocalCluster]
) -> None:
    own = processes.of_ray(tmp_path / "one", NODE)
    other = processes.of_ray(tmp_path / "other", NODE)
    nobodys = processes.start(NODE)
    clusters[0].kill("a")
    own.wait(30)
    assert [goes_on(process) for process in (other, nobodys)] == [True, True]


def test_what_the_agent_of_a_node_left_ends_with_it(
    tmp_path: Path, processes: Processes, clusters: list[LocalCluster]
) -> None:
    """Supervisors do not have Ray's environment; the folder in their command line names them."""
    run = f"nodes-{os.getuid()}/fulcrum-1/a/run/1.1"
    own = processes.start(str(tmp_path / "one" / run))
    other = processes.start(str(tmp_path / "other" / run))
    clusters[0].kill("a")
    own.wait(30)
    assert goes_on(other)


def test_a_head_ends_alone(
    tmp_path: Path, processes: Processes, clusters: list[LocalCluster]
) -> None:
    address = clusters[0].address
    head = processes.of_ray(tmp_path / "one", f"--address={address}")
    others = [
        processes.of_ray(tmp_path / "other", f"--address={address}"),
        processes.of_ray(tmp_path / "one", f"--address={address}", NODE),
        processes.of_ray(tmp_path / "one", "scheduler.executors.ray.bridge", address),
    ]
    clusters[0].kill_head()
    head.wait(30)
    assert [goes_on(other) for other in others] == [True, True, True]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_of_two_real_clusters_one_ends(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="the extra fulcrum-scheduler[ray] is not installed")
    one, other = tmp_path / "one", tmp_path / "other"
    with local_cluster(one, {"a": "cpu"}) as ending, local_cluster(other, {"a": "cpu"}) as going_on:
        for cluster in (ending, going_on):
            cluster.join("a")
        before = _ray_processes(other)
        assert len(_ray_processes(one)) == len(before) == 3
        ending.close()
        assert not _ray_processes(one)
        assert _ray_processes(other) == before


def _ray_processes(folder: Path) -> set[int]:
    """The head's store and the raylets of head and node, of this cluster."""
    found = set()
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.name() in ("gcs_server", "raylet"):
                token = process.environ().get(engine.TOKEN_VARIABLE, "")
                if token.startswith(str(folder)) and process.status() != "zombie":
                    found.add(process.pid)
    return found
