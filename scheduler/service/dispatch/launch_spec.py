"""Builds the launch specification of a placed attempt."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from scheduler.domain.jobs import Attempt, Job
from scheduler.domain.pools import Pool
from scheduler.domain.resources import DeviceKind
from scheduler.executors.base import LaunchSpec, Part
from scheduler.hardware.inventory import Inventory
from scheduler.service.paths import Paths
from scheduler.workloads.spec.specs import resolve


class Machines(Protocol):
    """Knows the devices behind pools."""

    @property
    def inventory(self) -> Inventory:
        """The pools now, with the nodes and devices behind them."""


@dataclass(frozen=True, slots=True)
class LaunchSpecBuilder:
    """Fills in folders, device identifiers and paths of earlier results."""

    folders: Paths
    machines: Machines
    secrets: Callable[[str, Mapping[str, str]], Mapping[str, str]] = lambda _project, _wanted: {}
    """(project, variable → name) → variable → value; raises `MissingError`."""

    def build(self, job: Job, attempt: Attempt, pool: Pool) -> LaunchSpec:
        """The specification for an attempt that was placed on `pool`; raises `MissingError`."""
        return LaunchSpec(
            attempt=attempt.id,
            nonce=attempt.nonce,
            job_nonce=job.nonce,
            kind=job.spec.kind,
            work=resolve(job.spec.work, self.folders.artifacts),
            folder=self.folders.attempt(job.id, attempt.number),
            shared=self.folders.job(job.id),
            parts=self._parts(attempt, pool),
            time_limit_s=job.spec.max_duration_s,
            resume_from=self._earlier(job),
            env=_membership(job),
            secrets=self.secrets(job.spec.project, job.spec.secrets),
        )

    def _earlier(self, job: Job) -> Path | None:
        earlier = job.spec.resume_from
        return None if earlier is None else self.folders.checkpoints(earlier)

    def _parts(self, attempt: Attempt, pool: Pool) -> tuple[Part, ...]:
        # The memory that a job asks of a GPU pool is that of its devices: no host memory.
        memory = attempt.memory_bytes if pool.kind is DeviceKind.CPU else 0
        return tuple(
            Part(node, pool.kind, tuple(devices), -(-memory * len(devices) // attempt.width))
            for node, devices in self.machines.inventory.by_node(pool.name, attempt.devices).items()
        )


def _membership(job: Job) -> dict[str, str]:
    """Variables that tell a command which job of an array, or which trial of a sweep, it is."""
    spec = job.spec
    named = {
        "FULCRUM_ARRAY": spec.array,
        "FULCRUM_ARRAY_INDEX": None if spec.array is None else spec.index,
        "FULCRUM_SWEEP": spec.sweep,
        "FULCRUM_TRIAL": None if spec.sweep is None else spec.index,
    }
    return {name: str(value) for name, value in named.items() if value is not None}
