"""The fixed figures of a workload's jobs, taken from the real queue once per episode."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from envs.gym.episodes import Episode
from envs.scenarios.supply import Billing
from envs.simulator.placements import FeasiblePlacements
from envs.simulator.results import BOUND_S
from envs.workloads.runtime_estimates import Exact, Requested
from scheduler.arrays import Floats, Floats32, Ints
from scheduler.decisions.features.static_features import StaticFeatures
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.state.queue import Backlog
from scheduler.decisions.state.world import Waiting
from scheduler.domain.errors import InputError
from scheduler.domain.jobs import MIDDLE_PRIORITY

MODES = (Mode.COMMIT, Mode.COMMIT_FCFS, Mode.EASY)
"""Those that the kernel knows; its numbers for them are their positions here."""


class Facts(NamedTuple):
    """Columns by slot: slot 0 is WAIT, slot n the n-th job to arrive.

    `Worlds` keeps those of all its episodes together, with one more dimension in front.
    """

    submitted: Floats
    """(slots,) Seconds."""
    estimate: Floats
    """(slots,) Seconds, as believed while the job waits."""
    runtime: Floats
    """(slots,) True seconds."""
    width: Ints
    """(slots,) Devices."""
    impatience: Floats
    """(slots,) What a second in the system adds to the objective's latency, by the truth."""
    priority: Floats
    """(slots,)"""
    preference: Floats
    """(slots,) 0 cheapest … 1 fastest."""
    columns: Floats32
    """(STATIC_COLUMNS, slots) `StaticFeatures.columns`."""
    timing: Floats
    """(fields, slots) As `price` and `weights`, see `StaticFeatures`."""
    price: Floats
    weights: Floats
    place: Ints
    """(orders, slots) Position by each order of `columns.ORDERS`, in the whole workload."""

    @property
    def jobs(self) -> int:
        """Of the workload."""
        return len(self.submitted) - 1


def suits(episode: Episode) -> bool:
    """Whether the kernel plays this episode as `Simulation` does.

    One pool of one node that is always up, jobs with one placement each and no deadline, no
    failures, and estimates that depend on nothing but the job.
    """
    spec = episode.spec
    alone = len(spec.pools) == 1 and spec.pools[0].nodes == 1 and not spec.pools[0].boot_s
    steady = not (spec.changing() or spec.failures.per_attempt or spec.every_event)
    billed = alone and spec.supply(0).billing is Billing.BUSY
    believed = type(episode.estimator) in (Exact, Requested)
    if not (billed and steady and believed and spec.mode in MODES):
        return False
    places = FeasiblePlacements(spec.pools)
    return all(
        len(places.of(job)) == 1 and not job.memory_bytes and job.deadline is None
        for job in episode.workload.jobs
    )


def facts(episode: Episode, preference: float) -> Facts:
    """The facts of an episode at preference w. Raises `InputError` for one that does not suit."""
    if not suits(episode):
        raise InputError(
            f"{episode.workload.name} is not for the compiled simulation",
            {"scenario": "one pool of one node, one placement a job, exact or requested estimates"},
        )
    spec, scales = episode.spec, episode.scales
    places, backlog = FeasiblePlacements(spec.pools), Backlog(episode.workload.origin)
    runtime, impatience = [0.0], [0.0]
    for job in episode.workload.jobs:
        ((where, run),) = places.of(job).items()
        estimate = episode.estimator.estimate(job, run)
        backlog.add(
            Waiting(
                job.id,
                job.submitted_at,
                [places.option(job, where, estimate)],
                job.priority,
                np.inf if job.deadline is None else job.deadline,
                preference if job.preference is None else job.preference,
            )
        )
        runtime.append(run.runtime_s)
        impatience.append(
            1.0 / max(run.runtime_s, BOUND_S) / scales.slowdown
            if scales.bounded
            else job.priority / MIDDLE_PRIORITY / scales.latency_s
        )
    queue = backlog.view()
    static = StaticFeatures(queue.layout, queue.shapes, spec.pools)
    static.learn(queue)
    slots = len(queue.id)
    place = np.empty_like(static.orders)
    np.put_along_axis(place, static.orders, np.arange(slots)[np.newaxis], axis=1)
    width = np.array([shape.width for shape in queue.shapes], dtype=np.int64)
    return Facts(
        submitted=queue.submitted.copy(),
        estimate=queue.runtime.copy(),
        runtime=np.array(runtime),
        width=width[queue.shape],
        priority=queue.priority.copy(),
        preference=queue.preference.copy(),
        impatience=np.array(impatience),
        columns=static.columns[:, :slots].copy(),
        timing=static.timing[:, :slots].copy(),
        price=static.price[:, :slots].copy(),
        weights=static.weights[:, :slots].copy(),
        place=place,
    )
