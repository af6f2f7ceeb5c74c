"""Weights as other programs save them."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from scheduler.domain.errors import InputError
from scheduler.workloads.models import architectures, weights

State = dict[str, Any]


@pytest.fixture
def state() -> State:
    torch.manual_seed(0)
    network = architectures.build("simple-cnn", classes=2, image_size=8, channels=1)
    return dict(network.state_dict())


def under(prefix: str) -> Callable[[State], State]:
    return lambda state: {f"{prefix}{name}": value for name, value in state.items()}


@pytest.mark.parametrize(
    "saved",
    [
        under(""),
        under("module."),
        under("_orig_mod."),
        under("module._orig_mod."),
        under("_orig_mod.module."),
        lambda state: {name.replace(".", "._orig_mod.", 1): it for name, it in state.items()},
        lambda state: {"state_dict": state, "epoch": 3},
        lambda state: {"model_state_dict": state, "loss": np.float64(0.5)},
        lambda state: {"net": under("module.")(state), "acc": np.float32(97.5), "epoch": 200},
        lambda state: {"model": state, "best": np.int64(3), "curve": np.zeros(4)},
        lambda state: {"network": {"state_dict": state}},
    ],
)
def test_state_dicts_in_every_wrapping(
    saved: Callable[[State], State], state: State, tmp_path: Path
) -> None:
    torch.save(saved(state), tmp_path / "a.pt")
    read = weights.read(tmp_path / "a.pt", "work.weights.0")
    assert read.keys() == state.keys()
    assert all(torch.equal(read[name], state[name]) for name in state)


def test_the_versions_of_the_layers_lose_the_prefix_as_well(tmp_path: Path) -> None:
    network = architectures.build("mnasnet0_5", classes=2, image_size=32)
    torch.save(torch.nn.DataParallel(network).state_dict(), tmp_path / "a.pt")
    weights.load(network, weights.read(tmp_path / "a.pt", "x"), "x")


@pytest.mark.parametrize(
    ("saved", "problem"),
    [
        ({"state_dict": {}, "args": argparse.Namespace()}, "holds a argparse.Namespace, which"),
        ({"a": Path("/")}, r"holds a pathlib\.\w+, which could run code"),
        (torch.zeros(3), "holds no state dict; legal: one alone, or under state_dict, model_st"),
        ({}, "holds no state dict"),
        ({"a": torch.zeros(1), "b": 3}, "no state dict of tensors: b is none"),
        ({"a": torch.zeros(1), "b": torch.tensor([1.0, float("nan")])}, r"in 1 of 2 tensors \(b\)"),
        ({"a": torch.tensor([float("inf")], dtype=torch.float16)}, "NaN or infinity in 1 of 1"),
    ],
)
def test_what_cannot_be_used_is_told_in_one_plain_line(
    saved: Any, problem: str, tmp_path: Path
) -> None:
    torch.save(saved, tmp_path / "a.pt")
    with pytest.raises(InputError, match=problem) as caught:
        weights.read(tmp_path / "a.pt", "work.weights.0")
    assert list(caught.value.fields) == ["work.weights.0"]
    assert caught.value.message.isprintable()


@pytest.mark.parametrize("content", [b"", b"no weights", b"PK\x03\x04 no archive", b"\x80\x02."])
def test_files_that_are_no_weights_are_told_in_one_plain_line(
    content: bytes, tmp_path: Path
) -> None:
    (tmp_path / "a.pt").write_bytes(content)
    with pytest.raises(InputError, match=r"does not load as weights: \w") as caught:
        weights.read(tmp_path / "a.pt", "work.weights.0")
    assert caught.value.message.isprintable()
