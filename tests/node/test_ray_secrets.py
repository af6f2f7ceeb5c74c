"""A secret of a job on a real node of Ray: in the job's environment, and nowhere else."""

from __future__ import annotations

import hashlib
import secrets
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from api.local_cluster import local_cluster
from api.local_service import private_service
from scheduler.node import engine
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
    holders: list[tuple[int, int]] = field(default_factory=list)
    """The processes that have it in their environment, each with its parent."""
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
            seen.holders = _holders(seen.secret)
            gate.touch()
            job.wait(PATIENCE_S, check=True)
        seen.log = "\n".join(job.logs())
        seen.digest = job.download("digest", root / "digest").read_text()
        with suppress(PermissionError):
            for process in _of_ray(root, "gcs_server", "raylet"):
                held = _in_memory(process.pid, seen.secret.encode(), LABEL)
                seen.memory.setdefault(process.name(), set()).update(held)
        everything = [*_written(root), *_written(_session(root))]
        seen.files = [path for path in everything if seen.secret.encode() in _bytes(path)]
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
    ((program, parent),) = evidence.holders
    assert evidence.pid in (program, parent)


def test_the_head_and_the_raylet_do_not_know_it(evidence: Evidence) -> None:
    """The dashboard has what the head's process has: actors, tasks and their descriptions."""
    if not evidence.memory:
        pytest.skip("the memory of other processes cannot be read")
    assert set(evidence.memory) == {"gcs_server", "raylet"}
    assert LABEL in evidence.memory["gcs_server"]
    assert not any(evidence.secret.encode() in found for found in evidence.memory.values())


@contextmanager
def _command_lines(seen: set[str]) -> Iterator[None]:
    """Collect the command lines of all processes, again and again."""
    ended = threading.Event()

    def look() -> None:
        while not ended.is_set():
            seen.update(filter(None, map(_command_line, psutil.process_iter())))
            ended.wait(0.02)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield
    finally:
        ended.set()
        looking.join()


def _command_line(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def _holders(secret: str) -> list[tuple[int, int]]:
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if any(secret in value for value in process.environ().values()):
                found.append((process.pid, process.ppid()))
    return found


def _of_ray(root: Path, *names: str) -> list[psutil.Process]:
    """Those of the cluster below this folder: others of the machine have other tokens."""
    found = []
    for process in psutil.process_iter(["name"]):
        with suppress(psutil.Error):
            token = process.environ().get(engine.TOKEN_VARIABLE, "")
            if process.info["name"] in names and Path(token).is_relative_to(root):
                found.append(process)
    return found


def _session(root: Path) -> Path:
    """The folder with Ray's logs and sockets."""
    (head,) = _of_ray(root, "gcs_server")
    (found,) = [one for one in head.cmdline() if one.startswith("--session-dir=")]
    return Path(found.partition("=")[2])


def _written(folder: Path) -> list[Path]:
    """Regular files: a socket cannot be read."""
    return [path for path in folder.rglob("*") if path.is_file()]


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:  # a draft
        return b""


def _in_memory(pid: int, *texts: bytes) -> set[bytes]:
    """Which texts the private memory of a process holds. Raises `PermissionError`."""
    found: set[bytes] = set()
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            span, rights, _, _, inode, *_ = line.split()
            if inode != "0" or not rights.startswith("rw"):
                continue
            start, end = (int(text, 16) for text in span.split("-"))
            with suppress(OSError, OverflowError):
                memory.seek(start)
                held = memory.read(end - start)
                found.update(text for text in texts if text in held)
    return found


def _until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
