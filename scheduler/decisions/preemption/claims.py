"""Claims: devices that attempts are being stopped for go to the job for which they are stopped."""

from __future__ import annotations

from typing import NamedTuple

from scheduler.decisions.preemption.trial import fit, hold, placement
from scheduler.decisions.state.entries import EstimatedPlacement, Nodes, RunningAttempt
from scheduler.decisions.state.plan import Placement, Reservation
from scheduler.decisions.state.snapshot import Snapshot
from scheduler.decisions.state.waiting_jobs import waiting_jobs
from scheduler.decisions.state.world import World

HOLDER = -(10**12)
"""Devices that are kept free are held by attempts with numbers below this one."""


class Claimed(NamedTuple):
    """What is left for a round after the claims were served."""

    world: World
    """A copy, without the jobs that have a claim."""
    placements: tuple[Placement, ...]
    claims: tuple[Reservation, ...]
    """Of jobs whose devices are not free yet."""


def served(snapshot: Snapshot) -> Claimed:
    """Start the jobs with a claim that fit by now; keep the free part of the others' devices.

    A claim ends when its job has left the queue, has other placements, or would not fit even when
    all stopping attempts have ended.
    """
    world = snapshot.world.copy()
    if not snapshot.claims:
        return Claimed(world, (), ())
    later = _later(snapshot, world)
    waiting = {job.id: job.options for job in waiting_jobs(world)}
    # A job that is stopped to move has its claim before it waits.
    moving = {each.job.id: each.job.options for each in snapshot.running_jobs if each.stopping}
    options = waiting | moving
    placements, claims = [], []
    for claim in snapshot.claims:
        size = claim.pool, claim.width
        option = next((each for each in options.get(claim.job, ()) if each[:2] == size), None)
        if option is None:
            continue
        now, nodes = fit(world, option), fit(later, option)
        if nodes is None:
            continue
        hold(later, claim.job, option, nodes, snapshot.now)
        if now is not None and claim.job in waiting:
            hold(world, claim.job, option, now, snapshot.now)
            placements.append(placement(claim.job, option, now))
        else:
            _keep_free(world, option, nodes, snapshot.now)
            claims.append(claim)
        if claim.job in waiting:
            world.remove(claim.job)
    return Claimed(world, tuple(placements), tuple(claims))


def _later(snapshot: Snapshot, world: World) -> World:
    """The cluster when all stopping attempts have ended."""
    later = world.copy()
    running = {attempt.job for attempt in later.running()}
    for each in snapshot.running_jobs:
        if each.stopping and each.job.id in running:
            later.finish(each.job.id)
    return later


def _keep_free(world: World, option: EstimatedPlacement, nodes: Nodes, now: float) -> None:
    """Hold what is free already of the devices on these nodes."""
    held = sum(attempt.job < HOLDER for attempt in world.running())
    for number, (node, devices) in enumerate(nodes, held + 1):
        for count in range(devices, 0, -1):
            part = ((node, count),)
            end = now + option.runtime_s
            try:
                world.start(RunningAttempt(end, HOLDER - number, option.pool, part))
            except ValueError:
                continue
            break
