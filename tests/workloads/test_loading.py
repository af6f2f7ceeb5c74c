"""Loader processes: their batches arrive, or the training ends with a sentence."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest
import torch
from torch import Tensor

from scheduler.workloads.data.images import Arrays, Batch, Batches, Prepared, loader
from scheduler.workloads.train import loaders_in_words


def prepared() -> Prepared:
    images = torch.arange(6 * 4 * 4, dtype=torch.uint8).reshape(6, 1, 4, 4)
    source = Arrays(images, np.arange(6))
    return Prepared(source, edge=4, channels=1, mean=(0.0,), std=(1.0,))


def batches(workers: int) -> list[Batch]:
    return list(loader(prepared(), Batches(6, 2), workers))


@pytest.mark.parametrize("full", [False, True])
def test_batches_arrive_whether_dev_shm_has_room_or_not(
    full: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(_: Tensor) -> Tensor:
        raise RuntimeError("unable to allocate shared memory(shm): No space left on device (28)")

    expected = batches(0)
    if full:
        monkeypatch.setattr(Tensor, "share_memory_", no_room)
    for ours, theirs in zip(batches(1), expected, strict=True):
        assert all(torch.equal(one, other) for one, other in zip(ours, theirs, strict=True))


def test_a_loader_that_is_killed_is_told_of_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(_self: Prepared, _keys: object) -> Batch:
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError

    monkeypatch.setattr(Prepared, "__getitems__", killed)
    with pytest.raises(RuntimeError, match="a loader process was killed"), loaders_in_words():
        batches(1)
