"""Four nodes on this machine, twenty real jobs, and one node that dies in the middle.

    python examples/demo_cluster.py

Each node is a Ray node with an address and a run folder of its own, as on another machine. The
node is killed with every process on it. Exits 1 unless each job ended well, once. KEEP=1 keeps the
folder with all results.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from api.cli.support import text_format
from api.cli.support.output import out, table
from api.cli.views.job_table import state
from api.local_cluster import LocalCluster, local_cluster
from api.local_demo import demonstration
from api.local_service import private_service
from fulcrum import Client, JobHandle
from scheduler.domain.lifecycle import AttemptState
from scheduler.node import ray_command

if TYPE_CHECKING:
    from api.client.files import JobInput
    from api.schemas import JobDetail

POOLS = {"a": "fast", "b": "fast", "c": "slow", "d": "slow"}
"""Node → its pool."""
VICTIM = "c"
PRICES = {
    "FULCRUM_POOLS__FAST__DOLLARS_PER_DEVICE_HOUR": "0.20",
    "FULCRUM_POOLS__SLOW__DOLLARS_PER_DEVICE_HOUR": "0.05",
}
LOST_AFTER_S = 15.0
TIMEOUT_S = 240.0


def main() -> int:
    """Run the demo; the exit code."""
    try:
        ray_command.check_installed()
    except Exception as error:  # its text says what to install
        print(f"error: {error}: make demo-cluster installs it", file=sys.stderr)
        return 8
    return demonstration("cluster", _show)


def _show(folder: Path) -> list[str]:
    out().print("starting Ray's head and four nodes; each imports torch once")
    with (
        local_cluster(folder, POOLS) as cluster,
        private_service(folder, PRICES | cluster.settings(LOST_AFTER_S)) as client,
    ):
        out().print(f"service at [bold]{client.connection.url}[/]")
        for name in POOLS:
            cluster.join(name)
        cluster.wait(client, lambda line: out().print(line))
        return demonstrate(client, cluster)


def demonstrate(client: Client, cluster: LocalCluster) -> list[str]:
    """Submit, kill a node, wait, sum up; what did not end as intended."""
    console = out()
    jobs = client.submit_batch(_jobs())
    console.print(f"\n{len(jobs)} jobs submitted")
    end = time.monotonic() + TIMEOUT_S
    while not _busy(client, jobs):
        if time.monotonic() > end or all(job.refresh().done for job in jobs):
            return [f"no training on node {VICTIM} saved an epoch, so the node was not killed"]
        time.sleep(0.5)
    console.print(f"[bold]node {VICTIM} dies[/] with all its processes")
    cluster.kill(VICTIM)
    _follow(client, jobs, end)
    details = [job.detail() for job in jobs]
    console.print(_summary(details))
    console.print()
    history = table("TIME", "NODE", "EVENT", "REASON")
    for event in client.node_events(VICTIM).events:
        reason = escape(event.reason) or "–"
        history.add_row(text_format.moment(event.time), event.node, event.name.value, reason)
    console.print(history)
    return [
        f"job {job.id} ({job.name}) {job.state}: {job.reason}"
        for job in details
        if [attempt.state for attempt in job.history].count(AttemptState.SUCCEEDED) != 1
    ]


def _jobs() -> list[JobInput]:
    """Twelve trainings that save each epoch, six programs, two inferences with a result."""
    trainings = [
        {
            "kind": "cnn-train",
            "name": f"train-{at}",
            "priority": (30, 50, 80)[at % 3],
            "work": {"epochs": 40, "seed": at},
        }
        for at in range(12)
    ]
    programs = [
        {
            "kind": "command",
            "name": f"program-{at}",
            "max_duration": "5m",
            "work": {"argv": ["sleep", "6"]},
        }
        for at in range(6)
    ]
    inferences = [
        {
            "kind": "cnn-infer",
            "name": f"infer-{at}",
            "work": {"models": [f"train-{at}"], "data": "digits:test"},
        }
        for at in range(2)
    ]
    return [*trainings, *programs, *inferences]


def _busy(client: Client, jobs: Sequence[JobHandle]) -> bool:
    """Whether the victim runs a training that has saved an epoch."""
    (node,) = (node for node in client.nodes().nodes if node.name == VICTIM)
    return any(_checkpoints(job) >= 1 for job in jobs if job.id in node.jobs)


def _checkpoints(job: JobHandle) -> int:
    return sum(
        line.get("kind") == "checkpoint" for attempt in job.metrics() for line in attempt.lines
    )


def _follow(client: Client, jobs: Sequence[JobHandle], end: float) -> None:
    """Print each change until all have ended."""
    by_id, last = {job.id: job for job in jobs}, 0
    while time.monotonic() < end:
        for event in client.events(after=last):
            last = event.seq
            if event.name in ("lost", "succeeded", "failed"):
                name = by_id[event.job].name
                print(f"{text_format.moment(event.time)} {name}: {event.name} {event.reason}")
        if all(job.refresh().done for job in jobs):
            return
        time.sleep(0.5)


def _summary(details: Sequence[JobDetail]) -> Table:
    result = table(">JOB", "NAME", "STATE", "RAN ON", ">RUN", ">COST", "OUTCOME")
    for job in details:
        places = " → ".join(f"{', '.join(try_.nodes)} ({try_.pool})" for try_ in job.history)
        seconds = sum(
            (try_.finished_at - try_.started_at).total_seconds()
            for try_ in job.history
            if try_.started_at and try_.finished_at
        )
        result.add_row(
            str(job.id),
            escape(job.name),
            state(job.state.value),
            escape(places) or "–",
            text_format.seconds(seconds),
            text_format.dollars(job.dollars),
            _outcome(job),
        )
    return result


def _outcome(job: JobDetail) -> str:
    found = job.result or {}
    parts = []
    if accuracy := (found.get("metrics") or {}).get("accuracy"):
        parts.append(f"accuracy {text_format.share(accuracy)}")
    if len(job.history) > 1:
        parts.append(f"{len(job.history)} attempts")
        if resumed := found.get("resumed_after_epoch"):
            parts.append(f"went on after epoch {resumed}")
    return ", ".join(parts) or "–"


if __name__ == "__main__":
    sys.exit(main())
