"""Pools: equal devices on equal nodes, with their price and power."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scheduler.domain.errors import InputError
from scheduler.domain.resources import ANY, DeviceKind, Request


@dataclass(frozen=True, slots=True)
class Pool:
    """`nodes` machines with `devices_per_node` devices each, all alike.

    A width up to `devices_per_node` is placed inside one node; a greater one takes nodes whole
    and the rest best-fit. Raises `InputError` for a count below 1 or a negative figure.
    """

    name: str
    kind: DeviceKind
    model: str
    """Device model, e.g. `NVIDIA A10` or `AMD EPYC 7B13`; shown to users."""
    devices_per_node: int
    nodes: int = 1
    memory_per_node: int = 0
    """Bytes that attempts may claim on one node; 0: not limited."""
    dollars_per_device_hour: float = 0.0
    watts_per_device: float = 0.0
    """Power of one busy device (W)."""
    flops_per_device: float = 1e10
    """Sustained training rate of one device (FLOP/s): the estimate before any measurement."""
    boot_s: float = 0.0
    """Seconds from asking for a node until it runs a job; 0 for machines that are always on."""

    def __post_init__(self) -> None:
        if self.devices_per_node < 1 or self.nodes < 1:
            raise InputError(
                f"pool {self.name!r} holds no device",
                {f"pools.{self.name}.devices": "a whole number ≥ 1"},
            )
        figures = (
            ("memory", self.memory_per_node),
            ("dollars_per_device_hour", self.dollars_per_device_hour),
            ("watts_per_device", self.watts_per_device),
            ("boot_s", self.boot_s),
        )
        for field, value in figures:
            if not 0 <= value < math.inf:
                raise InputError(
                    f"pool {self.name!r}: {field} is {value}",
                    {f"pools.{self.name}.{field}": "a number ≥ 0"},
                )
        if not 0 < self.flops_per_device < math.inf:
            raise InputError(
                f"pool {self.name!r}: flops_per_device must be positive",
                {f"pools.{self.name}.flops_per_device": "a number > 0"},
            )

    @property
    def count(self) -> int:
        """Devices in the whole pool."""
        return self.nodes * self.devices_per_node

    @property
    def accepted_as(self) -> tuple[str, ...]:
        """What a job may call its devices: `any`, their kind, their model, the pool's name."""
        return (ANY, self.kind.value, self.model, self.name)

    def suits(self, request: Request) -> bool:
        """Whether the job accepts these devices (case does not matter)."""
        names = {name.casefold() for name in self.accepted_as}
        return any(device.casefold() in names for device in request.devices)

    def memory_fits(self, width: int, memory_bytes: int) -> bool:
        """Whether an empty pool could hold `memory_bytes` on `width` devices, evenly on each."""
        if not self.memory_per_node:
            return True
        fullest = min(width, self.devices_per_node)
        return -(-memory_bytes * fullest // width) <= self.memory_per_node
