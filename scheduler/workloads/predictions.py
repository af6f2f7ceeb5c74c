"""The files of an inference's answers."""

from __future__ import annotations

import csv
import json
from contextlib import ExitStack
from pathlib import Path
from typing import Self, TextIO

from scheduler.files import draft


class Predictions:
    """predictions.csv and predictions.jsonl; they appear when the last image is done."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files = ExitStack()

    def __enter__(self) -> Self:
        self._rows = csv.writer(self._opened("predictions.csv"), lineterminator="\n")
        self._jsonl = self._opened("predictions.jsonl")
        self._rows.writerow(("image", "label", "probability"))
        return self

    def add(self, image: str, label: str, probability: float) -> None:
        """One image's answer."""
        self._rows.writerow((image, label, f"{probability:.6f}"))
        row = {"image": image, "label": label, "probability": round(probability, 6)}
        self._jsonl.write(json.dumps(row, allow_nan=False) + "\n")

    def __exit__(self, *error: object) -> None:
        self._files.__exit__(*error)

    def _opened(self, name: str) -> TextIO:
        beside = self._files.enter_context(draft(self._folder / name))
        return self._files.enter_context(beside.open("w", encoding="utf-8"))
