"""The kind `cnn-infer`: classify images with one model, or with several that vote.

Soft voting: the mean of the models' probabilities (Kuncheva 2004, "Combining Pattern
Classifiers", sec. 5.3); the label is the class with the greatest mean.

On several GPUs or nodes each rank classifies whole batches of its own, and rank 0 writes all
answers in the order of the images.
"""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from scheduler.domain.errors import InputError
from scheduler.domain.resources import DeviceKind
from scheduler.workloads.context import Context
from scheduler.workloads.data import datasets
from scheduler.workloads.data.images import Arrays, finish
from scheduler.workloads.data.pictures import UnreadableError, decode
from scheduler.workloads.distributed import collectives
from scheduler.workloads.image_folders import folders
from scheduler.workloads.models import architectures, weights
from scheduler.workloads.models.weights import Card
from scheduler.workloads.predictions import Predictions
from scheduler.workloads.scoring.answers import BatchAnswers, Findings
from scheduler.workloads.spec import tables
from scheduler.workloads.spec.paths import folder_of, model_file
from scheduler.workloads.spec.work import CnnInferWork, known_size

SKIPPED_NAMED = 20


@dataclass(frozen=True, slots=True)
class Voter:
    """One model, ready to be asked."""

    field: str
    """Of the job, which names it."""
    card: Card
    network: nn.Module

    def probabilities(self, images: Tensor) -> Tensor:
        """uint8 (N, C, H, W) → (N, classes), summing to 1 per image.

        Raises `InputError` naming `field` where the network answers with no finite number.
        """
        card = self.card
        device = next(self.network.parameters()).device
        ready = finish(images.to(device), card.image_size, card.channels, card.mean, card.std)
        answer = torch.softmax(self.network(ready).float(), dim=1)
        if not answer.isfinite().all():
            problem = "the outputs of this model are not finite; its weights do not fit its layers"
            raise InputError(f"{self.field}: {problem}", {self.field: problem})
        return answer


@dataclass(frozen=True, slots=True)
class ImageItem:
    """One image to classify."""

    name: str
    truth: int | None
    """Index of its class, if known."""
    image: Tensor | Path
    """uint8 (C, H, W), or the file that holds it."""

    def load(self, edge: int, max_pixels: int) -> Tensor:
        """uint8 (C, H, W), from a file as a square of `edge` px; raises `UnreadableError`."""
        if isinstance(self.image, Path):
            return decode(self.image, edge, max_pixels)
        return self.image


def infer(work: CnnInferWork, context: Context) -> dict[str, Any]:
    """Classify everything; write the predictions and, of labelled images, the scores.

    Returns the result. Raises `InputError` for models or data that cannot be used, or models whose
    classes differ.
    """
    rank = context.rank
    on_cpu = context.device_kind is DeviceKind.CPU
    voters = load(work, torch.device("cpu") if on_cpu else torch.device("cuda", rank.local))
    classes = voters[0].card.classes
    items, left_out = _items(work, [voter.card for voter in voters])
    folders.tell(left_out)
    print(_headline(work, voters, items), flush=True)
    found = Findings([name for name, _ in left_out], len(voters))
    batches = math.ceil(len(items) / work.batch_size)
    with ExitStack() as stack, torch.inference_mode():
        out = stack.enter_context(Predictions(context.artifacts, classes)) if rank.leads else None
        _warm_up(voters, work.batch_size)
        context.begin()
        for first in range(0, batches, rank.world):
            start = (first + rank.index) * work.batch_size
            answers = _classify(work, voters, items[start : start + work.batch_size])
            together = collectives.to_first(answers)
            for one in together:
                folders.tell(one.bad)
                if one.chances is not None:
                    assert out is not None, "answers come to rank 0 alone"
                    out.add(one.items, one.chances)
            found.add(together)
            done = min(batches, first + rank.world)
            images = sum(len(one.items) for one in together)
            context.advance(images, done / batches, batch=done, batches=batches)
        if rank.leads:
            context.check_owner()
    if not rank.leads:
        return {}
    if not found.sizes:
        problem = f"{work.data}: none of the {len(items)} images can be read"
        raise InputError(problem, {"work.data": problem})
    return _result(context, voters, found)


