"""What the processes of an attempt compute together; one alone has it all already."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor
from torch import distributed as dist
from torch.distributed import PrefixStore  # type: ignore[attr-defined]  # exported by `*`

from scheduler.domain.resources import DeviceKind
from scheduler.executors.base import LaunchSpec
from scheduler.workloads.distributed import rendezvous
from scheduler.workloads.distributed.ranks import Rank

PATIENCE = timedelta(days=7)
"""How long a rank waits for the others. Those that are lost are noticed by their launchers."""
BACKENDS = {DeviceKind.CPU: "gloo", DeviceKind.CUDA: "cpu:gloo,cuda:nccl"}
"""Gloo carries what lies in host memory, NCCL what lies on GPUs."""


@contextmanager
def joined(spec: LaunchSpec, rank: Rank) -> Iterator[None]:
    """Be one of the attempt's processes inside. Alone: nothing to join.

    Raises `RendezvousError` if the others are not met in time.
    """
    if rank.world == 1:
        yield
        return
    rendezvous.use_interface(len(spec.parts))
    meeting, store = rendezvous.join(spec)
    os.environ |= {"MASTER_ADDR": meeting.address, "MASTER_PORT": str(meeting.port)}
    dist.init_process_group(
        BACKENDS[spec.part.device_kind],
        store=PrefixStore("group", store),
        rank=rank.index,
        world_size=rank.world,
        timeout=PATIENCE,
    )
    yield
    # Not after an error: others may be gone, and the process ends anyway.
    dist.barrier()
    dist.destroy_process_group()


def total(part: Tensor) -> Tensor:
    """The sum over all ranks of a tensor that each has; on every rank. `part` may change."""
    if dist.is_initialized():
        dist.all_reduce(part)
    return part


def from_first(value: Any) -> Any:
    """The value of rank 0, on every rank."""
    if not dist.is_initialized():
        return value
    values = [value]
    dist.broadcast_object_list(values, src=0)
    return values[0]


def from_all(value: Any) -> list[Any]:
    """The values of all ranks, by rank, on every rank."""
    if not dist.is_initialized():
        return [value]
    values: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(values, value)
    return values


def to_first(value: Any) -> list[Any]:
    """The values of all ranks, by rank, on rank 0; elsewhere an empty list."""
    if not dist.is_initialized():
        return [value]
    first = dist.get_rank() == 0
    values: list[Any] | None = [None] * dist.get_world_size() if first else None
    dist.gather_object(value, values, dst=0)
    return values or []


def lost_others(error: BaseException) -> bool:
    """Whether the error only says that other ranks do not answer any more."""
    if isinstance(error, dist.DistError):
        return True
    return isinstance(error, RuntimeError) and any(
        word in str(error) for word in ("gloo", "NCCL", "ncclUnhandledCudaError")
    )


class Vote:
    """Lets all ranks stop after the same batch, whichever of them was told to.

    The answer to the question after one batch is read after the next one, so nobody waits for it.
    """

    def __init__(self) -> None:
        self._asked: tuple[dist.Work, Tensor] | None = None

    def after_batch(self, stop: bool) -> bool:
        """Whether any rank wanted to stop when it was asked last; asks again."""
        if not dist.is_initialized():
            return stop
        if self._answer():
            return True
        flag = torch.tensor(int(stop))
        self._asked = (dist.all_reduce(flag, dist.ReduceOp.MAX, async_op=True), flag)
        return False

    def now(self, stop: bool) -> bool:
        """Whether any rank wants to stop."""
        if not dist.is_initialized():
            return stop
        flag = torch.tensor(int(self._answer() or stop))
        dist.all_reduce(flag, dist.ReduceOp.MAX)
        return bool(flag)

    def _answer(self) -> bool:
        if self._asked is None:
            return False
        work, flag = self._asked
        work.wait()
        self._asked = None
        return bool(flag)
