"""From submission to the first line of a job's own process, on an idle device.

python -m benchmarks.start_latency [--jobs 200] [--ray-jobs 10] [--json]

One job after another goes through HTTP to a service of its own. A latency is the time the
attempt's process runs its first line minus the time just before the request was sent. Beside it,
in the same run: a fresh interpreter that imports torch and torchvision, which is what a job would
pay without warm workers. With `--ray-jobs` also, on a Ray cluster of this machine: the same jobs
by the Ray executor, and so many Ray Jobs that run `date`.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from api.client import Client
from api.local_service import private_service

COLD = [sys.executable, "-c", "import torch, torchvision"]
RAY_HOST = "127.0.0.2"
"""Ray takes 127.0.0.1 for the machine's outer address."""
SMALL = {"object_store_memory": 80 << 20, "memory": 512 << 20, "node_ip_address": RAY_HOST}


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


def by_service(jobs: int, settings: Mapping[str, str]) -> list[float]:
    """Latencies of jobs of a private service."""
    with (
        tempfile.TemporaryDirectory(prefix="fulcrum-bench-") as folder,
        private_service(Path(folder), {"FULCRUM_FIT": "false", **settings}) as client,
    ):
        return latencies(client, jobs)


def by_ray(jobs: int, ray_jobs: int) -> dict[str, list[float]]:
    """Latencies of Fulcrum's jobs on a Ray cluster, and of Ray's own jobs on the same."""
    os.environ.update(RAY_worker_oom_score_adjustment="0", RAY_USAGE_STATS_ENABLED="0")
    from ray.cluster_utils import Cluster
    from ray.job_submission import JobSubmissionClient

    from scheduler.executors.ray.config import NODE_LABEL

    head = {"include_dashboard": True, "num_cpus": 0, "dashboard_port": 8266, **SMALL}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    with tempfile.TemporaryDirectory(prefix="fulcrum-nodes-") as folder:
        cluster.add_node(num_cpus=2, labels={NODE_LABEL: "local"}, **SMALL)
        settings = {
            "FULCRUM_EXECUTOR__KIND": "ray",
            "FULCRUM_RAY__ADDRESS": cluster.address,
            "FULCRUM_RAY__NODE_FOLDER": folder,
        }
        try:
            ours = by_service(jobs, settings)
            address = f"http://{cluster.head_node.webui_url}"
            return {"ray": ours, "ray_jobs": submitted(JobSubmissionClient(address), ray_jobs)}
        finally:
            cluster.shutdown()


def submitted(client: Any, jobs: int) -> list[float]:
    """Seconds from the submission of a Ray Job to the first line of its driver."""
    found = []
    for number in range(jobs + 1):
        begun = time.time()
        name = client.submit_job(entrypoint="date +%s.%N")
        while str(status := client.get_job_status(name)) not in ("SUCCEEDED", "FAILED", "STOPPED"):
            time.sleep(0.1)
        if str(status) != "SUCCEEDED":
            raise RuntimeError(client.get_job_logs(name))
        while not (stamps := re.findall(r"^\d+\.\d+$", client.get_job_logs(name), re.MULTILINE)):
            time.sleep(0.1)
        if number:
            found.append(float(stamps[0]) - begun)
    return found


def quantiles(measured: Sequence[float]) -> tuple[float, float]:
    """The median and the 99th percentile."""
    cuts = statistics.quantiles(measured, n=100, method="inclusive")
    return cuts[49], cuts[98]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--ray-jobs", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    cold = cold_import()
    measured = {"local": by_service(options.jobs, {})}
    if options.ray_jobs:
        measured |= by_ray(options.jobs, options.ray_jobs)
    p50, p99 = quantiles(measured["local"])
    figures = {
        "jobs": len(measured["local"]),
        "p50_ms": p50 * 1e3,
        "p99_ms": p99 * 1e3,
        "cold_import_ms": cold * 1e3,
        "ratio_p50": cold / p50,
        "ratio_p99": cold / p99,
    }
    for name in ("ray", "ray_jobs"):
        if name in measured:
            middle, high = quantiles(measured[name])
            figures |= {f"{name}_p50_ms": middle * 1e3, f"{name}_p99_ms": high * 1e3}
    if options.json:
        print(json.dumps(figures))
        return
    print(f"{len(measured['local'])} jobs, one after another, submission to first line:")
    print(f"  p50 {figures['p50_ms']:.1f} ms, p99 {figures['p99_ms']:.1f} ms")
    print(f"  cold import of torch and torchvision: {figures['cold_import_ms']:.0f} ms")
    print(f"  {figures['ratio_p50']:.0f} times faster (p99: {figures['ratio_p99']:.0f} times)")
    for name, words in (("ray", "by the Ray executor"), ("ray_jobs", "as Ray Jobs, `date` alone")):
        if name in measured:
            middle, high = (figures[f"{name}_{cut}_ms"] for cut in ("p50", "p99"))
            print(f"  {words}: p50 {middle:.1f} ms, p99 {high:.1f} ms")


if __name__ == "__main__":
    main()