def _result(context: Context, voters: Sequence[Voter], found: Findings) -> dict[str, Any]:
    """Write what the labelled images tell of the models, report it, and return the result."""
    classes = voters[0].card.classes
    metrics = found.figures()
    result: dict[str, Any] = {
        "images": sum(found.sizes),
        "labelled_images": len(found.truths),
        "metrics": metrics,
        "skipped_images": len(found.skipped),
        "skipped": found.skipped[:SKIPPED_NAMED],
    }
    if found.truths:
        scores = found.scores(len(classes))
        metrics |= scores.metrics
        scores.write(context.artifacts, classes)
        result |= scores.result(classes)
        if len(voters) > 1:
            named = zip(voters, found.accuracies(), strict=True)
            result["voters"] = [
                {"model": voter.card.model, "source": voter.field, "accuracy": accuracy}
                for voter, accuracy in named
            ]
    context.emit("test", **metrics)
    print(", ".join(f"{name} {value:.4g}" for name, value in metrics.items()), flush=True)
    unknown = result["images"] - len(found.truths)
    if found.truths and unknown:
        print(f"images in no folder of a known class, which are not scored: {unknown}", flush=True)
    return result


def _classify(
    work: CnnInferWork, voters: Sequence[Voter], items: Sequence[ImageItem]
) -> BatchAnswers:
    """One batch, perhaps of none."""
    begun = time.perf_counter()
    edges = {voter.card.image_size for voter in voters}
    batch, images, bad = _read(work, items, edges)
    if not batch:
        return BatchAnswers(bad=bad)
    votes = torch.stack([voter.probabilities(images[voter.card.image_size]) for voter in voters])
    return BatchAnswers(
        items=[(item.name, item.truth) for item in batch],
        chances=votes.mean(0).cpu().numpy(),
        votes=votes.argmax(2).tolist(),
        bad=bad,
        seconds=time.perf_counter() - begun,
    )


def load(work: CnnInferWork, device: torch.device) -> list[Voter]:
    """The models, each with its description; raises `InputError`."""
    files: list[tuple[str, Path]] = []
    for index, item in enumerate(work.models):
        field = f"work.models.{index}"
        if isinstance(item, int):
            problem = f"job {item} has not been replaced by its results"
            raise InputError(problem, {field: problem})
        files.append((field, model_file(Path(item).expanduser(), field)))
    files += [
        (f"work.weights.{index}", Path(file).expanduser())
        for index, file in enumerate(work.weights)
    ]
    voters = [_voter(work, path, field) for field, path in files]
    for (field, _), voter in zip(files, voters, strict=True):
        voter.network.to(device).eval()
        if voter.card.classes != voters[0].card.classes:
            problem = "models vote together only if they know the same classes in the same order"
            raise InputError(problem, {field: problem})
    return voters


def _voter(work: CnnInferWork, path: Path, field: str) -> Voter:
    state = weights.read(path, field)
    described = path.with_name("model.json")
    if described.is_file():
        card = weights.read_card(described, field)
        if work.image_size and work.image_size != card.image_size:
            if card.model == tables.SIMPLE_CNN:
                problem = f"simple-cnn takes the {card.image_size} px it was trained with only"
                raise InputError(problem, {"work.image_size": problem})
            _check_size(card.model, work.image_size)
            card = replace(card, image_size=work.image_size)
    else:
        card = _card_of_bare(work, state, field)
    network = card.network()
    weights.load(network, state, field)
    return Voter(field, card, network)


def _card_of_bare(work: CnnInferWork, state: weights.State, field: str) -> Card:
    """For a file without model.json: what the job says, and what its tensors' shapes tell."""
    if work.model is None:
        problem = "there is no model.json beside these weights, so `model` must be given"
        raise InputError(problem, {"work.model": problem})
    size = work.image_size or tables.architectures()[work.model].image_size
    _check_size(work.model, size)
    with torch.device("cpu"):
        name = architectures.head(architectures.build(work.model, classes=2, image_size=size))[0]
    last = state.get(f"{name}.weight")
    if last is None:
        problem = f"these weights have no {name}.weight, so they are not of {work.model}"
        raise InputError(problem, {field: problem})
    count = last.shape[0]
    if work.classes and len(work.classes) != count:
        problem = f"{len(work.classes)} names, but the weights know {count} classes"
        raise InputError(problem, {"work.classes": problem})
    first = next(iter(state.values()))
    channels = first.shape[1] if work.model == tables.SIMPLE_CNN else 3
    mean, std = weights.normalisation("imagenet", channels)
    classes = work.classes or tuple(str(index) for index in range(count))
    return Card(work.model, classes, size, channels, mean, std)


