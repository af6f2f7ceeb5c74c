"""Claims: devices that attempts are being stopped for go to the job for which they are stopped."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from scheduler.decisions.preemption.trial import fit, hold, placement, waiting_job
from scheduler.decisions.state.cluster import Cluster, RunningAttempt
from scheduler.decisions.state.occupancy import Nodes
from scheduler.decisions.state.plan import Placement, Reservation
from scheduler.decisions.state.queue import EstimatedPlacement, Queue
from scheduler.decisions.state.snapshot import Snapshot

HOLDER = -(10**12)
"""Devices that are kept free are held by attempts with numbers below this one."""


class Claimed(NamedTuple):
    """What is left for a round after the claims were served."""

    cluster: Cluster
    queue: Queue
    """Without the jobs that have a claim."""
    placements: tuple[Placement, ...]
    claims: tuple[Reservation, ...]
    """Of jobs whose devices are not free yet."""


def served(snapshot: Snapshot) -> Claimed:
    """Start the jobs with a claim that fit by now; keep the free part of the others' devices.

    A claim ends when its job has left the queue, has other placements, or would not fit even when
    all stopping attempts have ended.
    """
    cluster, queue = snapshot.cluster(), snapshot.queue
    later = _later(snapshot, cluster) if snapshot.claims else cluster
    placements, claims = [], []
    for claim in snapshot.claims:
        slot = queue.slot_of(claim.job)
        options = [] if slot is None else waiting_job(queue, slot).options
        option = next((each for each in options if each[:2] == (claim.pool, claim.width)), None)
        nodes = None if option is None else fit(cluster, option) or fit(later, option)
        if slot is None or option is None or nodes is None:
            continue
        hold(later, claim.job, option, nodes, snapshot.now)
        if fit(cluster, option) is not None:
            hold(cluster, claim.job, option, nodes, snapshot.now)
            placements.append(placement(claim.job, option, nodes))
        else:
            _keep_free(cluster, option, nodes, snapshot.now)
            claims.append(claim)
        rows = queue.rows_of(slot)
        queue = replace(queue, open=queue.open.copy())
        queue.open[rows.start : rows.stop] = False
    return Claimed(cluster, queue, tuple(placements), tuple(claims))


def _later(snapshot: Snapshot, cluster: Cluster) -> Cluster:
    """The cluster when all stopping attempts have ended."""
    later = cluster.copy()
    running = {attempt.job for attempt in later.running()}
    for each in snapshot.running_jobs:
        if each.stopping and each.job.id in running:
            later.finish(each.job.id)
    return later


def _keep_free(cluster: Cluster, option: EstimatedPlacement, nodes: Nodes, now: float) -> None:
    """Hold what is free already of the devices on these nodes."""
    held = sum(attempt.job < HOLDER for attempt in cluster.running())
    for number, (node, devices) in enumerate(nodes, held + 1):
        for count in range(devices, 0, -1):
            part = ((node, count),)
            end = now + option.runtime_s
            try:
                cluster.start(RunningAttempt(end, HOLDER - number, option.pool, part))
            except ValueError:
                continue
            break
