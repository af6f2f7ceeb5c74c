"""Nodes of Ray on this machine: starts, a cold node, a node's death, an absent head, a burst.

python -m benchmarks.cluster [starts] [cold] [burst] [head] [death] [--starts 200] [--ray-jobs 20]
    [--joins 8] [--commands 500] [--away 120] [--jobs 60] [--json]

`starts`: the start of a job on an idle device, from its submission to its first line, by the local
executor, by the one on Ray and as a Ray Job (`date`, without torch), and the rates of programs
that end at once, by Fulcrum and as Ray Jobs; one node with two CPUs. It needs `ray[default]`.
`cold`: a node without a living process joins; no job is placed on it before it is up, and the
first job there starts at once. The other parts have four nodes.

`death`: trainings, inferences and programs run, and one node is killed with all its
processes. Each job must end well, once; no attempt may be placed on a node that is not up; a
training that was lost goes on from a saved epoch. `head`: the head of Ray is killed while
programs run, comes back after some time, and the nodes join again. The service must answer all the
time, no attempt may be lost, and their processes must be those of before. `burst`: programs that
end at once, from the first submission to the last end. The exit code is 1 if a promise was broken.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from api.local_cluster import LocalCluster, local_cluster
from api.local_service import private_service
from benchmarks.arguments import add_json, write_json
from benchmarks.cluster.cold import cold
from benchmarks.cluster.jobs import Found, ended, program, tell, until
from benchmarks.cluster.starts import starts
from fulcrum import Client, JobHandle

if TYPE_CHECKING:
    from api.client.files import JobInput

POOLS = {"a": "fast", "b": "fast", "c": "slow", "d": "slow"}
VICTIM = "c"
PRICES = {
    "FULCRUM_POOLS__FAST__DOLLARS_PER_DEVICE_HOUR": "0.20",
    "FULCRUM_POOLS__SLOW__DOLLARS_PER_DEVICE_HOUR": "0.05",
}
LOST_AFTER_S = {"death": 15.0, "head": 120.0, "burst": 120.0}
"""Four nodes that join again one after another need more time than a dead one shall have."""


def death(client: Client, cluster: LocalCluster, asked: argparse.Namespace) -> Found:
    """A node dies in the middle."""
    jobs = client.submit_batch(mixed(asked.jobs))
    until(lambda: _saved(client, jobs) >= 1, "nothing runs on the node")
    killed_at = time.time()
    cluster.kill(VICTIM)
    details = ended(jobs)
    events = client.node_events(VICTIM).events
    up = [event.time.timestamp() for event in events if event.name == "up"]
    wrong = [
        f"job {job.id} was placed on {VICTIM} after its death"
        for job in details
        for attempt in job.history
        if VICTIM in attempt.nodes
        and attempt.placed_at.timestamp() > killed_at + LOST_AFTER_S["death"]
    ]
    ends = Counter(attempt.state.value for job in details for attempt in job.history)
    wrong += [
        f"job {job.id} ({job.name}) {job.state}: {job.reason}"
        for job in details
        if [attempt.state.value for attempt in job.history].count("SUCCEEDED") != 1
    ]
    again = [job for job in details if len(job.history) > 1]
    resumed = [
        (job.result or {}).get("resumed_after_epoch", 0) for job in again if "train" in job.name
    ]
    return {
        "jobs": len(details),
        "attempts": dict(ends),
        "lost_trainings_resumed_after": resumed,
        "nodes_used": dict(Counter(job.history[-1].nodes[0] for job in details)),
        "times_up": len(up),
        "wrong": wrong,
    }


def head(client: Client, cluster: LocalCluster, asked: argparse.Namespace) -> Found:
    """The head is away for a while."""
    # Balanced ones would wait for the cheap pool.
    long = [
        program(f"long-{at}", "sleep", str(asked.away + 60)) | {"preference": "fast"}
        for at in range(8)
    ]
    jobs = client.submit_batch(long)
    until(lambda: all(job.refresh().state == "RUNNING" for job in jobs), "programs do not start")
    pids = {job.id: job.detail().history[0].pid for job in jobs}
    cluster.kill_head()
    back_at, answers, slowest = time.monotonic() + asked.away, Counter[str](), 0.0
    more: list[JobHandle] = []
    while time.monotonic() < back_at:
        begun = time.monotonic()
        try:
            more.append(client.submit(program(f"short-{len(more)}", "true")))
            answers["accepted"] += 1
        except Exception as error:  # what a client sees is what is measured
            answers[type(error).__name__] += 1
        slowest = max(slowest, time.monotonic() - begun)
        time.sleep(1.0)
    cluster.start_head()
    for name in POOLS:
        cluster.join(name)
    cluster.wait(client, tell)
    details = ended([*jobs, *more])
    wrong = [f"{count} × {name}" for name, count in answers.items() if name != "accepted"]
    wrong += [
        f"job {job.id} ({job.name}) {job.state} in {len(job.history)} attempts"
        for job in details
        if job.state != "SUCCEEDED" or len(job.history) != 1
    ]
    wrong += [
        f"job {job.id} had process {pids[job.id]} and then {job.history[0].pid}"
        for job in details
        if job.id in pids and job.history[0].pid != pids[job.id]
    ]
    return {
        "away_s": asked.away,
        "answers": dict(answers),
        "slowest_answer_s": round(slowest, 3),
        "attempts_kept": len(pids),
        "wrong": wrong,
    }


def burst(client: Client, _cluster: LocalCluster, asked: argparse.Namespace) -> Found:
    """Many programs that end at once."""
    begun = time.monotonic()
    jobs = client.submit_batch([program(f"c-{at}", "true") for at in range(asked.commands)])
    details = ended(jobs)
    seconds = time.monotonic() - begun
    wrong = [f"job {job.id} {job.state}" for job in details if job.state != "SUCCEEDED"]
    return {"commands": len(jobs), "jobs_per_s": round(len(jobs) / seconds, 2), "wrong": wrong}


def mixed(count: int) -> list[JobInput]:
    """Two thirds trainings, the rest programs and some inferences with a training's model."""
    trainings: list[JobInput] = [
        {
            "kind": "cnn-train",
            "name": f"train-{at}",
            "priority": (30, 50, 80)[at % 3],
            "work": {"epochs": 12, "seed": at},
        }
        for at in range(2 * count // 3)
    ]
    inferences: list[JobInput] = [
        {
            "kind": "cnn-infer",
            "name": f"infer-{at}",
            "work": {"models": [f"train-{at}"], "data": "digits:test"},
        }
        for at in range(count // 10)
    ]
    left = count - len(trainings) - len(inferences)
    programs = [program(f"program-{at}", "sleep", "3") for at in range(left)]
    return [*trainings, *programs, *inferences]


def _saved(client: Client, jobs: Sequence[JobHandle]) -> int:
    """The most epochs that a training on the victim has saved."""
    on_it = {job for node in client.nodes().nodes if node.name == VICTIM for job in node.jobs}
    return max(
        (
            sum(line.get("kind") == "checkpoint" for one in job.metrics() for line in one.lines)
            for job in jobs
            if job.id in on_it
        ),
        default=0,
    )


FOUR_NODES: Mapping[str, Callable[[Client, LocalCluster, argparse.Namespace], Found]] = {
    "burst": burst,
    "head": head,
    "death": death,
}
OWN_NODES: Mapping[str, Callable[[argparse.Namespace], Found]] = {"starts": starts, "cold": cold}
PARTS = (*OWN_NODES, *FOUR_NODES)


def main() -> int:
    """Measure; 1 if a promise was broken."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.cluster",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--starts", type=int, default=200, help="jobs by each executor")
    parser.add_argument("--ray-jobs", type=int, default=20, help="of Ray's own, of `starts`")
    parser.add_argument("--joins", type=int, default=8, help="of `cold`")
    parser.add_argument("--commands", type=int, default=500, help="of `burst` and `starts`")
    parser.add_argument("--away", type=float, default=120.0, help="seconds without a head")
    parser.add_argument("--jobs", type=int, default=60, help="of `death`")
    add_json(parser)
    asked = parser.parse_args()
    chosen = [name for name in PARTS if name in (asked.parts or PARTS)]
    found: dict[str, Found] = {}
    for part in chosen:
        own, load = OWN_NODES.get(part), os.getloadavg()[0]
        measured = own(asked) if own else _on_four_nodes(part, asked)
        found[part] = measured | {"load_before_and_after": [load, os.getloadavg()[0]]}
        tell(f"{part}: {found[part]}")
    if asked.json:
        write_json(found, asked.json)
    return int(any(part["wrong"] for part in found.values()))


def _on_four_nodes(part: str, asked: argparse.Namespace) -> Found:
    """One part on a cluster of its own."""
    with tempfile.TemporaryDirectory(prefix="fulcrum-cluster-") as name:
        folder = Path(name)
        with (
            local_cluster(folder, POOLS) as cluster,
            private_service(folder, PRICES | cluster.settings(LOST_AFTER_S[part])) as client,
        ):
            for node in POOLS:
                cluster.join(node)
            cluster.wait(client, tell)
            return FOUR_NODES[part](client, cluster, asked)


if __name__ == "__main__":
    sys.exit(main())
