"""What preemption asks of a world, and how it tries placements out on copies."""

from __future__ import annotations

from math import inf

from scheduler.decisions.state.entries import EstimatedPlacement, Nodes, RunningAttempt, Waiting
from scheduler.decisions.state.plan import Action, Placement
from scheduler.decisions.state.world import World


def fit(world: World, option: EstimatedPlacement) -> Nodes | None:
    """The nodes that the placement would take now; None if it does not fit."""
    return world.fit(option.pool, option.width, option.memory)


def full(world: World) -> bool:
    """Whether no device is free."""
    return not any(world.free(pool) for pool in range(len(world.pools)))


def end_of(world: World, option: EstimatedPlacement, nodes: Nodes, now: float) -> float:
    """When the placement would end on these nodes, boot included, by its estimate (Unix s)."""
    begins = now + world.boot_s(option.pool, nodes)
    return begins + option.runtime_s


def hold(world: World, job: int, option: EstimatedPlacement, nodes: Nodes, now: float) -> None:
    """Start the placement at `now` by its estimate. Raises `ValueError` if the nodes are taken."""
    end = end_of(world, option, nodes, now)
    world.start(RunningAttempt(end, job, option.pool, nodes, option.memory))


def placement(job: int, option: EstimatedPlacement, nodes: Nodes) -> Placement:
    """The decision that the job starts there."""
    pool, width, memory, runtime_s, dollars, joules = option
    return Placement(job, pool, width, nodes, memory, runtime_s, dollars, joules, Action.START)


def option_of(placement: Placement) -> EstimatedPlacement:
    """The placement without its nodes."""
    return EstimatedPlacement(
        placement.pool,
        placement.width,
        placement.memory,
        placement.runtime_s,
        placement.dollars,
        placement.joules,
    )


def soonest_end(world: World, job: Waiting, now: float) -> float:
    """When the job ends if nothing is preempted and it goes first, by estimates (Unix s).

    What has outlived its estimate is taken to end now. inf if no placement fits even when all that
    runs has ended.
    """
    trial, best = world.copy(), inf
    for attempt in (None, *sorted(world.running())):
        at = now
        if attempt is not None:
            at = max(now, attempt.end)
            if at >= best:
                break
            trial.finish(attempt.job)
        for option in job.options:
            nodes = fit(trial, option)
            if nodes is not None:
                best = min(best, end_of(trial, option, nodes, at))
    return best
