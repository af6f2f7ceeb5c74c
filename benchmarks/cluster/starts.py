"""The part `starts`: one job's start and many jobs' rate, held against Ray Jobs."""

from __future__ import annotations

import argparse
import os
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from api.local_service import private_service
from benchmarks.cluster.jobs import Found, program, tell, until, wait_for
from benchmarks.start_latency import latencies, quantiles
from fulcrum import Client
from scheduler.executors.ray.config import NODE_LABEL

HOST = "127.0.0.2"
"""Ray takes 127.0.0.1 for the machine's outer address."""
SMALL = {"object_store_memory": 80 << 20, "memory": 512 << 20, "node_ip_address": HOST}
SETTINGS = {"FULCRUM_FIT": "false"}
LOOK_S = 0.1
BLOCK = 25
"""Jobs of one executor before it is the other's turn: a machine's load changes."""
MOST_TO_LOCAL, LEAST_TO_RAY_JOBS, LEAST_RATE = 1.5, 50.0, 10.0


def starts(asked: argparse.Namespace) -> Found:
    """The same jobs by the local executor, by the one on Ray, and as Ray Jobs, in one run."""
    from ray.job_submission import JobSubmissionClient

    with (
        tempfile.TemporaryDirectory(prefix="fulcrum-starts-") as folder,
        _ray_with_jobs() as cluster,
        private_service(Path(folder) / "local", SETTINGS) as local,
        private_service(Path(folder) / "ray", _on(cluster, Path(folder) / "ray")) as ray,
    ):
        until(lambda: _takes_jobs(ray), "the node is not ready")
        services = {"local": local, "ray": ray}
        taken: dict[str, list[float]] = {name: [] for name in services}
        while len(taken["ray"]) < asked.starts:
            for name, client in services.items():
                taken[name] += latencies(client, BLOCK)
        tell(f"starts: {len(taken['ray'])} jobs by each executor were measured")
        rates = {name: _rate(client, asked.commands) for name, client in services.items()}
        jobs = JobSubmissionClient(f"http://{cluster.head_node.webui_url}")
        taken["ray_jobs"] = [_submitted(jobs) for _ in range(asked.ray_jobs + 1)][1:]
        rates["ray_jobs"] = _their_rate(jobs, asked.ray_jobs)
    return _held_to_bars(taken, rates) | {"commands": asked.commands}


def _held_to_bars(taken: dict[str, list[float]], rates: dict[str, float]) -> Found:
    found: Found = {"jobs": {name: len(seconds) for name, seconds in taken.items()}}
    p50 = {}
    for name, seconds in taken.items():
        p50[name], p99 = quantiles(seconds)
        found |= {
            f"{name}_p50_ms": round(p50[name] * 1e3, 1),
            f"{name}_p99_ms": round(p99 * 1e3, 1),
            f"{name}_per_s": round(rates[name], 2),
        }
    to_local, faster = p50["ray"] / p50["local"], p50["ray_jobs"] / p50["ray"]
    more = rates["ray"] / rates["ray_jobs"]
    bars = {
        f"p50 on Ray is {to_local:.2f} × local p50, not ≤ {MOST_TO_LOCAL:g} ×": (
            to_local <= MOST_TO_LOCAL
        ),
        f"p50 on Ray is {faster:.1f} × faster than Ray Jobs, not {LEAST_TO_RAY_JOBS:g} ×": (
            faster >= LEAST_TO_RAY_JOBS
        ),
        f"the rate on Ray is {more:.1f} × that of Ray Jobs, not {LEAST_RATE:g} ×": (
            more >= LEAST_RATE
        ),
    }
    return found | {
        "ray_to_local": round(to_local, 2),
        "faster_than_ray_jobs": round(faster, 1),
        "rate_to_ray_jobs": round(more, 1),
        "wrong": [problem for problem, holds in bars.items() if not holds],
    }


@contextmanager
def _ray_with_jobs() -> Iterator[Any]:
    """A head that takes Ray Jobs, and a node with two CPUs."""
    os.environ.update(RAY_worker_oom_score_adjustment="0", RAY_USAGE_STATS_ENABLED="0")
    from ray.cluster_utils import Cluster

    head = {"include_dashboard": True, "num_cpus": 0, "dashboard_port": 8266, **SMALL}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        cluster.add_node(num_cpus=2, labels={NODE_LABEL: "a"}, **SMALL)
        yield cluster
    finally:
        cluster.shutdown()


def _on(cluster: Any, folder: Path) -> dict[str, str]:
    return SETTINGS | {
        "FULCRUM_EXECUTOR__KIND": "ray",
        "FULCRUM_RAY__ADDRESS": cluster.address,
        "FULCRUM_RAY__NODE_FOLDER": str(folder / "nodes"),
    }


def _takes_jobs(client: Client) -> bool:
    return any(node.state.value == "up" for node in client.nodes().nodes)


def _rate(client: Client, commands: int) -> float:
    """Programs per second from the submission of all to the end of the last."""
    begun = time.monotonic()
    jobs = client.submit_batch([program(f"c-{at}", "true") for at in range(commands)])
    wait_for(jobs, lambda job: job.refresh().done, LOOK_S)
    seconds = time.monotonic() - begun
    for job in jobs:
        if job.state != "SUCCEEDED":
            raise RuntimeError(f"job {job.id} {job.state}: {job.detail().reason}")
    return commands / seconds


def _submitted(client: Any) -> float:
    """Seconds from the submission of a Ray Job to the first line of its driver."""
    begun = time.time()
    name = client.submit_job(entrypoint="date +%s.%N")
    wait_for([name], lambda name: _succeeded(client, name), LOOK_S)
    stamps: list[str] = []

    def printed() -> bool:
        stamps[:] = re.findall(r"^\d+\.\d+$", client.get_job_logs(name), re.MULTILINE)
        return bool(stamps)

    until(printed, "a Ray Job has no log", LOOK_S)
    return float(stamps[0]) - begun


def _their_rate(client: Any, jobs: int) -> float:
    """Ray Jobs per second from the submission of all to the end of the last."""
    begun = time.monotonic()
    names = [client.submit_job(entrypoint="true") for _ in range(jobs)]
    wait_for(names, lambda name: _succeeded(client, name), LOOK_S)
    return jobs / (time.monotonic() - begun)


def _succeeded(client: Any, name: str) -> bool:
    status = str(client.get_job_status(name))
    if status in ("FAILED", "STOPPED"):
        raise RuntimeError(f"a Ray Job {status}: {client.get_job_logs(name)}")
    return status == "SUCCEEDED"
