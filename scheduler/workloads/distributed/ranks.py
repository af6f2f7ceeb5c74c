"""The processes of an attempt, numbered by rank, and what each takes of a batch."""

from __future__ import annotations

from dataclasses import dataclass

from scheduler.domain.jobs import JobKind
from scheduler.domain.resources import DeviceKind
from scheduler.executors.base import LaunchSpec


@dataclass(frozen=True, slots=True)
class Rank:
    """One process of an attempt, and its place among all of them."""

    index: int = 0
    """Among all processes of the attempt, from 0."""
    local: int = 0
    """Among the processes of its part, from 0."""
    part: int = 0
    """`LaunchSpec.rank`: the part that it works on."""
    weights: tuple[int, ...] = (1,)
    """Devices of every process of the attempt, by index."""
    parts: tuple[int, ...] = (1,)
    """Processes of every part."""

    @property
    def world(self) -> int:
        """Processes of the attempt."""
        return len(self.weights)

    @property
    def leads(self) -> bool:
        """Whether it speaks for the attempt: metrics, checkpoints, result."""
        return self.index == 0

    def share(self, count: int) -> slice:
        """Which of `count` images are its own; the shares of all ranks make up the whole.

        In proportion to the devices, but two images at least: batch statistics of a single
        image do not exist. Where that is not enough for all, the last ranks get none.
        """
        working = max(1, min(self.world, count // 2))
        if self.index >= working:
            return slice(count, count)
        weights = self.weights[:working]
        rest, devices = count - 2 * working, sum(weights)

        def bound(ranks: int) -> int:
            return 2 * ranks + -(-rest * sum(weights[:ranks]) // devices)

        return slice(bound(self.index), bound(self.index + 1))

    @property
    def name(self) -> str:
        """`rank 3`."""
        return f"rank {self.index}"


CONSEQUENCE = "consequence"
"""In the result of a rank: it failed because it lost the others."""
ALONE = Rank()
"""The only process of an attempt."""


def of_part(spec: LaunchSpec) -> tuple[Rank, ...]:
    """The processes of the spec's own part.

    A part has one process per GPU. On CPUs it has one, whose threads are the devices. A command
    is one process of each part.
    """
    sizes = [_processes(spec, part) for part in range(len(spec.parts))]
    weights: list[int] = []
    for part, size in zip(spec.parts, sizes, strict=True):
        weights += [max(1, len(part.devices) // size)] * size
    first = sum(sizes[: spec.rank])
    return tuple(
        Rank(first + local, local, spec.rank, tuple(weights), tuple(sizes))
        for local in range(sizes[spec.rank])
    )


def _processes(spec: LaunchSpec, part: int) -> int:
    one = spec.parts[part]
    if spec.kind is JobKind.COMMAND or one.device_kind is DeviceKind.CPU:
        return 1
    return max(1, len(one.devices))
