"""The placements on which a job can run: pools that its runs name and that can hold it."""

from __future__ import annotations

from collections.abc import Sequence

from envs.simulator.simulated_job import PoolWidth
from envs.workloads.base import Arrival, WorkloadRun
from scheduler.decisions.state.world import EstimatedPlacement
from scheduler.domain.errors import InfeasibleError
from scheduler.domain.pools import Pool
from scheduler.domain.resources import ANY


class FeasiblePlacements:
    """Looks up the feasible placements of jobs, once for each device, width and memory."""

    def __init__(self, pools: Sequence[Pool]) -> None:
        self._pools = pools
        self._known: dict[tuple[str, int, int], tuple[int, ...]] = {}

    def of(self, job: Arrival) -> dict[PoolWidth, WorkloadRun]:
        """(pool index, width) → true run. Raises `InfeasibleError` if no pool can hold the job."""
        found: dict[PoolWidth, WorkloadRun] = {}
        for run in job.runs:
            key = run.device, run.width, job.memory_bytes
            pools = self._known.get(key)
            if pools is None:
                pools = self._known[key] = self._holding(*key)
            for pool in pools:
                found.setdefault((pool, run.width), run)
        if not found:
            raise InfeasibleError(
                f"job {job.id} fits no pool",
                {"runs": f"one of {[pool.name for pool in self._pools]}"},
            )
        return found

    def option(self, job: Arrival, placement: PoolWidth, estimate_s: float) -> EstimatedPlacement:
        """The placement as decisions see it, with its estimated cost and energy."""
        index, width = placement
        pool = self._pools[index]
        device_seconds = estimate_s * width
        return EstimatedPlacement(
            index,
            width,
            job.memory_bytes,
            estimate_s,
            device_seconds / 3600 * pool.dollars_per_device_hour,
            device_seconds * pool.watts_per_device,
        )

    def _holding(self, device: str, width: int, memory: int) -> tuple[int, ...]:
        return tuple(
            index
            for index, pool in enumerate(self._pools)
            if device in (ANY, pool.kind.value, pool.model)
            and width <= pool.count
            and pool.memory_fits(width, memory)
        )
