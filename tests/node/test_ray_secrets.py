"""A secret of a job on a real node of Ray: in the job's environment, and nowhere else."""

from __future__ import annotations

import hashlib
import secrets
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from api.local_cluster import local_cluster
from api.local_service import private_service
from tests.support.waiting import PATIENCE_S

pytest.importorskip("ray", reason="the extra fulcrum-scheduler[ray] is not installed")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

PROGRAM = """
import hashlib, os, pathlib, sys, time
print("the token is", os.environ["TOKEN"], flush=True)
digest = hashlib.sha256(os.environ["TOKEN"].encode()).hexdigest()
pathlib.Path(os.environ["FULCRUM_ARTIFACTS"], "digest").write_text(digest)
while not pathlib.Path(sys.argv[1]).exists():
    time.sleep(0.05)
"""
LABEL = b"fulcrum/node"
"""The head knows it of each node."""


@dataclass
class Evidence:
    """What was seen while a job with a secret ran, and after it."""

    secret: str
    digest: str = ""
    log: str = ""
    pid: int = 0
    in_environment: set[int] = field(default_factory=set)
    command_lines: set[str] = field(default_factory=set)
    files: list[Path] = field(default_factory=list)
    memory: dict[str, set[bytes]] = field(default_factory=dict)
    """Process of Ray → which of the secret and `LABEL` its memory holds."""


@pytest.fixture(scope="module")
def evidence(tmp_path_factory) -> Iterator[Evidence]:
    root = tmp_path_factory.mktemp("secrets")
    folder, gate = root / "data", root / "gate"
    seen = Evidence(secrets.token_hex(20))
    with (
        local_cluster(folder, {"a": "cpu"}) as cluster,
        private_service(folder, {"FULCRUM_FIT": "false"} | cluster.settings(120.0)) as client,
    ):
        cluster.join("a")
        cluster.wait(client)
        client.set_secret("TOKEN", seen.secret)
        with _command_lines(seen.command_lines):
            argv = [sys.executable, "-c", PROGRAM, str(gate)]
            job = client.submit({"kind": "command", "work": {"argv": argv}, "secrets": ["TOKEN"]})
            _until(lambda: any(one.name == "digest" for one in _written(folder)))
            _until(lambda: job.detail().history[0].pid)
            seen.pid = job.detail().history[0].pid or 0
            seen.in_environment = _holders(seen.secret)
            gate.touch()
            job.wait(PATIENCE_S, check=True)
        seen.log = "\n".join(job.logs())
        seen.digest = job.download("digest", root / "digest").read_text()
        seen.memory = {
            process.name(): _in_memory(process.pid, seen.secret.encode(), LABEL)
            for process in _of_ray("gcs_server", "raylet")
        }
        seen.files = [*_written(root), *_written(_session())]
        # Before the folders are removed.
        seen.files = [path for path in seen.files if seen.secret.encode() in _bytes(path)]
        yield seen


def test_the_job_has_it_and_its_log_shows_stars(evidence: Evidence) -> None:
    assert evidence.digest == hashlib.sha256(evidence.secret.encode()).hexdigest()
    assert "the token is ***" in evidence.log
    assert evidence.secret not in evidence.log


def test_no_file_of_the_service_the_node_or_ray_holds_it(evidence: Evidence) -> None:
    assert evidence.files == []


def test_it_is_in_no_command_line_and_in_no_other_environment(evidence: Evidence) -> None:
    assert len(evidence.command_lines) > 10
    assert not any(evidence.secret in line for line in evidence.command_lines)
    assert evidence.in_environment == {evidence.pid}


def test_the_head_and_the_raylet_do_not_know_it(evidence: Evidence) -> None:
    """The dashboard has what the head's process has: actors, tasks and their descriptions."""
    if not evidence.memory:
        pytest.skip("the memory of other processes cannot be read")
    assert set(evidence.memory) == {"gcs_server", "raylet"}
    assert LABEL in evidence.memory["gcs_server"]
    assert not any(evidence.secret.encode() in found for found in evidence.memory.values())
