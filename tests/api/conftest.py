"""A real server over a real service, with an executor that the test drives."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.http.app import create_app
from api.http.asgi.server import Server
from api.http.auth import admin_token
from scheduler.bootstrap import components
from scheduler.clock import SystemClock
from scheduler.domain.jobs import Job
from scheduler.domain.lifecycle import JobState
from scheduler.domain.pools import Pool
from scheduler.domain.resources import DeviceKind
from scheduler.hardware.inventory import Inventory
from scheduler.service.service import Service
from scheduler.settings import Settings
from scheduler.store.base import JobQuery, Store
from scheduler.testing.executors import FakeExecutor
from scheduler.testing.memory_store import MemoryStore
from tests.support.waiting import PATIENCE_S

CPU = Pool("cpu", DeviceKind.CPU, "Test CPU", 2, memory_per_node=2**34, dollars_per_device_hour=1)
COMMAND = {"kind": "command", "work": {"argv": ["true"]}}
ENDLESS = PATIENCE_S


@dataclass
class World:
    service: Service
    executor: FakeExecutor
    url: str
    token: str
    folder: Path
    client: httpx.Client
    listener: socket.socket
    context: Any = None
    more: list[httpx.Client] = field(default_factory=list)

    def submit(self, **fields: Any) -> int:
        answer = self.client.post("/v1/jobs", json={**COMMAND, **fields})
        assert answer.status_code == 201, answer.text
        number: int = answer.json()["id"]
        return number

    def until(self, job_id: int, *states: str, attempt: int = 0) -> Job:
        """The job once it is in one of these states, in that attempt or a later one."""
        end = time.monotonic() + ENDLESS
        while True:
            self.executor.deliver()
            job = self.service.store.job(job_id)
            if job.state in states and job.attempts >= attempt:
                return job
            assert time.monotonic() < end, f"job {job_id} stays {job.state}: {job.reason}"
            self.service.wait_for_change(job_id, job.version, 0.05)

    def running(self, **fields: Any) -> int:
        number = self.submit(**fields)
        self.until(number, JobState.RUNNING)
        return number

    def finish(self, job_id: int) -> None:
        job = self.service.store.job(job_id)
        self.executor.finish(f"{job_id}.{job.attempts}")
        self.until(job_id, JobState.SUCCEEDED)

    def log(self, job_id: int, text: str | bytes, attempt: int = 1) -> Path:
        """Append to an attempt's log."""
        path = self.service.folders.attempt(job_id, attempt) / "log.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        return path

    def artifact(self, job_id: int, name: str, content: bytes = b"x") -> Path:
        path = self.service.folders.artifacts(job_id) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def trace(self) -> tuple[int, int]:
        """What a refused request must leave as it was: the count of jobs and of events."""
        store = self.service.store
        return len(store.jobs(JobQuery(), limit=10_000)), len(store.events(limit=10_000))

    def with_token(self, token: str | None) -> httpx.Client:
        headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
        client = httpx.Client(base_url=self.url, headers=headers, trust_env=False)
        self.more.append(client)
        return client

    def raw(self, head: str, body: bytes = b"") -> tuple[int, bytes]:
        """Send bytes as they are, for what a well-behaved client would not send."""
        host, port = self.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=ENDLESS) as connection:
            connection.sendall(head.replace("\n", "\r\n").encode("latin-1") + b"\r\n\r\n" + body)
            answer = b""
            while chunk := connection.recv(65536):
                answer += chunk
        status = int(answer.split(b" ", 2)[1])
        return status, answer.partition(b"\r\n\r\n")[2]


@contextmanager
def serving(folder: Path, store: Store | None = None, **settings: Any) -> Iterator[World]:
    executor = FakeExecutor()
    given = Settings(**{"data_dir": folder, "port": 0, "policy": "priority", **settings})
    names = {"cpu": tuple(str(index) for index in range(CPU.count))}
    inventory = Inventory((CPU,), names, {}, {})
    service = Service(components(given, store or MemoryStore(), executor, inventory, SystemClock()))
    app = create_app(service, given)
    server = Server(app)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        end = time.monotonic() + ENDLESS
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            assert time.monotonic() < end, "the server starts too slowly"
            time.sleep(0.005)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        token = admin_token(folder)
        headers = {"Authorization": f"Bearer {token}"}
        with httpx.Client(
            base_url=url, headers=headers, trust_env=False, timeout=PATIENCE_S
        ) as client:
            world = World(
                service, executor, url, token, folder, client, listener, app.state.context
            )
            try:
                yield world
            finally:
                for other in world.more:
                    other.close()
                server.should_exit = True
                thread.join(ENDLESS)
                assert not thread.is_alive(), "the server does not stop"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with serving(tmp_path / "data") as found:
        yield found
