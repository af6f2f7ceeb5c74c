"""How well a classifier names what is known: of a training's test and of labelled images alike.

Accuracy is over all images. Precision, recall and F1 are the mean over the classes that occur, as
truth or as answer (macro average; Sokolova and Lapalme 2009, "A systematic analysis of performance
measures for classification tasks", table 3), and also given for each class.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor
from torchmetrics import MetricCollection
from torchmetrics.classification import (
    MulticlassAccuracy,
    MulticlassConfusionMatrix,
    MulticlassF1Score,
    MulticlassPrecision,
    MulticlassRecall,
)

from scheduler.files import write_bytes
from scheduler.json_values import write_json

MOST_CLASSES_IN_A_RESULT = 50
"""A result holds the scores and the confusion of so many classes; the artifacts hold all."""
RATES = {"precision": MulticlassPrecision, "recall": MulticlassRecall, "f1": MulticlassF1Score}
_OF_CLASS = "_of_class"


@dataclass(frozen=True, slots=True)
class ClassScores:
    """The scores of one measurement."""

    metrics: Mapping[str, float]
    """`accuracy`, `precision`, `recall`, `f1`."""
    by_class: Mapping[str, Sequence[float]]
    """`precision`, `recall` and `f1` of each class, 0 where it does not occur."""
    confusion: Sequence[Sequence[int]]
    """Images by their class (rows) and by the answer (columns)."""

    def result(self, classes: Sequence[str]) -> dict[str, Any]:
        """What the result of a job says of its classes; nothing if there are too many."""
        if len(classes) > MOST_CLASSES_IN_A_RESULT:
            return {}
        confusion = {"classes": list(classes), "rows_are": "truth", "counts": self.confusion}
        return {"per_class": dict(self._rows(classes)), "confusion": confusion}

    def write(self, folder: Path, classes: Sequence[str]) -> None:
        """Write confusion.json, confusion.csv and per_class.csv. Raises `OSError`."""
        document = {"classes": classes, "rows_are": "truth", "counts": self.confusion}
        write_json(folder / "confusion.json", document)
        rows: list[list[Any]] = [["truth \\ prediction", *classes]]
        rows += [[name, *counts] for name, counts in zip(classes, self.confusion, strict=True)]
        write_bytes(folder / "confusion.csv", table_bytes(rows))
        rows = [["class", "images", *RATES]]
        rows += [[name, *row.values()] for name, row in self._rows(classes)]
        write_bytes(folder / "per_class.csv", table_bytes(rows))

    def _rows(self, classes: Sequence[str]) -> list[tuple[str, dict[str, float]]]:
        """Each class with its images and rates."""
        return [
            (
                name,
                {
                    "images": sum(self.confusion[at]),
                    **{rate: round(values[at], 6) for rate, values in self.by_class.items()},
                },
            )
            for at, name in enumerate(classes)
        ]


def collection(classes: int, *, sync: bool = True) -> MetricCollection:
    """Metrics to feed with answers and truths: (N, classes) logits or (N) numbers, and (N) numbers.

    `sync`: whether all ranks compute together. `scores` makes values of what they compute.
    """
    options: dict[str, Any] = {"validate_args": False, "sync_on_compute": sync}
    metrics: dict[str, Any] = {"accuracy": MulticlassAccuracy(classes, average="micro", **options)}
    for name, metric in RATES.items():
        metrics[name] = metric(classes, average="macro", **options)
        metrics[name + _OF_CLASS] = metric(classes, average="none", **options)
    metrics["confusion"] = MulticlassConfusionMatrix(classes, **options)
    # Named, so that they do not depend on the images that a rank happens to see first.
    groups = [["accuracy"], [name for name in metrics if name.startswith(tuple(RATES))]]
    return MetricCollection(metrics, compute_groups=[*groups, ["confusion"]])


def scores(computed: Mapping[str, Tensor]) -> ClassScores:
    """Values of what a `collection` has computed."""
    return ClassScores(
        metrics={name: computed[name].item() for name in ("accuracy", *RATES)},
        by_class={name: computed[name + _OF_CLASS].tolist() for name in RATES},
        confusion=computed["confusion"].int().tolist(),
    )


def table_bytes(rows: Sequence[Sequence[Any]]) -> bytes:
    """Rows as CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
