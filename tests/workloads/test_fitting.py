"""Which models fit a job is known from what their trainings asked for."""

from __future__ import annotations

from typing import Any

import pytest

from scheduler.domain.errors import InputError
from scheduler.workloads.models import architectures, weights
from scheduler.workloads.spec import tables
from scheduler.workloads.spec.fitting import different_classes, wrong_start


def _work(model: str, dataset: str, image_size: int | None = None) -> dict[str, Any]:
    return {"model": model, "dataset": dataset, "image_size": image_size}


@pytest.mark.parametrize(
    ("model", "source", "own", "field"),
    [
        ("simple-cnn", ("digits", None), ("digits", None), None),
        ("simple-cnn", ("digits", None), ("mnist", None), "image_size"),
        ("simple-cnn", ("digits", None), ("mnist", 8), None),
        ("simple-cnn", ("mnist", None), ("cifar10", 28), "dataset"),
        ("simple-cnn", ("folder:a", 64), ("folder:b", 128), None),
        ("simple-cnn", ("digits", None), ("folder:b", 8), "dataset"),
        ("resnet18", ("digits", 32), ("cifar10", 64), None),
        ("vit_b_16", ("digits", 32), ("cifar10", 64), "image_size"),
    ],
)
def test_what_is_refused_is_what_fails(
    model: str, source: tuple[str, int | None], own: tuple[str, int | None], field: str | None
) -> None:
    works = [_work(model, *one) for one in (source, own)]
    found = wrong_start(works[1], works[0])
    assert (found and found[0]) == field
    old, new = (_network(work) for work in works)
    if field is None:
        weights.start_from(new, old.state_dict(), "weights")
    else:
        with pytest.raises(InputError, match="another architecture or image size"):
            weights.start_from(new, old.state_dict(), "weights")


def _network(work: dict[str, Any]) -> Any:
    known = tables.DATASETS.get(work["dataset"])
    size = work["image_size"] or tables.default_image_size(work["model"], work["dataset"])
    channels = architectures.input_channels(work["model"], known.channels if known else 3)
    return architectures.build(work["model"], classes=10, image_size=size, channels=channels)


def test_classes_surely_differ_only_between_datasets_known_by_name() -> None:
    assert different_classes(_work("a", "digits"), _work("b", "mnist"))
    assert not different_classes(_work("a", "digits"), _work("b", "digits"))
    assert not different_classes(_work("a", "folder:x"), _work("b", "mnist"))
