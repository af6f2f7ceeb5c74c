"""The pieces a training is made of, in this process."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scheduler.domain.errors import InputError
from scheduler.workloads.data import datasets
from scheduler.workloads.data.images import Batches, chosen, finish
from scheduler.workloads.data.pictures import decode
from scheduler.workloads.models import architectures, weights
from scheduler.workloads.models.flops import measure
from scheduler.workloads.models.optimizers import learning_rate
from scheduler.workloads.spec import tables
from scheduler.workloads.spec.paths import MachineLook
from scheduler.workloads.spec.profile import training_images
from scheduler.workloads.spec.work import CnnTrainWork


@pytest.mark.parametrize("name", ["simple-cnn", "resnet18", "mobilenet_v3_small", "vit_b_16"])
def test_the_table_of_costs_is_what_is_counted_anew(name: str) -> None:
    cost, row = measure(name), tables.architectures()[name]
    assert row.flops == pytest.approx(cost.flops, rel=1e-6)
    assert row.parameters == cost.parameters
    assert (row.image_size, row.min_image_size, row.image_size_step) == (
        cost.image_size,
        cost.min_image_size,
        cost.image_size_step,
    )


def test_the_table_holds_every_architecture() -> None:
    assert list(tables.architectures()) == architectures.names()


@pytest.mark.parametrize("size", [4, 5, 8, 28, 63, 65, 100, 224])
@pytest.mark.parametrize("channels", [1, 3])
def test_simple_cnn_takes_any_size(size: int, channels: int) -> None:
    network = architectures.build("simple-cnn", classes=3, image_size=size, channels=channels)
    assert network(torch.zeros(2, channels, size, size)).shape == (2, 3)
    assert sum(parameter.numel() for parameter in network.parameters()) < 2.2e6


@pytest.mark.parametrize("name", ["resnet18", "squeezenet1_1", "googlenet", "vit_b_32"])
def test_the_head_gives_the_logits(name: str) -> None:
    with torch.device("meta"):
        network = architectures.build(name, classes=7, image_size=224)
        layer = architectures.head(network)[1]
        assert next(layer.parameters()).shape[0] == 7
        assert network.eval()(torch.zeros(1, 3, 224, 224)).shape == (1, 7)


def test_a_head_of_another_size_is_replaced() -> None:
    torch.manual_seed(0)
    old, new = (
        architectures.build("shufflenet_v2_x0_5", classes=count, image_size=32) for count in (5, 2)
    )
    weights.start_from(new, old.state_dict(), "work.weights")
    assert torch.equal(old.conv1[0].weight, new.conv1[0].weight)
    with pytest.raises(InputError, match="another architecture"):
        weights.start_from(
            architectures.build("simple-cnn", classes=2, image_size=8), old.state_dict(), "x"
        )


def test_weights_that_would_run_code_are_refused(tmp_path: Path) -> None:
    torch.save({"weight": Path("/")}, tmp_path / "evil.pt")
    with pytest.raises(InputError, match="does not load as weights") as caught:
        weights.read(tmp_path / "evil.pt", "work.weights")
    assert list(caught.value.fields) == ["work.weights"]


@given(
    size=st.integers(1, 300),
    batch_size=st.integers(1, 70),
    epoch=st.integers(0, 5),
    seed=st.none() | st.integers(0, 2**32 - 1),
)
def test_an_epoch_has_every_image_once_and_no_batch_of_one(
    size: int, batch_size: int, epoch: int, seed: int | None
) -> None:
    batches = Batches(size, batch_size, epoch=epoch, seed=seed)
    made = list(batches)
    assert len(made) == len(batches)
    assert sorted(index for batch in made for _, index in batch) == list(range(size))
    assert all(len(batch) <= batch_size + 1 for batch in made)
    if batch_size > 1 < size:
        assert min(map(len, made)) > 1
    assert made == list(Batches(size, batch_size, epoch=epoch, seed=seed))


@given(
    labels=st.lists(st.integers(0, 4), min_size=1, max_size=200).map(np.array),
    shares=st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted),
)
def test_a_choice_is_even_over_the_labels_and_grows(
    labels: np.ndarray, shares: list[float]
) -> None:
    few, many = (round(share * len(labels)) for share in shares)
    less, more = chosen(labels, few, 1), chosen(labels, many, 1)
    assert (less.sum(), more.sum()) == (few, many)
    assert not (less & ~more).any()
    for label, count in Counter(labels.tolist()).items():
        expected = count * many / len(labels)
        assert abs(more[labels == label].sum() - expected) <= 1 + len(set(labels.tolist())) / 2


def test_the_digits_are_split_as_the_profile_says() -> None:
    for work in (CnnTrainWork(), CnnTrainWork(validation_fraction=0), CnnTrainWork(limit=100)):
        parts = datasets.load(work, 8, threads=1, cache_bytes=0)
        assert len(parts.train.labels) == training_images(work, MachineLook())
        assert (parts.validation is None) == (work.validation_fraction == 0)
        assert len(parts.test.labels) == 359


def test_the_test_part_does_not_depend_on_the_seed() -> None:
    one, two = (
        datasets.load(CnnTrainWork(seed=seed), 8, threads=1, cache_bytes=0) for seed in (1, 2)
    )
    assert np.array_equal(one.test.labels, two.test.labels)
    assert torch.equal(one.test.image(0), two.test.image(0))
    assert not np.array_equal(one.train.labels, two.train.labels)


def test_a_photograph_is_read_the_same_whatever_the_cache(photographs: Path) -> None:
    work = CnnTrainWork(dataset=f"folder:{photographs}")
    kept, read = (datasets.load(work, 16, threads=2, cache_bytes=size) for size in (2**20, 0))
    assert kept.skipped == read.skipped == ("train/dark/cut.jpg",)
    assert kept.classes == ("dark", "light")
    for one, two in ((kept.train, read.train), (kept.test, read.test)):
        assert len(one.labels) == len(two.labels)
        assert all(torch.equal(one.image(i), two.image(i)) for i in range(len(one.labels)))
    path = photographs / "test" / "dark" / "00.jpg"
    assert decode(path).shape == (3, 20, 24)
    assert decode(path, 16).shape == (3, 16, 16)


def test_images_are_fitted_to_the_network() -> None:
    grey = torch.full((2, 1, 8, 8), 255, dtype=torch.uint8)
    assert finish(grey, 16, 3, (0.5,) * 3, (0.5,) * 3).shape == (2, 3, 16, 16)
    colour = torch.full((2, 3, 8, 8), 255, dtype=torch.uint8)
    ready = finish(colour, 8, 1, (0.5,), (0.25,))
    assert ready.shape == (2, 1, 8, 8)
    assert torch.allclose(ready, torch.tensor(2.0), atol=0.02)


def test_learning_rates() -> None:
    def rates(**options: object) -> list[float]:
        work = CnnTrainWork.model_validate({"learning_rate": 1, "epochs": 4, **options})
        return [round(learning_rate(work, epoch), 4) for epoch in range(4)]

    assert rates() == [1, 1, 1, 1]
    assert rates(schedule="step", step_size=2) == [1, 1, 0.1, 0.1]
    assert rates(schedule="cosine") == [1, 0.8536, 0.5, 0.1464]
