"""Which models fit a job, by what their trainings asked for; no file is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scheduler.workloads.spec import tables


def wrong_start(work: Mapping[str, Any], source: Mapping[str, Any]) -> tuple[str, str] | None:
    """Why the training `work` cannot start from the weights of the training `source`.

    Both are parameters of trainings of the same model. Returns the field of `work` and what is
    wrong with it, as what follows "job 3"; None: nothing that is known before the training runs.
    """
    model = work["model"]
    own, theirs = _image_size(work), _image_size(source)
    if _weights_size(model, own) != _weights_size(model, theirs):
        return "image_size", (
            f"trained {model} at {theirs} px, and this job would at {own} px, where the weights "
            f"have another shape; legal: image_size {theirs}"
        )
    if model != tables.SIMPLE_CNN:
        return None
    colours, known = _channels(work["dataset"]), _channels(source["dataset"])
    if colours == known:
        return None
    return "dataset", (
        f"trained {model} on images with {_words(known)}; those of {work['dataset']} have "
        f"{_words(colours)}"
    )


def different_classes(source: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two trainings surely know different classes: their datasets are known by name."""
    return len(set(_datasets(source, other))) > 1


def _datasets(work: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """The datasets of both; empty unless both are known by name."""
    names = [str(work["dataset"]), str(other["dataset"])]
    return names if all(name in tables.DATASETS for name in names) else []


def _image_size(work: Mapping[str, Any]) -> int:
    given = work.get("image_size")
    return int(given or tables.default_image_size(work["model"], work["dataset"]))


def _weights_size(model: str, image_size: int) -> int:
    """What the shapes of the weights depend on beside the architecture; 0: on nothing."""
    if model == tables.SIMPLE_CNN:
        return tables.simple_cnn_pooling(image_size)[1]
    return image_size if model.startswith(("vit_", "maxvit")) else 0


def _channels(dataset: str) -> int:
    known = tables.DATASETS.get(dataset)
    return known.channels if known else 3  # images of folders are read in colour


def _words(channels: int) -> str:
    return "one channel (grey)" if channels == 1 else f"{channels} channels (colour)"
