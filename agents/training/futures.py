"""Jobs that may come, from workloads that no policy is judged on."""

from __future__ import annotations

import numpy as np

from envs.clock import CompiledSimulation
from envs.simulator.results import SimulationResult
from envs.simulator.simulation import Simulation
from scheduler.decisions.rounds.policy import Policy
from scheduler.decisions.rounds.run import decide
from scheduler.decisions.search.arrivals import ArrivedJob, RecentArrivals


def arrived(simulation: Simulation | CompiledSimulation, policy: Policy) -> list[ArrivedJob]:
    """The counted jobs of a new simulation, with what their estimates were worth.

    Those that are there at the start did not arrive one after another.
    """
    seen = RecentArrivals(most=None)
    while (round_ := simulation.next()) is not None:
        seen.see(simulation.world)
        simulation.commit(decide(round_, policy))
    outcome = simulation.outcome()
    places = {int(job): at for at, job in enumerate(outcome.job)}
    return [
        job._replace(ratio=_ratio(job, outcome, places[number]))
        for number, job in sorted(seen.jobs.items(), key=lambda each: each[1].submitted)
        if number in places
    ]


def _ratio(job: ArrivedJob, outcome: SimulationResult, at: int) -> float:
    """Runtime ÷ its estimate where the job has run; 1 if it has not."""
    place = int(outcome.pool[at]), int(outcome.width[at])
    for shape, estimate in zip(job.shapes, job.figures[0], strict=True):
        if (shape.pool, shape.width) == place and estimate > 0.0:
            ratio = float(outcome.runtime[at] / estimate)
            return ratio if np.isfinite(ratio) else 1.0
    return 1.0
