"""Optimizers, augmentation and label smoothing: torch's and torchvision's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torchvision.transforms import v2

from scheduler.workloads.data.augmentations import augmentation
from scheduler.workloads.models.optimizers import chosen
from scheduler.workloads.spec.augmentation import Augmentation
from scheduler.workloads.spec.specs import profile
from scheduler.workloads.spec.work import CnnTrainWork
from tests.workloads.conftest import Nursery

EVERYTHING = {
    "flip": True,
    "rotation": 10,
    "scale": 0.2,
    "brightness": 0.2,
    "contrast": 0.2,
    "saturation": 0.2,
    "hue": 0.05,
    "rand_augment": 2,
}


@pytest.mark.parametrize(
    ("work", "kind", "expected"),
    [
        ({}, torch.optim.Adam, {"weight_decay": 0.0}),
        ({"optimizer": "adamw"}, torch.optim.AdamW, {"weight_decay": 0.01}),
        ({"optimizer": "adamw", "weight_decay": 0}, torch.optim.AdamW, {"weight_decay": 0.0}),
        ({"optimizer": "sgd"}, torch.optim.SGD, {"momentum": 0.9, "weight_decay": 0.0}),
        ({"optimizer": "sgd", "momentum": 0}, torch.optim.SGD, {"momentum": 0.0}),
        ({"optimizer": "rmsprop"}, torch.optim.RMSprop, {"momentum": 0.0}),
        (
            {"optimizer": "rmsprop", "momentum": 0.5, "weight_decay": 0.1},
            torch.optim.RMSprop,
            {"momentum": 0.5, "weight_decay": 0.1},
        ),
    ],
)
def test_optimizers_have_the_defaults_that_their_users_know(
    work: dict[str, Any], kind: type, expected: dict[str, float]
) -> None:
    found, options = chosen(CnnTrainWork.model_validate(work))
    assert found is kind
    assert options["lr"] == 1e-3
    assert {name: options[name] for name in expected} == expected


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", [*EVERYTHING, "everything"])
def test_each_change_keeps_type_and_size_and_depends_on_the_seed(name: str, channels: int) -> None:
    values = EVERYTHING if name == "everything" else {name: EVERYTHING[name]}
    changes = augmentation(Augmentation.model_validate(values), 16)
    assert changes is not None
    image = torch.randint(0, 256, (channels, 20, 24), dtype=torch.uint8)

    def drawn(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return changes(image)

    several = [drawn(seed) for seed in range(8)]
    assert all(one.shape == (channels, 16, 16) and one.dtype == torch.uint8 for one in several)
    assert torch.equal(several[3], drawn(3))
    if channels == 3 or name not in ("saturation", "hue"):  # grey images have no colour
        assert any(not torch.equal(several[0], one) for one in several)


def test_scale_is_a_factor_around_one() -> None:
    made = augmentation(Augmentation(scale=0.25), 16)
    (affine,) = [step for step in made.transforms if isinstance(step, v2.RandomAffine)]
    assert affine.scale == (0.75, 1.25)
    assert augmentation(Augmentation(), 16) is None
    assert augmentation(Augmentation(rand_augment_magnitude=3), 16) is None


def test_work_that_takes_longer_has_a_history_of_its_own() -> None:
    changes: list[dict[str, Any]] = [
        {},
        {"flip": True},
        {"hue": 0.1},
        {"rand_augment": 1},
        {"rand_augment": 2},
    ]
    keys = [profile("cnn-train", {"augmentation": one}).key for one in changes]
    assert len(set(keys)) == 5
    scaled = profile("cnn-train", {"augmentation": {"scale": 0.1}}).key
    assert scaled == keys[1]
    # Histories of before stay what they were.
    assert keys[:2] == ["cnn-train:simple-cnn:8:32:digits", f"{keys[0]}:augmented"]


@pytest.mark.parametrize("name", ["adamw", "rmsprop"])
def test_a_training_with_everything(name: str, nursery: Nursery, tmp_path: Path) -> None:
    work = {
        "limit": 60,
        "epochs": 2,
        "optimizer": name,
        "label_smoothing": 0.1,
        "augmentation": EVERYTHING,
        "schedule": "cosine",
    }
    ended = nursery.run(tmp_path, "cnn-train", work)
    assert ended.code == 0, ended.log
    assert json.loads((ended.artifacts / "model.json").read_text())["epoch"] in (1, 2)


def test_label_smoothing_changes_the_training_loss_alone(nursery: Nursery, tmp_path: Path) -> None:
    """Its limits: ln 10 for a network that knows nothing, and more than plain loss for a sure one.

    The validation loss of the first epoch is that of the same network, so it differs only by
    what the network has learned.
    """
    work = {"limit": 400, "epochs": 5, "learning_rate": 3e-3, "keep": "last"}
    plain = nursery.run(tmp_path / "plain", "cnn-train", work)
    smooth = nursery.run(tmp_path / "smooth", "cnn-train", work | {"label_smoothing": 0.3})
    ended = [one.lines("epoch")[-1] for one in (plain, smooth)]
    # The least training loss with smoothing 0.3 over 10 classes is its entropy, about 1.28.
    assert ended[1]["train_loss"] > 1.2 > ended[0]["train_loss"]
    assert ended[1]["validation_loss"] < 1.2
