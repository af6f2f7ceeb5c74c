"""What an inference leaves behind."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import Self


class Predictions:
    """predictions.csv and predictions.jsonl; they appear when the last image is done."""

    def __init__(self, folder: Path) -> None:
        self._final = [folder / "predictions.csv", folder / "predictions.jsonl"]
        self._drafts = [path.with_name(f".{path.name}.{os.getpid()}.tmp") for path in self._final]

    def __enter__(self) -> Self:
        self._csv, self._jsonl = (path.open("w", encoding="utf-8") for path in self._drafts)
        self._rows = csv.writer(self._csv, lineterminator="\n")
        self._rows.writerow(("image", "label", "probability"))
        return self

    def add(self, image: str, label: str, probability: float) -> None:
        """One image's answer."""
        self._rows.writerow((image, label, f"{probability:.6f}"))
        row = {"image": image, "label": label, "probability": round(probability, 6)}
        self._jsonl.write(json.dumps(row, allow_nan=False) + "\n")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._csv.close()
        self._jsonl.close()
        for draft, final in zip(self._drafts, self._final, strict=True):
            if kind is None:
                draft.replace(final)
            else:
                draft.unlink()
