"""Durable submissions per second from concurrent clients, beside SQLite's own commit rate.

python -m benchmarks.submissions [--clients 8] [--seconds 5] [--batch 64] [--queued 0]
    [--against CHECKOUT] [--json]

Each client is a process with one connection to a service of its own. A job counts when its answer
has arrived: it is on disk then. All wait for a first job that sleeps, so that nothing else runs.
`--queued` jobs wait before the measurement begins; a look at one job is measured too.

`--against` measures the service of another checkout (with a `.venv`) by this file as well, in
turns: this, other, other, this. The service's CPU time per job is told beside the rate, for it
depends less on what else the machine does.
"""

from __future__ import annotations

import argparse
import http.client
import json
import multiprocessing
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from api.client import Client
from api.local_service import private_service
from benchmarks.raw_sqlite import commits_per_second


@dataclass(frozen=True)
class Sender:
    """One client process: sends the same request again and again."""

    url: str
    token: str
    path: str
    body: bytes | None
    """None: a GET."""
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
        connection.request("GET" if self.body is None else "POST", self.path, self.body, headers)
        response = connection.getresponse()
        answer = response.read()
        if response.status not in (200, 201):
            raise RuntimeError(f"{response.status}: {answer!r}")


def measured(
    client: Client, clients: int, seconds: float, path: str, body: Any = None, jobs: int = 1
) -> Mapping[str, float]:
    """Jobs per second, percentiles of a request's time (ms), and the service's CPU time (ms)."""
    url, token = client.connection.url, client.connection.token or ""
    sender = Sender(url, token, path, None if body is None else json.dumps(body).encode(), seconds)
    context = multiprocessing.get_context("spawn")
    start, answers = context.Barrier(clients), context.SimpleQueue()
    processes = [context.Process(target=sender.run, args=(start, answers)) for _ in range(clients)]
    before = _cpu_seconds()
    for process in processes:
        process.start()
    taken = sorted(one for _ in processes for one in answers.get())
    spent = _cpu_seconds() - before
    for process in processes:
        process.join()
    cuts = statistics.quantiles(taken, n=100, method="inclusive")
    return {
        "jobs_per_s": len(taken) * jobs / seconds,
        "requests_per_s": len(taken) / seconds,
        "p50_ms": cuts[49] * 1e3,
        "p99_ms": cuts[98] * 1e3,
        "service_cpu_ms_per_job": spent * 1e3 / (len(taken) * jobs),
    }


def figures(clients: int, seconds: float, batch: int, queued: int) -> dict[str, Any]:
    """All that one service is measured by."""
    job = {"kind": "command", "work": {"argv": ["true"]}, "after": [1]}
    with tempfile.TemporaryDirectory(prefix="fulcrum-bench-") as name:
        folder = Path(name)
        found: dict[str, Any] = {"raw_commits_per_s": commits_per_second(folder, 3.0)}
        with private_service(folder / "data", {"FULCRUM_FIT": "false"}) as client:
            client.run("sleep", "600")
            for begin in range(0, queued, 500):
                client.submit_batch([job] * min(500, queued - begin))
            found["look"] = measured(client, clients, seconds, "/v1/jobs/1")
            found["single"] = measured(client, clients, seconds, "/v1/jobs", job)
            many = {"jobs": [job] * batch}
            found["batch"] = measured(client, clients, seconds, "/v1/jobs:batch", many, batch)
    return found


def _cpu_seconds() -> float:
    """Of the service, which is this process's child that serves."""
    spent = 0.0
    for child in psutil.Process().children():
        with suppress(psutil.Error):  # a sender that has just ended has no command line
            if "serve" in child.cmdline():
                times = child.cpu_times()
                spent += times.user + times.system
    return spent


def _of(checkout: Path, options: argparse.Namespace) -> dict[str, Any]:
    """The figures of a checkout's service, by this file in a process of its own."""
    command = [str(checkout / ".venv" / "bin" / "python"), str(Path(__file__).resolve()), "--json"]
    for name in ("clients", "seconds", "batch", "queued"):
        command += [f"--{name}", str(getattr(options, name))]
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    ran = subprocess.run(command, cwd=checkout, env=environment, stdout=subprocess.PIPE, check=True)
    answer: dict[str, Any] = json.loads(ran.stdout)
    return answer


def _mean(runs: Sequence[Mapping[str, Any]], kind: str, figure: str) -> float:
    return statistics.fmean(run[kind][figure] for run in runs)


def _compare(options: argparse.Namespace) -> None:
    here, other = Path.cwd(), options.against.resolve()
    order = (here, other, other, here)
    runs = [(place, _of(place, options)) for place in order]
    ours = [found for place, found in runs if place == here]
    theirs = [found for place, found in runs if place == other]
    if options.json:
        print(json.dumps({"this": ours, "other": theirs}))
        return
    print(f"{options.clients} clients, {options.queued:,} jobs queued; this / other (ratio)")
    for kind in ("look", "single", "batch"):
        texts = []
        for figure in ("jobs_per_s", "p99_ms", "service_cpu_ms_per_job"):
            a, b = _mean(ours, kind, figure), _mean(theirs, kind, figure)
            texts.append(f"{figure} {a:,.2f} / {b:,.2f} ({a / b:.2f} ×)")
        print(f"  {kind:6}: {', '.join(texts)}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--queued", type=int, default=0)
    parser.add_argument("--against", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.against is not None:
        _compare(options)
        return
    found = figures(options.clients, options.seconds, options.batch, options.queued)
    if options.json:
        print(json.dumps(found))
        return
    raw = found["raw_commits_per_s"]
    print(f"{options.clients} clients; SQLite alone commits {raw:,.0f} times per second")
    for kind in ("look", "single", "batch"):
        one = found[kind]
        print(
            f"  {kind:6}: {one['jobs_per_s']:8,.0f} jobs/s ({one['jobs_per_s'] / raw:.2f} × raw), "
            f"request p50 {one['p50_ms']:.1f} ms, p99 {one['p99_ms']:.1f} ms, "
            f"service {one['service_cpu_ms_per_job']:.2f} ms CPU per job"
        )


if __name__ == "__main__":
    main()
