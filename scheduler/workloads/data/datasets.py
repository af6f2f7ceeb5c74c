"""The data of a training or an inference, loaded and split."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scheduler.domain.errors import InputError, OutageError
from scheduler.locks import locked
from scheduler.workloads.data.images import Arrays, Cache, Files, ImageSource, chosen
from scheduler.workloads.image_folders import folders
from scheduler.workloads.spec import tables
from scheduler.workloads.spec.paths import folder_of
from scheduler.workloads.spec.work import CnnTrainWork

_SPLIT_SEED = 20_240_501
"""The test part is the same for every job of a dataset, so that results compare."""


@dataclass(frozen=True, slots=True)
class DatasetParts:
    """What a training needs."""

    classes: tuple[str, ...]
    channels: int
    train: ImageSource
    validation: ImageSource | None
    test: ImageSource
    skipped: tuple[str, ...] = ()
    """Names of what was left out, relative to the dataset's folder."""


def load(work: CnnTrainWork, edge: int, *, threads: int, cache_bytes: int) -> DatasetParts:
    """Load and split the dataset of a training.

    `edge`: images of files are shrunk to it at once, unless crops need the whole.
    Raises `InputError` if nothing readable is left of a part.
    """
    if work.dataset.startswith("folder:"):
        return _from_folder(work, edge, threads, cache_bytes)
    known = tables.DATASETS[work.dataset]
    train, classes = arrays(work.dataset, train=True)
    if known.test:
        test, _ = arrays(work.dataset, train=False)
        rest = np.arange(len(train.labels))
    else:
        rest, off = test_split(train.labels, work.test_fraction)
        test = _pick(train, off)
    kept, validation = _validation_split(train.labels[rest], work)
    return DatasetParts(
        classes,
        known.channels,
        _pick(train, rest[kept]),
        _pick(train, rest[validation]) if len(validation) else None,
        test,
    )


def arrays(name: str, *, train: bool) -> tuple[Arrays, tuple[str, ...]]:
    """A dataset by name with its class names; one without a test part comes whole."""
    if name == "digits":
        return _digits(), tuple(str(digit) for digit in range(10))
    return _torchvision(name, train)


def test_split(
    labels: NDArray[np.int64], fraction: float
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Indices of (the rest, the test part); a greater fraction holds the smaller ones' images."""
    count = len(labels) - tables.remaining(len(labels), fraction)
    marked = chosen(labels, count, _SPLIT_SEED)
    return np.nonzero(~marked)[0], np.nonzero(marked)[0]


def _validation_split(
    labels: NDArray[np.int64], work: CnnTrainWork
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Indices of (training, validation), the former cut to the job's limit."""
    count = len(labels) - tables.remaining(len(labels), work.validation_fraction)
    marked = chosen(labels, count, work.seed)
    kept = np.nonzero(~marked)[0]
    return _limited(kept, labels, work), np.nonzero(marked)[0]


def _limited(
    kept: NDArray[np.intp], labels: NDArray[np.int64], work: CnnTrainWork
) -> NDArray[np.intp]:
    if work.limit is None or work.limit >= len(kept):
        return kept
    return kept[chosen(labels[kept], work.limit, work.seed)]


def _from_folder(work: CnnTrainWork, edge: int, threads: int, cache_bytes: int) -> DatasetParts:
    root = folder_of(work.dataset)
    folder = folders.labelled(root, "work.dataset")
    cache = Cache(cache_bytes)
    labels = np.array([label for _, label in folder.train], dtype=np.int64)
    rest = np.arange(len(labels))
    off = np.empty(0, dtype=np.intp)
    if not folder.test:
        rest, off = test_split(labels, work.test_fraction)
    if folder.validation:
        kept, validation = _limited(np.arange(len(rest)), labels[rest], work), off[:0]
    else:
        kept, validation = _validation_split(labels[rest], work)
    whole = None if work.augmentation.random_resized_crop else edge

    def files(items: tuple[folders.Labelled, ...], size: int | None = edge) -> Files:
        paths, labels = [path for path, _ in items], [label for _, label in items]
        return Files(paths, labels, size, cache, work.max_image_pixels)

    def some(indices: NDArray[np.intp]) -> tuple[folders.Labelled, ...]:
        return tuple(folder.train[index] for index in indices)

    parts = {
        "train": files(some(rest[kept]), whole),
        "validation": files(folder.validation or some(rest[validation])),
        "test": files(folder.test or some(off)),
    }
    skipped = list(folder.skipped)
    for name, part in parts.items():
        asked = len(part.paths)
        bad = part.drop_unreadable(threads)
        skipped += [(folders.name_below(path, root), problem) for path, problem in bad]
        if asked and not part.paths:
            folders.tell(skipped)
            problem = f"{root}: none of the {asked} {name} images can be read"
            raise InputError(problem, {"work.dataset": problem})
    folders.tell(skipped)
    validated = parts["validation"] if parts["validation"].paths else None
    return DatasetParts(
        folder.classes,
        3,
        parts["train"],
        validated,
        parts["test"],
        tuple(name for name, _ in skipped),
    )


def _pick(source: Arrays, indices: NDArray[np.intp]) -> Arrays:
    return Arrays(source.images[torch.from_numpy(indices)], source.labels[indices])


@cache
def _digits() -> Arrays:
    """1,797 handwritten digits of 8 × 8 px in 17 grey levels, part of scikit-learn.

    E. Alpaydin, C. Kaynak (1998), "Optical Recognition of Handwritten Digits", UCI repository.
    """
    from sklearn.datasets import load_digits

    bunch: Any = load_digits()
    grey = np.round(bunch.images * (255 / 16)).astype(np.uint8)
    return Arrays(torch.from_numpy(grey)[:, None], bunch.target.astype(np.int64))


def _torchvision(name: str, train: bool) -> tuple[Arrays, tuple[str, ...]]:
    """Downloaded once per machine, into $FULCRUM_DATA or the user's cache folder."""
    from torchvision import datasets

    makers: dict[str, Callable[..., Any]] = {
        "mnist": datasets.MNIST,
        "fashion-mnist": datasets.FashionMNIST,
        "kmnist": datasets.KMNIST,
        "cifar10": datasets.CIFAR10,
        "cifar100": datasets.CIFAR100,
    }
    home = os.environ.get("FULCRUM_DATA")
    root = Path(home) if home else Path.home() / ".cache" / "fulcrum" / "datasets"
    root.mkdir(parents=True, exist_ok=True)
    with locked(root / f".{name}.lock"):  # two jobs must not download over each other
        try:
            data = makers[name](root, train=train, download=True)
        except (OSError, RuntimeError) as error:
            reason = " ".join(str(error).split())
            maker = makers[name].__name__
            code = f"from torchvision.datasets import {maker}; {maker}('data', download=True)"
            problem = (
                f"the dataset {name} cannot be fetched ({reason}); without internet, run "
                f'`python -c "{code}"` elsewhere and put what is in data/ into {root} on this '
                "machine"
            )
            raise OutageError(problem, {"work.dataset": problem}) from None
    images = torch.as_tensor(data.data)
    grey = images.ndim == 3
    shaped: Tensor = images[:, None] if grey else images.permute(0, 3, 1, 2).contiguous()
    return Arrays(shaped, np.asarray(data.targets, dtype=np.int64)), tuple(data.classes)
