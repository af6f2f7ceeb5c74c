"""From submission to the first line of a job's own process, and the CPU time that a job costs.

python -m benchmarks.start_latency [--jobs 200] [--json]

One job after another goes through HTTP to a service of its own, on an idle device. A latency is
the time the attempt's process runs its first line minus the time just before the request was sent.
Beside it, in the same run: a fresh interpreter that imports torch and torchvision, which is what a
job would pay without warm workers. `python -m benchmarks.cluster starts` has the same on Ray.

Then as many jobs are submitted at once. The CPU time of a job, whose program does nothing, is that
of the service, of the fork servers, and of all that was forked from them, over the number of jobs.
It says how many jobs a second a machine can run, whatever else keeps it busy meanwhile.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from api.client import Client
from api.local_service import private_service

COLD = [sys.executable, "-c", "import torch, torchvision"]


def cold_import(times: int = 3) -> float:
    """Median seconds of a process that only imports."""

    def once() -> float:
        begun = time.perf_counter()
        subprocess.run(COLD, check=True, capture_output=True)
        return time.perf_counter() - begun

    return statistics.median(once() for _ in range(times))


def latencies(client: Client, jobs: int) -> list[float]:
    """Seconds of each job, after some that warm everything up."""
    found = []
    for number in range(jobs + 5):
        begun = time.time()
        job = client.run("true").wait(300, check=True)
        started = job.attempts[0].started_at
        if started is not None and number >= 5:
            found.append(started.timestamp() - begun)
        # The worker that takes this one's place is forked meanwhile: the device is idle again.
        time.sleep(0.05)
    return found


def cpu_per_job(client: Client, jobs: int) -> dict[str, float]:
    """CPU milliseconds per job of many that are submitted at once, by process, and their rate."""
    _until_imported()
    before, begun = _cpu_seconds(), time.perf_counter()
    for job in client.submit_batch([{"kind": "command", "work": {"argv": ["true"]}}] * jobs):
        job.wait(600, check=True)
    seconds = time.perf_counter() - begun
    time.sleep(0.5)  # the last supervisors end
    spent = {name: after - before[name] for name, after in _cpu_seconds().items()}
    found = {f"{name}_ms": taken * 1e3 / jobs for name, taken in spent.items()}
    return found | {"sum_ms": sum(found.values()), "jobs_per_s": jobs / seconds}


def _cpu_seconds() -> dict[str, float]:
    """Of the service, which is below this process, of its fork servers, and of what these forked.

    What was forked counts once it has ended.
    """
    spent = dict.fromkeys(("service", "fork_servers", "attempts"), 0.0)
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            times = process.cpu_times()
            if process.name() == "fulcrum-forks":
                spent["fork_servers"] += times.user + times.system
                spent["attempts"] += times.children_user + times.children_system
            elif "serve" in process.cmdline():
                spent["service"] += times.user + times.system
    return spent


def _until_imported() -> None:
    """Wait until the fork servers have nothing left to import."""
    before = -1.0
    while (spent := _cpu_seconds()["fork_servers"]) - before > 0.05:
        before = spent
        time.sleep(1.0)


def quantiles(measured: Sequence[float]) -> tuple[float, float]:
    """The median and the 99th percentile."""
    cuts = statistics.quantiles(measured, n=100, method="inclusive")
    return cuts[49], cuts[98]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    cold = cold_import()
    with (
        tempfile.TemporaryDirectory(prefix="fulcrum-bench-") as folder,
        private_service(Path(folder), {"FULCRUM_FIT": "false"}) as client,
    ):
        measured = latencies(client, options.jobs)
        cpu = cpu_per_job(client, options.jobs)
    p50, p99 = quantiles(measured)
    figures = {
        "jobs": len(measured),
        "p50_ms": p50 * 1e3,
        "p99_ms": p99 * 1e3,
        "cold_import_ms": cold * 1e3,
        "ratio_p50": cold / p50,
        "ratio_p99": cold / p99,
        "cpu_per_job": cpu,
    }
    if options.json:
        print(json.dumps(figures))
        return
    print(f"{len(measured)} jobs, one after another, submission to first line:")
    print(f"  p50 {figures['p50_ms']:.1f} ms, p99 {figures['p99_ms']:.1f} ms")
    print(f"  cold import of torch and torchvision: {figures['cold_import_ms']:.0f} ms")
    print(f"  {figures['ratio_p50']:.0f} times faster (p99: {figures['ratio_p99']:.0f} times)")
    print(f"{options.jobs} jobs at once: {cpu['jobs_per_s']:.1f} a second")
    print(
        f"  {cpu['sum_ms']:.1f} ms CPU per job: service {cpu['service_ms']:.1f}, "
        f"fork servers {cpu['fork_servers_ms']:.1f}, "
        f"supervisors, workers and programs {cpu['attempts_ms']:.1f}"
    )


if __name__ == "__main__":
    main()
