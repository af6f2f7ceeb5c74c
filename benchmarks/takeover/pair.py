"""Two services on one PostgreSQL database and one data folder, each a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from api.client.connection import TOKEN_FILE
from api.local_service import clear

PATIENCE_S = 120.0
STEP_S = 0.01


@dataclass(slots=True)
class StandbyProcess:
    """A running `fulcrum serve --standby`."""

    popen: subprocess.Popen[bytes]
    http: httpx.Client

    def leader(self) -> dict[str, Any] | None:
        """What the service says of the leader; None if it does not answer."""
        try:
            found: dict[str, Any] | None = self.http.get("/readyz").json().get("leader")
        except (httpx.HTTPError, ValueError):
            return None
        return found

    @property
    def leads(self) -> bool:
        """Whether it says that it leads."""
        found = self.leader()
        return found is not None and found["present"] and not found["follows"]

    def stop(self) -> None:
        """End it, whatever its state."""
        self.http.close()
        self.popen.kill()
        self.popen.wait()
        if self.popen.stdout is not None:
            self.popen.stdout.close()


class Pair:
    """Starts services and keeps them in order: the first leads, the second follows."""

    def __init__(self, folder: Path, database: str) -> None:
        self.folder = folder
        self.data = folder / "data"
        self._database = database
        self._count = 0

    def start(self) -> StandbyProcess:
        """Another service, once it answers."""
        self._count += 1
        self.data.mkdir(parents=True, exist_ok=True)
        config = self.folder / "pair.toml"
        config.write_text('policy = "priority"\nfit = false\n[pools.cpu]\ndevices = 4\n')
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("FULCRUM_")}
        command = [sys.executable, "-m", "fulcrum", "serve", "--standby", "--json", "--port", "0"]
        with (self.folder / f"service-{self._count}.log").open("wb") as log:
            popen = subprocess.Popen(
                [*command, "--data", str(self.data), "--config", str(config)],
                stdout=subprocess.PIPE,
                stderr=log,
                env=inherited | {"FULCRUM_DATABASE_URL": self._database},
                start_new_session=True,
            )
        return self._connected(popen)

    def again(self, process: StandbyProcess) -> StandbyProcess:
        """A service that was replaced and has begun again in the same process, as a follower."""
        process.http.close()
        return self._connected(process.popen)

    def token(self) -> str:
        """The admin's token of the data folder."""
        return (self.data / TOKEN_FILE).read_text().strip()

    def _connected(self, popen: subprocess.Popen[bytes]) -> StandbyProcess:
        assert popen.stdout is not None
        line = popen.stdout.readline()
        if not line:
            raise RuntimeError(f"a service did not start; see the logs in {self.folder}")
        http = httpx.Client(
            base_url=json.loads(line)["url"],
            headers={"Authorization": f"Bearer {self.token()}"},
            timeout=30.0,
            trust_env=False,
        )
        process = StandbyProcess(popen, http)
        wait_for(lambda: process.leader() is not None, "the service does not answer")
        return process


@contextmanager
def pair(folder: Path, database: str) -> Iterator[tuple[Pair, list[StandbyProcess]]]:
    """A leader and a follower; every process of theirs is gone at the end."""
    made = Pair(folder, database)
    running: list[StandbyProcess] = []
    try:
        for _ in range(2):
            running.append(made.start())
        yield made, running
    finally:
        for process in running:
            process.popen.send_signal(signal.SIGCONT)
            process.stop()
        clear(folder)


def wait_for(holds: Any, problem: str) -> float:
    """Wait until `holds()`; how many seconds it took. Raises `RuntimeError` with the problem."""
    begun = time.monotonic()
    while not holds():
        if time.monotonic() > begun + PATIENCE_S:
            raise RuntimeError(problem)
        time.sleep(STEP_S)
    return time.monotonic() - begun
