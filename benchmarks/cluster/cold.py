"""The part `cold`: a node is offered when it is ready, and the first job there starts at once."""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

from api.local_cluster import LocalCluster, local_cluster
from api.local_service import private_service
from benchmarks.cluster.jobs import Found, ended, program, until
from fulcrum import Client
from scheduler.domain.nodes import NodeState

NODE = "a"
LOOK_S = 0.02
MOST_MS = 200.0


def cold(asked: argparse.Namespace) -> Found:
    """A node whose processes were all killed joins again and again.

    In turns a job waits for the node, and a job is submitted once the node is up.
    """
    with tempfile.TemporaryDirectory(prefix="fulcrum-cluster-") as name:
        folder = Path(name)
        with (
            local_cluster(folder, {NODE: "cpu"}) as cluster,
            private_service(folder, {"FULCRUM_FIT": "false"} | cluster.settings(600.0)) as client,
        ):
            return _summary([_round(client, cluster, at) for at in range(asked.joins)])


def _round(client: Client, cluster: LocalCluster, number: int) -> dict[str, Any]:
    # The first node brings the pool, without which nothing is accepted.
    waits = number % 2 == 1
    if number:
        cluster.kill(NODE)
        until(lambda: not _up(client), "the dead node stays up", LOOK_S)
    job = client.submit(program(f"first-{number}", "true")) if waits else None
    joined_at = time.time()
    cluster.join(NODE)
    until(lambda: _up(client), "the node is not ready", LOOK_S)
    submitted_at = time.time()
    if job is None:
        job = client.submit(program(f"first-{number}", "true"))
    ((first,),) = [one.history for one in ended([job])]
    ups = [one.time.timestamp() for one in client.node_events(NODE).events if one.name == "up"]
    begun = first.placed_at.timestamp() if waits else submitted_at
    started = first.started_at.timestamp() if first.started_at else float("nan")
    return {
        "waited": waits,
        "ready_s": ups[-1] - joined_at,
        "after_up_ms": (first.placed_at.timestamp() - ups[-1]) * 1e3,
        "start_ms": (started - begun) * 1e3,
    }


def _summary(rounds: list[dict[str, Any]]) -> Found:
    wrong = [
        f"join {at}: the first job started after {one['start_ms']:.0f} ms"
        for at, one in enumerate(rounds)
        if not one["start_ms"] < MOST_MS
    ]
    wrong += [
        f"join {at}: the job was placed {-one['after_up_ms']:.0f} ms before the node was up"
        for at, one in enumerate(rounds)
        if one["after_up_ms"] < 0
    ]
    by_wait = {
        name: sorted(round(one["start_ms"], 1) for one in rounds if one["waited"] is waited)
        for name, waited in (("submitted_when_up_ms", False), ("waited_from_placement_ms", True))
    }
    ready = [round(one["ready_s"], 1) for one in rounds]
    return {"joins": len(rounds), "join_to_up_s": ready, **by_wait, "wrong": wrong}


def _up(client: Client) -> bool:
    return any(node.state is NodeState.UP for node in client.nodes().nodes)
