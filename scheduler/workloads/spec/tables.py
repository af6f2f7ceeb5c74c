"""What is known of architectures and datasets without loading them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

SIMPLE_CNN = "simple-cnn"

TEST_FRACTION = 0.2
"""Share of a dataset without a test part that is its test part, unless a job says otherwise."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """One row of `scheduler/estimates/model_flops.json`."""

    flops: float
    """Of one forward pass of one image of `image_size` (FLOP; a multiply-add is two)."""
    parameters: int
    image_size: int
    """Edge of the square image the count belongs to (px)."""
    min_image_size: int
    """Smallest edge it takes (px)."""
    image_size_step: int
    """Edges are multiples of this (px)."""

    def forward_flops(self, image_size: int) -> float:
        """Of one image of that edge: convolutions grow with the area."""
        return self.flops * (image_size / self.image_size) ** 2


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset known by name."""

    train: int
    """Training images; without a test part, all images."""
    test: int
    """Test images; 0: the test is split off."""
    image_size: int
    """Edge (px)."""
    channels: int
    classes: int


DATASETS: Mapping[str, Dataset] = {
    "digits": Dataset(1797, 0, 8, 1, 10),
    "mnist": Dataset(60_000, 10_000, 28, 1, 10),
    "fashion-mnist": Dataset(60_000, 10_000, 28, 1, 10),
    "kmnist": Dataset(60_000, 10_000, 28, 1, 10),
    "cifar10": Dataset(50_000, 10_000, 32, 3, 10),
    "cifar100": Dataset(50_000, 10_000, 32, 3, 100),
}


@cache
def architectures() -> Mapping[str, Architecture]:
    """Every architecture by name, `simple-cnn` first."""
    text = (resources.files("scheduler.estimates") / "model_flops.json").read_text("utf-8")
    return {name: Architecture(**row) for name, row in json.loads(text).items()}


def default_image_size(model: str, dataset: str) -> int:
    """Edge (px) if none is asked for: what the architecture was made for.

    simple-cnn takes the images of a known dataset as they are, and those of folders at 64 px;
    torchvision's models take small datasets at 32 px where they can.
    """
    known = DATASETS.get(dataset)
    row = architectures()[model]
    if model == SIMPLE_CNN:
        return known.image_size if known else 64
    if known and row.min_image_size <= 32 and 32 % row.image_size_step == 0:
        return 32
    return row.image_size


def simple_cnn_pooling(image_size: int) -> tuple[int, int]:
    """Width of simple-cnn's second pooling, and edge (px) of the map behind it.

    Above 64 px the pooling widens, so that the map is never wider than 16 px.
    """
    half = image_size // 2
    width = max(2, -(-half // 16))
    return width, half // width


def remaining(images: int, fraction: float) -> int:
    """Images left for training when that share is split off (at least one is)."""
    return images - max(1, round(images * fraction)) if fraction else images
