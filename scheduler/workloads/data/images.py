"""Images as tensors: where they come from, and how they become batches."""

from __future__ import annotations

import hashlib
import signal
import struct
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler, get_worker_info
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F  # noqa: N812

from scheduler.text import shown
from scheduler.workloads.data.pictures import UnreadableError, decode
from scheduler.workloads.distributed.ranks import ALONE, Rank
from scheduler.workloads.stop_signal import SIGNALS

Key = tuple[int, int]
"""Epoch and index of one image: its random changes depend on both and on nothing else."""
Batch = tuple[Tensor, Tensor]
"""Images (N, C, H, W) as float32 and their labels (N) as int64."""

_TOLD_EVERY = 10_000


class ImageSource(Protocol):
    """Labelled images of any size."""

    labels: NDArray[np.int64]

    def image(self, index: int) -> Tensor:
        """uint8 (C, H, W)."""


class Arrays:
    """Images that are in memory already, all of one size."""

    def __init__(self, images: Tensor, labels: NDArray[np.int64]) -> None:
        """Take uint8 (N, C, H, W) and their labels (N)."""
        self.images = images
        self.labels = labels

    def image(self, index: int) -> Tensor:
        """uint8 (C, H, W)."""
        return self.images[index]


class Files:
    """Images in files, decoded once and kept while memory allows."""

    def __init__(
        self,
        paths: Sequence[Path],
        labels: Sequence[int],
        edge: int | None,
        cache: Cache,
        max_pixels: int,
    ) -> None:
        self.paths = list(paths)
        self.labels = np.asarray(labels, dtype=np.int64)
        self._edge = edge
        self._cache = cache
        self._max_pixels = max_pixels

    def image(self, index: int) -> Tensor:
        """uint8 (3, H, W); raises `UnreadableError` naming a file that has changed since."""
        path = self.paths[index]
        kept = self._cache.get(path, self._edge)
        if kept is not None:
            return kept
        try:
            return decode(path, self._edge, self._max_pixels)
        except UnreadableError as error:
            raise UnreadableError(f"{shown(str(path))} can no longer be read: {error}") from None

    def drop_unreadable(self, threads: int) -> list[tuple[Path, str]]:
        """Decode everything once, forget what cannot be; returns that with the reason."""
        bad: list[tuple[Path, str]] = []
        good: list[int] = []
        for index, problem in enumerate(_in_order(self._try, self.paths, threads)):
            if problem is None:
                good.append(index)
            else:
                bad.append((self.paths[index], problem))
            if not (index + 1) % _TOLD_EVERY:
                print(f"{index + 1:,} of {len(self.paths):,} images read", flush=True)
        self.paths = [self.paths[index] for index in good]
        self.labels = self.labels[good]
        return bad

    def _try(self, path: Path) -> str | None:
        try:
            self._cache.put(path, self._edge, decode(path, self._edge, self._max_pixels))
        except UnreadableError as error:
            return str(error)
        return None


class Cache:
    """Decoded images, up to a number of bytes."""

    def __init__(self, limit: int) -> None:
        self._left = limit
        self._kept: dict[tuple[Path, int | None], Tensor] = {}

    def get(self, path: Path, edge: int | None) -> Tensor | None:
        """The image as it was put, or None."""
        return self._kept.get((path, edge))

    def put(self, path: Path, edge: int | None, image: Tensor) -> None:
        """Keep it if the cache has space."""
        if image.nbytes <= self._left:
            self._left -= image.nbytes
            self._kept[path, edge] = image


class Prepared(Dataset[Batch]):
    """A source with its transforms; fetched batch by batch."""

    def __init__(
        self,
        source: ImageSource,
        *,
        edge: int,
        channels: int,
        mean: Sequence[float],
        std: Sequence[float],
        augment: v2.Transform | None = None,
        seed: int = 0,
    ) -> None:
        """`augment` maps uint8 (C, H, W) to uint8 (C, edge, edge), by torch's global generator."""
        self.source = source
        self.edge = edge
        self.channels = channels
        self.augment = augment
        self.seed = seed
        self._mean, self._std = mean, std

    def __len__(self) -> int:
        return len(self.source.labels)

    def __getitems__(self, keys: Sequence[Key]) -> Batch:
        """The batch of these (epoch, index) pairs, perhaps of none."""
        if not keys:
            empty = torch.empty(0, self.channels, self.edge, self.edge)
            return empty, torch.empty(0, dtype=torch.int64)
        images = torch.stack([self._image(epoch, index) for epoch, index in keys])
        labels = torch.from_numpy(self.source.labels[[index for _, index in keys]])
        return finish(images, self.edge, self.channels, self._mean, self._std), labels

    def _image(self, epoch: int, index: int) -> Tensor:
        image = self.source.image(index)
        if self.augment is None:
            return image
        kept = torch.get_rng_state()
        torch.default_generator.manual_seed(mix(self.seed, epoch, index))
        try:
            changed: Tensor = self.augment(image)
        finally:
            torch.set_rng_state(kept)
        return changed


