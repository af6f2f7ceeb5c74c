"""What preemption asks of a queue and a cluster, and how it tries things out on copies."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf

from scheduler.decisions.state.cluster import Cluster, RunningAttempt
from scheduler.decisions.state.occupancy import Nodes
from scheduler.decisions.state.plan import Action, Placement
from scheduler.decisions.state.queue import EstimatedPlacement, Queue, Waiting


def waiting_jobs(queue: Queue) -> Iterator[Waiting]:
    """The jobs of a queue, as values."""
    for slot in range(1, len(queue.id)):
        if queue.open[queue.first[slot]]:
            yield waiting_job(queue, slot)


def waiting_job(queue: Queue, slot: int) -> Waiting:
    """The job in a slot of a queue, as a value."""
    return Waiting(
        int(queue.id[slot]),
        float(queue.submitted[slot]),
        [_option(queue, row) for row in queue.rows_of(slot)],
        float(queue.priority[slot]),
        float(queue.deadline[slot]),
        float(queue.preference[slot]),
    )


def _option(queue: Queue, row: int) -> EstimatedPlacement:
    shape = queue.shapes[int(queue.shape[row])]
    figures = queue.runtime, queue.dollars, queue.joules
    return EstimatedPlacement(*shape, *(float(figure[row]) for figure in figures))


def fit(cluster: Cluster, option: EstimatedPlacement) -> Nodes | None:
    """The nodes that the placement would take now; None if it does not fit."""
    return cluster.occupancy[option.pool].fit(option.width, option.memory)


def full(cluster: Cluster) -> bool:
    """Whether no device is free."""
    return not any(pool.free for pool in cluster.occupancy)


def end_of(cluster: Cluster, option: EstimatedPlacement, nodes: Nodes, now: float) -> float:
    """When the placement would end on these nodes, boot included, by its estimate (Unix s)."""
    begins = now + cluster.occupancy[option.pool].boot_s(nodes)
    return begins + option.runtime_s


def hold(cluster: Cluster, job: int, option: EstimatedPlacement, nodes: Nodes, now: float) -> None:
    """Start the placement at `now` by its estimate. Raises `ValueError` if the nodes are taken."""
    end = end_of(cluster, option, nodes, now)
    cluster.start(RunningAttempt(end, job, option.pool, nodes, option.memory))


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


def soonest_end(cluster: Cluster, job: Waiting, now: float) -> float:
    """When the job ends if nothing is preempted and it goes first, by estimates (Unix s).

    What has outlived its estimate is taken to end now. inf if no placement fits even when all that
    runs has ended.
    """
    trial, best = cluster.copy(), inf
    for attempt in (None, *sorted(cluster.running())):
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
