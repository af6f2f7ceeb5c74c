"""Builds the launch specification of a placed attempt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from scheduler.domain.jobs import Attempt, Job
from scheduler.domain.pools import Pool
from scheduler.executors.base import LaunchSpec
from scheduler.service.paths import Paths
from scheduler.workloads.spec.specs import resolve

Devices = Callable[[str, Sequence[int]], Sequence[str]]
"""(pool name, device indices) → identifiers of the operating system."""


@dataclass(frozen=True, slots=True)
class LaunchSpecBuilder:
    """Fills in folders, device identifiers and paths of earlier results."""

    folders: Paths
    devices: Devices

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
            device_kind=pool.kind,
            devices=tuple(self.devices(pool.name, attempt.devices)),
            memory_bytes=attempt.memory_bytes,
            time_limit_s=job.spec.max_duration_s,
        )
