"""Attempts as the executor makes them: forked from a process that has loaded everything."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.support.waiting import PATIENCE_S

NURSERY = Path(__file__).with_name("nursery.py")


@dataclass(frozen=True)
class Ended:
    """One attempt and what it left."""

    codes: Sequence[int]
    """Of each part, by rank. Negative: the signal that ended it."""
    folder: Path
    artifacts: Path
    checkpoints: Path

    @property
    def code(self) -> int:
        return self.codes[0]

    def part(self, rank: int) -> Ended:
        """What a further part left."""
        return replace(self, codes=[self.codes[rank]], folder=self.folder / f"rank-{rank}")

    @property
    def result(self) -> dict[str, Any]:
        return json.loads((self.folder / "outcome.json").read_text())

    @property
    def log(self) -> str:
        return (self.folder / "log.txt").read_text()

    def lines(self, kind: str) -> list[dict[str, Any]]:
        rows = map(json.loads, (self.folder / "metrics.jsonl").read_text().splitlines())
        return [row for row in rows if row["kind"] == kind]


class Nursery:
    """Runs one attempt at a time, each in a fork of a loaded process."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(NURSERY)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1", "FULCRUM_NODE_ADDRESS": "127.0.0.1"},
        )
        self.loaded = self._answer()

    def run(
        self,
        base: Path,
        kind: str,
        work: Mapping[str, Any],
        *,
        number: int = 1,
        width: int = 1,
        nodes: Sequence[int] = (),
        resume_from: Path | None = None,
        hook: Mapping[str, Any] | None = None,
    ) -> Ended:
        """Attempt `number` of the job whose folder is `base`; see nursery.py for `hook`.

        `nodes`: how many devices it has on each, instead of `width` on one.
        """
        spec = {
            "attempt": f"7.{number}",
            "kind": kind,
            "work": work,
            "folder": str(base / str(number)),
            "shared": str(base / "shared"),
            "resume_from": None if resume_from is None else str(resume_from),
            "parts": [
                [f"node-{name}", [str(index) for index in range(count)]]
                for name, count in zip("abcdefgh", nodes or (width,), strict=False)
            ],
        }
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"spec": spec, "hook": hook or {}}) + "\n")
        self.process.stdin.flush()
        shared = base / "shared"
        codes = self._answer()["codes"]
        return Ended(codes, base / str(number), shared / "artifacts", shared / "checkpoints")

    def close(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(PATIENCE_S)
        self.process.stdout.close()

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    made = Nursery()
    yield made
    made.close()


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """train/ and test/ of two classes that a glance tells apart; one file is cut short."""
    root = tmp_path_factory.mktemp("photographs")
    chance = np.random.default_rng(3)
    for part, count in (("train", 12), ("test", 4)):
        for label, level in (("dark", 60), ("light", 190)):
            folder = root / part / label
            folder.mkdir(parents=True)
            for index in range(count):
                pixels = chance.normal(level, 20, (20, 24, 3)).clip(0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(folder / f"{index:02d}.jpg")
    whole = (root / "train" / "dark" / "00.jpg").read_bytes()
    (root / "train" / "dark" / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    return root


SIGKILLED = -int(signal.SIGKILL)
