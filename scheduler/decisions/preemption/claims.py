"""Claims: devices that attempts are being stopped for go to the job for which they are stopped."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from scheduler.decisions.preemption.trial import fit, hold, placement, waiting_job
from scheduler.decisions.state.cluster import Cluster, RunningAttempt
from scheduler.decisions.state.plan import Placement, Reservation
from scheduler.decisions.state.queue import EstimatedPlacement, Queue
from scheduler.decisions.state.snapshot import Snapshot

_HOLDER = -(10**12)
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
    placements, claims = [], []
    for claim in snapshot.claims:
        slot = queue.slot_of(claim.job)
        options = [] if slot is None else waiting_job(queue, slot).options
        option = next((o for o in options if o[:2] == (claim.pool, claim.width)), None)
        if slot is None or option is None:
            continue
        nodes = fit(cluster, option)
        if nodes is not None:
            hold(cluster, claim.job, option, nodes, snapshot.now)
            placements.append(placement(claim.job, option, nodes))
        elif _kept(snapshot, cluster, option):
            claims.append(claim)
        else:
            continue
        rows = queue.rows_of(slot)
        queue = replace(queue, open=queue.open.copy())
        queue.open[rows.start : rows.stop] = False
    return Claimed(cluster, queue, tuple(placements), tuple(claims))


def _kept(snapshot: Snapshot, cluster: Cluster, option: EstimatedPlacement) -> bool:
    """Hold what is free of the nodes that the placement gets when attempts have stopped."""
    later = cluster.copy()
    running = {attempt.job for attempt in later.running()}
    for each in snapshot.running_jobs:
        if each.stopping and each.job.id in running:
            later.finish(each.job.id)
    nodes = fit(later, option)
    if nodes is None:
        return False
    end = snapshot.now + option.runtime_s
    for node, devices in nodes:
        number = _HOLDER - len(list(cluster.running()))
        for count in range(devices, 0, -1):
            try:
                cluster.start(RunningAttempt(end, number, option.pool, ((node, count),)))
            except ValueError:
                continue
            break
    return True
