"""How much work a job is, told from its parameters alone.

A training step costs about three forward passes: one forward, and a backward pass of twice that,
for the gradients of the inputs and of the weights (Hoffmann et al. 2022, "Training
Compute-Optimal Large Language Models", app. F; Kaplan et al. 2020, sec. 2.1). With a frozen
backbone the backward pass stops at the head, which leaves little more than the forward pass.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from scheduler.domain.jobs import JobKind, Profile
from scheduler.executors.path_needs import PathKind, PathNeed
from scheduler.workloads.spec import tables
from scheduler.workloads.spec.paths import MachineLook, PathLook, needs
from scheduler.workloads.spec.work import WORK, CnnInferWork, CnnTrainWork, CommandWork, Work

TRAINING_PASSES = 3.0
"""Cost of a training step in forward passes."""
FROZEN_PASSES = 1.05
"""The same with a frozen backbone."""


def profile(
    kind: JobKind | str,
    work: Work | Mapping[str, Any],
    works: Callable[[int], Mapping[str, Any]] | None = None,
    look: PathLook | None = None,
) -> Profile:
    """The profile of a valid work; folders it names must exist.

    `look` says what they hold; by default this machine is looked at.

    `works` gives the work of a training job by its number, so that the size of an inference with
    its model is known; without it such a model counts as unknown (0 FLOPs).
    """
    if isinstance(work, Mapping):
        work = WORK[JobKind(kind)].model_validate(work)
    if isinstance(work, CnnTrainWork):
        return _training(work, look or MachineLook())
    if isinstance(work, CnnInferWork):
        return _inference(work, works, look or MachineLook())
    return _command(work)


def training_images(work: CnnTrainWork, look: PathLook) -> int:
    """Images of one epoch, before unreadable ones are left out."""
    own_validation = False
    if work.dataset.startswith("folder:"):
        found = look.find(needs({"dataset": work.dataset})["work.dataset"])
        images, own_test, own_validation = found.images, found.own_test, found.own_validation
    else:
        known = tables.DATASETS[work.dataset]
        images, own_test = known.train, bool(known.test)
    if not own_test:
        images = tables.remaining(images, work.test_fraction)
    if not own_validation:
        images = tables.remaining(images, work.validation_fraction)
    return min(images, work.limit or images)


def _training(work: CnnTrainWork, look: PathLook) -> Profile:
    size = work.image_size or tables.default_image_size(work.model, work.dataset)
    kind_of_data = "folder" if work.dataset.startswith("folder:") else work.dataset
    key = f"{JobKind.CNN_TRAIN}:{work.model}:{size}:{work.batch_size}:{kind_of_data}"
    changes = work.augmentation
    marks = {
        "freeze": work.freeze,
        "mixed": work.mixed_precision,
        "augmented": changes.flip or changes.moves or changes.random_resized_crop,
        "jitter": changes.jitters,
        f"randaugment{changes.rand_augment}": changes.rand_augment,
    }
    key += "".join(f":{name}" for name, set_ in marks.items() if set_)
    passes = FROZEN_PASSES if work.freeze else TRAINING_PASSES
    forward = tables.architectures()[work.model].forward_flops(size)
    samples = training_images(work, look) * work.epochs
    return Profile(key, float(samples), passes * forward)


def _inference(
    work: CnnInferWork, works: Callable[[int], Mapping[str, Any]] | None, look: PathLook
) -> Profile:
    known = [_model(item, work, works, look) for item in (*work.models, *work.weights)]
    names = "+".join(
        f"{count}x{name}@{size}" if count > 1 else f"{name}@{size}"
        for (name, size), count in sorted(Counter(known).items())
    )
    kind_of_data = "folder" if work.data.startswith("folder:") else work.data.partition(":")[0]
    key = f"{JobKind.CNN_INFER}:{names}:{work.batch_size}:{kind_of_data}"
    table = tables.architectures()
    costs = [table[name].forward_flops(size) if name in table else 0.0 for name, size in known]
    images = _images(work, look)
    return Profile(key, float(min(images, work.limit or images)), sum(costs) if all(costs) else 0.0)


def _model(
    item: int | str,
    work: CnnInferWork,
    works: Callable[[int], Mapping[str, Any]] | None,
    look: PathLook,
) -> tuple[str, int]:
    """Architecture and image size of one voter; `("unknown", 0)` if it cannot be told."""
    if isinstance(item, int):
        if works is None:
            return ("unknown", 0)
        # What it starts from does not matter, and may be a job that has no number yet.
        trained = CnnTrainWork.model_validate({**works(item), "weights": None, "freeze": False})
        size = trained.image_size or tables.default_image_size(trained.model, trained.dataset)
        return (trained.model, work.image_size or size)
    kind = PathKind.FILE if item in work.weights else PathKind.MODEL
    found = look.find(PathNeed(kind, item))
    if found.model:
        return (found.model, work.image_size or found.image_size)
    name = work.model or "unknown"
    given = tables.architectures().get(name)
    return (name, work.image_size or (given.image_size if given else 0))


def _images(work: CnnInferWork, look: PathLook) -> int:
    if work.data.startswith("folder:"):
        return look.find(needs({"data": work.data})["work.data"]).images
    name, _, part = work.data.partition(":")
    known = tables.DATASETS[name]
    train, test = known.train, known.test
    if not test:
        train = tables.remaining(known.train, tables.TEST_FRACTION)
        test = known.train - train
    return {"": train + test, "train": train, "test": test}[part]


def _command(work: CommandWork) -> Profile:
    """Commands run alike if they are the same command line in the same folder."""
    text = json.dumps([*work.argv, work.cwd or ""])
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    return Profile(f"{JobKind.COMMAND}:{Path(work.argv[0]).name}:{digest}", samples=1.0)
