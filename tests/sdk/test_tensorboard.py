"""Event files of TensorBoard, read back as TensorBoard reads them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from api.client import MissingPackageError
from api.client.export import tensorboard
from api.schemas import MetricsOut

pytest.importorskip("tensorboard")


def epoch(number: int, loss: float, **more: Any) -> dict[str, Any]:
    figures = {"train_loss": loss, "validation_accuracy": 0.5, "learning_rate": 0.1, **more}
    return {"kind": "epoch", "time": 100.0 + number, "epoch": number, "epochs": 3, **figures}


ATTEMPTS = [
    MetricsOut(
        attempt=1,
        lines=(
            {"kind": "progress", "time": 100.5, "fraction": 0.1},
            epoch(1, 3.0),
            epoch(2, 2.0, confusion=[[1, 2]]),
        ),
    ),
    MetricsOut(
        attempt=2,
        lines=(epoch(2, 1.5), epoch(3, 1.0), {"kind": "test", "time": 104.0, "accuracy": 0.9}),
    ),
]


def read(folder: Path) -> dict[str, list[tuple[int, float]]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder))
    found.Reload()
    return {
        tag: [(event.step, round(event.value, 6)) for event in found.Scalars(tag)]
        for tag in found.Tags()["scalars"]
    }


def test_tensorboard_reads_the_curves(tmp_path: Path) -> None:
    run = tensorboard.write(ATTEMPTS, "job-7-a b/c", tmp_path)
    assert run == tmp_path / "job-7-a_b_c"
    assert read(run) == {
        "loss/train": [(1, 3.0), (2, 1.5), (3, 1.0)],
        "accuracy/validation": [(1, 0.5), (2, 0.5), (3, 0.5)],
        "learning_rate": [(1, 0.1), (2, 0.1), (3, 0.1)],
        "accuracy/test": [(3, 0.9)],
    }


def test_a_second_export_takes_the_place_of_the_first(tmp_path: Path) -> None:
    tensorboard.write(ATTEMPTS[:1], "job-7", tmp_path)
    (tmp_path / "job-7" / "events.out.tfevents.of-another").touch()
    run = tensorboard.write(ATTEMPTS, "job-7", tmp_path)
    assert len(read(run)["loss/train"]) == 3
    assert len(list(run.iterdir())) == 2


def test_lines_of_a_program_have_curves_too() -> None:
    lines = ({"kind": "eval", "time": 1.0, "reward": 2}, {"kind": "eval", "reward": 3.5})
    found = list(tensorboard.points([MetricsOut(attempt=1, lines=lines)]))
    assert [(one.tag, one.step, one.value) for one in found] == [
        ("reward/eval", 1, 2.0),
        ("reward/eval", 2, 3.5),
    ]


def test_without_the_package_it_says_which_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard.compat.proto.event_pb2", None)
    with pytest.raises(MissingPackageError, match="need the package tensorboard"):
        tensorboard.write(ATTEMPTS, "job-7", tmp_path)
    assert list(tmp_path.iterdir()) == []