def finish(
    images: Tensor, edge: int, channels: int, mean: Sequence[float], std: Sequence[float]
) -> Tensor:
    """uint8 (N, C, H, W) → float32 (N, channels, edge, edge), normalised: what a network sees."""
    if images.shape[-2:] != (edge, edge):
        images = F.resize(images, [edge, edge], antialias=True)
    if images.shape[1] > channels:
        images = F.rgb_to_grayscale(images)
    elif images.shape[1] < channels:
        images = images.expand(-1, channels, -1, -1)
    images = F.to_dtype(images, torch.float32, scale=True)
    normalised: Tensor = F.normalize(images, list(mean), list(std), inplace=True)
    return normalised


class Batches(Sampler[list[Key]]):
    """The keys of one epoch, in batches; one image alone joins the batch before it.

    (Batch statistics of a single image do not exist.)
    """

    def __init__(
        self,
        size: int,
        batch_size: int,
        *,
        epoch: int = 0,
        seed: int | None = None,
        done: int = 0,
        rank: Rank = ALONE,
    ) -> None:
        """`seed` None: in order; else shuffled by seed and epoch. The first `done` are left out.

        The length stays that of the whole epoch, as the trainer expects. Of each batch `rank` gets
        its share, perhaps none.
        """
        self.size, self.batch_size, self.epoch, self.seed = size, batch_size, epoch, seed
        self.done = done
        self.rank = rank

    def __len__(self) -> int:
        whole, rest = divmod(self.size, self.batch_size)
        return max(1, whole) if rest <= 1 < self.batch_size else whole + bool(rest)

    def images(self, number: int) -> int:
        """Images of batch `number` (from 0), over all ranks."""
        start = number * self.batch_size
        return self.size - start if number == len(self) - 1 else self.batch_size

    def __iter__(self) -> Iterator[list[Key]]:
        if self.seed is None:
            order = list(range(self.size))
        else:
            generator = torch.Generator().manual_seed(mix(self.seed, self.epoch))
            order = torch.randperm(self.size, generator=generator).tolist()
        for number in range(self.done, len(self)):
            start, count = number * self.batch_size, self.images(number)
            own = order[start : start + count][self.rank.share(count)]
            yield [(self.epoch, index) for index in own]


def loader(dataset: Prepared, batches: Batches, workers: int = 0) -> DataLoader[Batch]:
    """The batches of one epoch."""
    return DataLoader(
        dataset,
        batch_sampler=batches,
        num_workers=workers,
        collate_fn=_whole,
        generator=torch.Generator(),  # else each pass draws from the global one
        worker_init_fn=_ignore_stop_signals,
    )


def _ignore_stop_signals(_worker: int) -> None:
    """The training, which gets the signal too, needs its loaders until its state is saved."""
    for name in SIGNALS:
        signal.signal(name, signal.SIG_IGN)


def mix(*parts: int) -> int:
    """A seed (63 bits) out of several whole numbers."""
    packed = struct.pack(f"<{len(parts)}Q", *parts)
    return int.from_bytes(hashlib.blake2b(packed, digest_size=8).digest(), "little") >> 1


def chosen(labels: NDArray[np.int64], count: int, seed: int) -> NDArray[np.bool_]:
    """Mark `count` items, even over the labels, by chance of `seed`.

    A greater count marks the same ones and more.
    """
    generator = np.random.default_rng(seed)
    chance = generator.random(len(labels))
    place = np.empty(len(labels))
    for label in np.unique(labels):
        (own,) = np.nonzero(labels == label)
        place[own[np.argsort(chance[own])]] = (np.arange(len(own)) + 0.5) / len(own)
    marked = np.zeros(len(labels), dtype=np.bool_)
    marked[np.lexsort((chance, place))[:count]] = True
    return marked


def _whole(batch: Any) -> Any:
    """The dataset fetches whole batches already; a loader process hands them over in /dev/shm.

    It moves them there itself: torch does it in a thread, where a full /dev/shm loses the batch
    without a word, and the training waits for ever.
    """
    if get_worker_info() is None:
        return batch
    try:
        for tensor in batch:
            tensor.share_memory_()
    except RuntimeError:
        return _Piped(batch)
    return batch


class _Piped:
    """A batch that goes through the pipe between two processes, and comes out as a batch."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch

    def __reduce__(self) -> tuple[Callable[..., Batch], tuple[NDArray[Any], ...]]:
        return _batch_of, tuple(tensor.numpy() for tensor in self._batch)


def _batch_of(images: NDArray[np.float32], labels: NDArray[np.int64]) -> Batch:
    return torch.from_numpy(images), torch.from_numpy(labels)


def _in_order(
    work: Callable[[Path], str | None], paths: Sequence[Path], threads: int
) -> Iterator[str | None]:
    if threads == 1:
        yield from map(work, paths)
        return
    pool = ThreadPoolExecutor(threads)
    try:
        yield from pool.map(work, paths)
    finally:
        pool.shutdown(cancel_futures=True)
