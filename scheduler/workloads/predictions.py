"""The files of an inference's answers."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from scheduler.arrays import Floats32
from scheduler.files import draft


class Predictions:
    """predictions.csv and predictions.jsonl; they appear when the last image is done.

    A line for each image: its name, its class if that is known, the label, the label's probability,
    and the probability of every class: in the CSV in columns named `p_` and the class.
    """

    def __init__(self, folder: Path, classes: Sequence[str]) -> None:
        self._folder = folder
        self._classes = classes
        self._files = ExitStack()

    def __enter__(self) -> Self:
        self._rows = csv.writer(self._opened("predictions.csv"), lineterminator="\n")
        self._jsonl = self._opened("predictions.jsonl")
        self._rows.writerow(
            ("image", "truth", "label", "probability", *(f"p_{name}" for name in self._classes))
        )
        return self

    def add(self, items: Sequence[tuple[str, int | None]], chances: Floats32) -> None:
        """Write the answers to a batch, in its order.

        `items`: name of each image, and the index of its class, if it is known. `chances`:
        (images, classes), the probability of each class; the greatest one is the label.
        """
        for (image, truth), row in zip(items, chances.tolist(), strict=True):
            label = max(range(len(row)), key=row.__getitem__)
            known = None if truth is None else self._classes[truth]
            shown = [f"{chance:.6f}" for chance in row]
            self._rows.writerow((image, known, self._classes[label], shown[label], *shown))
            answer = {
                "image": image,
                "truth": known,
                "label": self._classes[label],
                "probability": round(row[label], 6),
                "probabilities": {
                    name: round(chance, 6) for name, chance in zip(self._classes, row, strict=True)
                },
            }
            self._jsonl.write(json.dumps(answer, allow_nan=False) + "\n")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._files.__exit__(kind, error, trace)

    def _opened(self, name: str) -> TextIO:
        beside = self._files.enter_context(draft(self._folder / name))
        return self._files.enter_context(beside.open("w", encoding="utf-8"))