def _check_size(model: str, size: int) -> None:
    """Raises `InputError` if the architecture cannot take images of that edge (px)."""
    try:
        known_size(model, size)
    except ValueError as error:
        raise InputError(str(error), {"work.image_size": str(error)}) from None


def _items(
    work: CnnInferWork, cards: Sequence[Card]
) -> tuple[list[ImageItem], Sequence[folders.Skipped]]:
    """What to classify, and what is left out of it."""
    index = {name: number for number, name in enumerate(cards[0].classes)}
    if work.data.startswith("folder:"):
        root = folder_of(work.data)
        paths, skipped = folders.images(root, "work.data")
        items = []
        for path in paths[: work.limit]:
            name = folders.name_below(path, root)
            items.append(ImageItem(name, _truth(name, index), path))
        return items, skipped
    name, _, part = work.data.partition(":")
    items = []
    for which in ("train", "test") if not part else (part,):
        source, classes, numbers = _part(name, which, cards)
        items += [
            ImageItem(
                f"{name}/{which}/{number:05d}", index.get(classes[label]), source.images[number]
            )
            for number, label in zip(numbers, source.labels[numbers], strict=True)
        ]
    return items[: work.limit], ()


def _truth(name: str, index: Mapping[str, int]) -> int | None:
    """The class of the outermost folder that bears a class's name, as in a training."""
    return next((index[part] for part in name.split("/")[:-1] if part in index), None)


def _part(
    name: str, which: str, cards: Sequence[Card]
) -> tuple[Arrays, Sequence[str], NDArray[np.intp]]:
    """A dataset, its class names and the numbers of the images in that part of it.

    The test part is no greater than the smallest that the models had kept for their own test.
    """
    if tables.DATASETS[name].test:
        source, classes = datasets.arrays(name, train=which == "train")
        return source, classes, np.arange(len(source.labels))
    source, classes = datasets.arrays(name, train=True)
    kept = [card.test_fraction for card in cards if card.dataset == name and card.test_fraction]
    train, test = datasets.test_split(source.labels, min(kept, default=tables.TEST_FRACTION))
    return source, classes, test if which == "test" else train


def _read(
    work: CnnInferWork, items: Sequence[ImageItem], edges: Collection[int]
) -> tuple[list[ImageItem], dict[int, Tensor], list[folders.Skipped]]:
    """The readable ones, their images for each edge as uint8 (N, C, H, W), and the others."""
    batch: list[ImageItem] = []
    bad: list[folders.Skipped] = []
    images: dict[int, list[Tensor]] = {edge: [] for edge in edges}
    for item in items:
        try:
            loaded = {edge: item.load(edge, work.max_image_pixels) for edge in edges}
        except UnreadableError as error:
            bad.append((item.name, str(error)))
            continue
        batch.append(item)
        for edge, image in loaded.items():
            images[edge].append(image)
    return batch, {edge: torch.stack(each) for edge, each in images.items() if each}, bad


def _warm_up(voters: Sequence[Voter], batch_size: int) -> None:
    """The first pass of a network allocates and tunes; that is not its latency."""
    for voter in voters:
        edge = voter.card.image_size
        voter.probabilities(torch.zeros(batch_size, 3, edge, edge, dtype=torch.uint8))


def _headline(work: CnnInferWork, voters: Sequence[Voter], items: Sequence[ImageItem]) -> str:
    names = " + ".join(f"{voter.card.model} at {voter.card.image_size} px" for voter in voters)
    return f"{names} on {work.data}: {len(items)} images, {len(voters[0].card.classes)} classes"
