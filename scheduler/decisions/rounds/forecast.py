"""A forecast by the estimates: rounds repeated over simulated ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.policy import Policy
from scheduler.decisions.rounds.round import Round
from scheduler.decisions.rounds.run import decide
from scheduler.decisions.state.plan import Placement
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
    snapshot: Snapshot,
    policy: Policy,
    mode: Mode,
    *,
    until: int | None = None,
    rounds: int = 300,
    runtime: Callable[[Placement], float] | None = None,
) -> dict[int, ExpectedStart]:
    """Expected starts if every estimate is right and nothing new arrives.

    `runtime` gives other seconds for what starts: the policy chooses by the estimates, but the
    ends of what runs are then known to it. Stops when job `until` has started, when the queue is
    empty, or after so many `rounds`: jobs further back are missing from the answer.
    """
    starts: dict[int, ExpectedStart] = {}
    world = snapshot.world.copy()
    now, committed = snapshot.now, snapshot.committed
    for _ in range(rounds):
        plan = decide(Round(world, now, mode, committed), policy)
        committed = plan.reservations
        for placed in plan.placements:
            start = now + world.boot_s(placed.pool, placed.nodes)
            seconds = placed.runtime_s if runtime is None else runtime(placed)
            if runtime is not None:
                world.extend(placed.job, start + seconds)
            starts[placed.job] = ExpectedStart(
                job=placed.job,
                start=start,
                end=start + seconds,
                pool=world.pools[placed.pool].name,
                width=placed.width,
                dollars=placed.dollars,
                joules=placed.joules,
            )
            world.remove(placed.job)
        ends = [(running.end, running.job) for running in world.running()]
        if until in starts or not world.depth or not ends:
            break
        if min(ends)[0] == inf:
            break  # nobody knows when that node comes back
        now = max(now, min(ends)[0])
        for end, job in ends:
            if end <= now:
                world.finish(job)
    return starts
