"""What a job asks for: devices, a range of widths, memory."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from scheduler.domain.errors import InputError

ANY = "any"
"""Accepts every device."""


class DeviceKind(StrEnum):
    """The families of devices a pool can hold."""

    CPU = "cpu"
    CUDA = "cuda"


@dataclass(frozen=True, slots=True)
class Request:
    """The resources of one attempt. Jobs are moldable: the scheduler picks the width.

    Raises `InputError` for an empty device list, a width below 1, an inverted range or
    negative memory.
    """

    devices: tuple[str, ...] = (ANY,)
    """Accepted devices, as `Pool.accepted_as` has them."""
    min_width: int = 1
    """Fewest devices of one attempt."""
    max_width: int = 1
    """Most devices of one attempt."""
    memory_bytes: int = 0
    """Memory of the whole attempt: host memory on a CPU pool, device memory on a GPU pool."""

    def __post_init__(self) -> None:
        if not self.devices:
            raise InputError("a job must accept at least one device", {"devices": "is empty"})
        if self.min_width < 1 or self.max_width < self.min_width:
            raise InputError(
                f"width {self.min_width}..{self.max_width} is not a range of at least 1",
                {"width": "a whole number ≥ 1, or LOW..HIGH with 1 ≤ LOW ≤ HIGH"},
            )
        if self.memory_bytes < 0:
            raise InputError("memory is negative", {"memory": "bytes ≥ 0"})


def parse_width(text: str | int) -> tuple[int, int]:
    """`"1..4"` → (1, 4); `2` or `"2"` → (2, 2). Raises `InputError` naming the legal forms."""
    low, dots, high = str(text).partition("..")
    try:
        bounds = int(low), int(high if dots else low)
    except ValueError:
        bounds = (0, 0)
    if not 1 <= bounds[0] <= bounds[1]:
        raise InputError(
            f"width {text!r} is not a number of devices",
            {"width": "a whole number ≥ 1, or LOW..HIGH with 1 ≤ LOW ≤ HIGH"},
        )
    return bounds
