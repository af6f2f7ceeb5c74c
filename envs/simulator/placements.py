"""The placements on which a job can run: pools that its runs name and that can hold it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from envs.workloads.base import Arrival
from scheduler.arrays import Floats, Ints
from scheduler.domain.errors import InfeasibleError
from scheduler.domain.pools import Pool

PoolWidth = tuple[int, int]
"""(pool index, devices)."""


@dataclass(frozen=True, slots=True, eq=False)
class PlacementSet:
    """The n placements of jobs that ask for the same devices, widths and memory."""

    places: Mapping[PoolWidth, int]
    """Each placement → its position, in the order of the job's runs."""
    run: Ints
    """(n,) int64: position of the placement's run among the job's runs."""
    width: Floats
    """(n,) devices."""
    price: Floats
    """(n,) dollars per device-hour."""
    watts: Floats
    """(n,) per device."""

    def figures(self, seconds: Sequence[float]) -> Floats:
        """(3, n): seconds, dollars and joules of attempts that last so long."""
        figures = np.empty((3, len(self.run)))
        figures[0] = seconds
        device_seconds = figures[0] * self.width
        figures[1] = device_seconds / 3600 * self.price
        figures[2] = device_seconds * self.watts
        return figures


class FeasiblePlacements:
    """Looks up the feasible placements of jobs, once for equal requests."""

    def __init__(self, pools: Sequence[Pool]) -> None:
        self._pools = pools
        self._names = [pool.accepted_as for pool in pools]
        self._known: dict[tuple[object, ...], PlacementSet] = {}

    def of(self, job: Arrival) -> PlacementSet:
        """The job's placements. Raises `InfeasibleError` if no pool can hold it."""
        key = job.memory_bytes, *[(run.device, run.width) for run in job.runs]
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._found(job)
        return found

    def _found(self, job: Arrival) -> PlacementSet:
        pools, memory = self._pools, job.memory_bytes
        places: dict[PoolWidth, int] = {}
        for position, run in enumerate(job.runs):
            for index, pool in enumerate(pools):
                named, width = run.device in self._names[index], run.width
                if named and width <= pool.count and pool.memory_fits(width, memory):
                    places.setdefault((index, width), position)
        if not places:
            raise InfeasibleError(
                f"job {job.id} fits no pool", {"runs": f"one of {[pool.name for pool in pools]}"}
            )
        return PlacementSet(
            places={place: position for position, place in enumerate(places)},
            run=np.array(list(places.values()), dtype=np.int64),
            width=np.array([float(width) for _, width in places]),
            price=np.array([pools[index].dollars_per_device_hour for index, _ in places]),
            watts=np.array([pools[index].watts_per_device for index, _ in places]),
        )
