"""A forecast by the estimates: rounds repeated over simulated ends."""

from __future__ import annotations

from dataclasses import dataclass, replace

from scheduler.decisions.rounds.policy import Policy
from scheduler.decisions.rounds.round import Mode, Round
from scheduler.decisions.rounds.run import decide
from scheduler.decisions.state.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class ExpectedStart:
    """When and where a job is expected to run."""

    job: int
    start: float
    """Unix seconds, boot time included."""
    end: float
    pool: str
    width: int
    dollars: float
    joules: float


def forecast(
    snapshot: Snapshot, policy: Policy, mode: Mode, *, until: int | None = None, rounds: int = 300
) -> dict[int, ExpectedStart]:
    """Expected starts if every estimate is right and nothing new arrives.

    Stops when job `until` has started, when the queue is empty, or after so many `rounds`:
    jobs further back are missing from the answer.
    """
    starts: dict[int, ExpectedStart] = {}
    cluster = snapshot.cluster()
    queue = replace(snapshot.queue, open=snapshot.queue.open.copy())
    now, committed = snapshot.now, snapshot.committed
    for _ in range(rounds):
        plan = decide(Round(queue, cluster, now, mode, committed), policy)
        committed = plan.reservations
        for placed in plan.placements:
            pool = snapshot.pools[placed.pool]
            start = now + cluster.occupancy[placed.pool].boot_s(placed.nodes)
            starts[placed.job] = ExpectedStart(
                job=placed.job,
                start=start,
                end=start + placed.runtime_s,
                pool=pool.name,
                width=placed.width,
                dollars=placed.dollars,
                joules=placed.joules,
            )
            slot = queue.slot_of(placed.job)
            if slot is not None:
                rows = queue.rows_of(slot)
                queue.open[rows.start : rows.stop] = False
        if until in starts or queue.open.sum() <= 1:
            break
        ends = [(running.end, running.job) for running in cluster.running()]
        if not ends:
            break
        end = max(now, min(ends)[0])
        for moment, job in ends:
            if moment <= end:
                cluster.finish(job)
        now = end
    return starts
