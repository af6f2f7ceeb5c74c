"""Every placement that a job could ever have on a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from typing import NamedTuple

from scheduler.domain.errors import InfeasibleError
from scheduler.domain.jobs import Estimate, JobSpec
from scheduler.domain.pools import Pool
from scheduler.domain.resources import Request
from scheduler.domain.units import counted
from scheduler.estimates.estimator import SHORTEST_S, Estimator

NARROW = 8
"""Width ranges up to this many widths are tried in full."""


class PoolEstimate(NamedTuple):
    """A pool (by index), a width, and what the job would take there."""

    pool: int
    width: int
    estimate: Estimate
    start_up_s: float = 0.0
    """The part of the runtime before the first sample, which every attempt needs."""

    def after(self, done: float) -> PoolEstimate:
        """What is left when `done` (0…1) of the work need not be done again."""
        whole = self.estimate
        runtime_s = self.start_up_s + (whole.runtime_s - self.start_up_s) * (1.0 - done)
        share = max(runtime_s, SHORTEST_S) / whole.runtime_s
        return self._replace(
            estimate=replace(
                whole,
                runtime_s=whole.runtime_s * share,
                dollars=whole.dollars * share,
                joules=whole.joules * share,
            )
        )


def options(spec: JobSpec, pools: Sequence[Pool], estimator: Estimator) -> list[PoolEstimate]:
    """All feasible placements of a job with their estimates; see `feasible`."""
    return [
        PoolEstimate(
            index,
            width,
            estimator.estimate(spec, pools[index], width),
            estimator.start_up_s(spec, pools[index], width),
        )
        for index, width in feasible(spec.request, pools)
    ]


def feasible(request: Request, pools: Sequence[Pool]) -> list[tuple[int, int]]:
    """The feasible placements (pool index, width), by pool and ascending width.

    Feasible: the job accepts the device, the whole pool when empty holds the width, and its
    memory. Budget and deadline do not matter here: decisions weigh them. Raises `InfeasibleError`
    naming what this cluster has instead.
    """
    found = [
        (index, width)
        for index, pool in enumerate(pools)
        if pool.suits(request)
        for width in widths(request, pool)
        if pool.memory_fits(width, request.memory_bytes)
    ]
    if not found:
        raise _infeasible(request, pools)
    return found


def widths(request: Request, pool: Pool) -> tuple[int, ...]:
    """Widths of the request that the pool can hold, ascending.

    All of them if they are few (`NARROW`); of a wide range both ends and the powers of two
    between. A job rarely gains by the other widths, and each costs a row in every decision.
    """
    low, high = request.min_width, min(request.max_width, pool.count)
    if high - low < NARROW:
        return tuple(range(low, high + 1))
    powers = {1 << bit for bit in range(low.bit_length(), high.bit_length())}
    return tuple(sorted({low, high} | {power for power in powers if low < power < high}))


def _infeasible(request: Request, pools: Sequence[Pool]) -> InfeasibleError:
    asked = " or ".join(request.devices)
    accepted = [pool for pool in pools if pool.suits(request)]
    if not accepted:
        have = ", ".join(
            f"{pool.count} {pool.kind} ({pool.model}; pool {pool.name})" for pool in pools
        )
        by_sort = zip(*(pool.accepted_as for pool in pools), strict=True)
        legal = dict.fromkeys(("any", *chain.from_iterable(by_sort)))
        return InfeasibleError(
            f"asks for {_devices(request.min_width, asked)}; this cluster has {have or 'no pool'}",
            {"request.devices": f"some of: {', '.join(legal)}"},
        )
    widest = max(accepted, key=lambda pool: pool.count)
    if widest.count < request.min_width:
        return InfeasibleError(
            f"asks for {_devices(request.min_width, asked)}; "
            f"the largest pool that it accepts, {widest.name}, holds {widest.count}",
            {"request.width": f"at least 1, at most {widest.count} as the smallest width"},
        )
    # A pool without a limit would have fitted, so all of these have one.
    most = max(
        -(-min(request.max_width, pool.count) // pool.devices_per_node) * pool.memory_per_node
        for pool in accepted
        if pool.count >= request.min_width
    )
    return InfeasibleError(
        f"asks for {_bytes(request.memory_bytes)} of memory; "
        f"the pools it accepts hold at most {_bytes(most)} at its widths",
        {"request.memory": f"at most {_bytes(most)} ({most} bytes)"},
    )


def _devices(number: int, name: str) -> str:
    if name == "any":
        return f"{counted(number, 'device')} of any kind"
    return counted(number, f"{name} device")


def _bytes(number: float) -> str:
    for unit in ("bytes", "KiB", "MiB"):
        if number < 1024:
            return f"{number:.4g} {unit}"
        number /= 1024
    return f"{number:.4g} GiB"
