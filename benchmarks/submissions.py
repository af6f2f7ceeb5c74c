"""Durable submissions per second from concurrent clients, beside SQLite's own commit rate.

python -m benchmarks.submissions [--clients 8] [--seconds 5] [--batch 64] [--json]

Each client is a process with one connection to a service of its own. A job counts when its answer
has arrived: it is on disk then. All wait for a first job that sleeps, so that nothing else runs.
"""

from __future__ import annotations

import argparse
import http.client
import json
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from api.client import Client
from api.private import private_service
from benchmarks.raw_sqlite import commits_per_second


@dataclass(frozen=True)
class Sender:
    """One client process: sends the same body again and again."""

    url: str
    token: str
    path: str
    body: bytes
    seconds: float

    def run(self, start: Barrier, answers: SimpleQueue[list[float]]) -> None:
        """Begin with all others; answer the seconds each request took."""
        parts = urlsplit(self.url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
        connection.connect()
        start.wait()
        taken = []
        end = time.perf_counter() + self.seconds
        while (begun := time.perf_counter()) < end:
            self._send(connection)
            taken.append(time.perf_counter() - begun)
        connection.close()
        answers.put(taken)

    def _send(self, connection: http.client.HTTPConnection) -> None:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        connection.request("POST", self.path, self.body, headers)
        response = connection.getresponse()
        answer = response.read()
        if response.status != 201:
            raise RuntimeError(f"{response.status}: {answer!r}")


def rate(client: Client, clients: int, seconds: float, batch: int) -> Mapping[str, float]:
    """Jobs per second, and percentiles of a request's time (ms)."""
    job = {"kind": "command", "work": {"argv": ["true"]}, "after": [1]}
    path, body = ("/v1/jobs", job) if batch == 1 else ("/v1/jobs:batch", {"jobs": [job] * batch})
    url, token = client.connection.url, client.connection.token or ""
    sender = Sender(url, token, path, json.dumps(body).encode(), seconds)
    context = multiprocessing.get_context("spawn")
    start, answers = context.Barrier(clients), context.SimpleQueue()
    processes = [context.Process(target=sender.run, args=(start, answers)) for _ in range(clients)]
    for process in processes:
        process.start()
    taken = sorted(one for _ in processes for one in answers.get())
    for process in processes:
        process.join()
    cuts = statistics.quantiles(taken, n=100, method="inclusive")
    return {
        "jobs_per_s": len(taken) * batch / seconds,
        "requests_per_s": len(taken) / seconds,
        "p50_ms": cuts[49] * 1e3,
        "p99_ms": cuts[98] * 1e3,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures: dict[str, Any] = {"clients": options.clients}
    with tempfile.TemporaryDirectory(prefix="fulcrum-bench-") as name:
        folder = Path(name)
        figures["raw_commits_per_s"] = raw = commits_per_second(folder, 3.0)
        with private_service(folder / "data", {"FULCRUM_FIT": "false"}) as client:
            sleeper = client.run("sleep", "600")
            for batch in (1, options.batch):
                measured = rate(client, options.clients, options.seconds, batch)
                figures[f"batch_{batch}"] = {**measured, "ratio": measured["jobs_per_s"] / raw}
            figures["jobs"] = next(client.jobs(limit=1)).id - sleeper.id
    if options.json:
        print(json.dumps(figures))
        return
    print(f"{options.clients} clients; SQLite alone commits {raw:,.0f} times per second")
    for batch in (1, options.batch):
        found = figures[f"batch_{batch}"]
        print(
            f"  {batch:3} per request: {found['jobs_per_s']:8,.0f} jobs/s "
            f"({found['ratio']:.2f} × raw), request p50 {found['p50_ms']:.1f} ms, "
            f"p99 {found['p99_ms']:.1f} ms"
        )


if __name__ == "__main__":
    main()
