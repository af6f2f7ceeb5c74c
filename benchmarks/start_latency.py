"""From submission to the first line of a job's own process, on an idle device.

python -m benchmarks.start_latency [--jobs 200] [--json]

One job after another goes through HTTP to a service of its own. A latency is the time the
attempt's process runs its first line minus the time just before the request was sent. Beside it,
in the same run: a fresh interpreter that imports torch and torchvision, which is what a job would
pay without warm workers. `python -m benchmarks.cluster starts` has the same on Ray.
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
from pathlib import Path

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
    p50, p99 = quantiles(measured)
    figures = {
        "jobs": len(measured),
        "p50_ms": p50 * 1e3,
        "p99_ms": p99 * 1e3,
        "cold_import_ms": cold * 1e3,
        "ratio_p50": cold / p50,
        "ratio_p99": cold / p99,
    }
    if options.json:
        print(json.dumps(figures))
        return
    print(f"{len(measured)} jobs, one after another, submission to first line:")
    print(f"  p50 {figures['p50_ms']:.1f} ms, p99 {figures['p99_ms']:.1f} ms")
    print(f"  cold import of torch and torchvision: {figures['cold_import_ms']:.0f} ms")
    print(f"  {figures['ratio_p50']:.0f} times faster (p99: {figures['ratio_p99']:.0f} times)")


if __name__ == "__main__":
    main()
