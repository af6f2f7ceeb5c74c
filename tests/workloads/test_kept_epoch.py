"""Which epoch becomes the model, and what a training leaves that does not end well."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.workloads.conftest import SIGKILLED, Ended, Nursery
from tests.workloads.test_train import same_bits

UNSTEADY = {"limit": 60, "epochs": 6, "batch_size": 8, "learning_rate": 0.03, "test_fraction": 0.03}
"""A training whose last epoch is hardly its best one."""


@pytest.fixture(scope="module")
def best(nursery: Nursery, tmp_path_factory: pytest.TempPathFactory) -> Ended:
    ended = nursery.run(tmp_path_factory.mktemp("best"), "cnn-train", UNSTEADY)
    assert ended.code == 0, ended.log
    return ended


def card(ended: Ended) -> dict[str, Any]:
    return json.loads((ended.artifacts / "model.json").read_text())


def test_the_epoch_with_the_lowest_validation_loss_is_the_model_and_is_tested(
    best: Ended, nursery: Nursery, tmp_path: Path
) -> None:
    rows = best.lines("epoch")
    kept = min(rows, key=lambda row: row["validation_loss"])
    assert best.result["kept_epoch"] == card(best)["epoch"] == kept["epoch"]
    assert best.result["validation"]["loss"] == kept["validation_loss"]
    assert card(best)["validation"]["accuracy"] == kept["validation_accuracy"]
    assert f"epoch {kept['epoch']} of 6 is tested: the lowest validation loss" in best.log
    # The same training that ends there leaves the same model with the same test.
    short = UNSTEADY | {"epochs": kept["epoch"], "keep": "last"}
    ended = nursery.run(tmp_path, "cnn-train", short)
    assert same_bits(ended, best)
    assert ended.result["metrics"] == best.result["metrics"]


def test_the_epoch_with_the_highest_validation_accuracy_or_the_last(
    best: Ended, nursery: Nursery, tmp_path: Path
) -> None:
    accuracies = [row["validation_accuracy"] for row in best.lines("epoch")]
    for keep, epoch in (
        ("best-accuracy", accuracies.index(max(accuracies)) + 1),
        ("last", 6),
    ):
        ended = nursery.run(tmp_path / keep, "cnn-train", UNSTEADY | {"keep": keep})
        assert ended.result["kept_epoch"] == epoch
        assert ended.result["validation"]["accuracy"] == accuracies[epoch - 1]


def test_without_validation_images_it_is_the_last(nursery: Nursery, tmp_path: Path) -> None:
    work = UNSTEADY | {"epochs": 2, "validation_fraction": 0}
    ended = nursery.run(tmp_path, "cnn-train", work)
    assert (ended.result["kept_epoch"], ended.result["validation"]) == (2, {})
    assert "epoch 2 of 2 is tested: the last one" in ended.log


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_an_interrupted_training_keeps_the_same_epoch(
    best: Ended, number: signal.Signals, nursery: Nursery, tmp_path: Path
) -> None:
    """Interrupted twice, most likely while a later epoch than the best one is running."""
    losses = [row["validation_loss"] for row in best.lines("epoch")]
    for attempt, epoch in enumerate((3, 5), 1):
        hook = {"epoch": epoch, "batch": 2, "signal": int(number)}
        stopped = nursery.run(tmp_path, "cnn-train", UNSTEADY, number=attempt, hook=hook)
        assert stopped.code in (SIGKILLED, 143), stopped.log
        assert card(stopped)["epoch"] == losses.index(min(losses[:epoch])) + 1
    ended = nursery.run(tmp_path, "cnn-train", UNSTEADY, number=3)
    assert ended.result["kept_epoch"] == best.result["kept_epoch"]
    assert ended.result["validation"] == best.result["validation"]
    assert ended.result["metrics"] == best.result["metrics"]
    assert same_bits(ended, best)


def test_a_training_that_is_stopped_leaves_its_best_model(
    best: Ended, nursery: Nursery, tmp_path: Path
) -> None:
    hook = {"epoch": 4, "batch": 1, "signal": int(signal.SIGTERM)}
    stopped = nursery.run(tmp_path / "train", "cnn-train", UNSTEADY, hook=hook)
    assert stopped.code == 143
    losses = [row["validation_loss"] for row in stopped.lines("epoch")]
    assert stopped.result["kept_epoch"] == losses.index(min(losses)) + 1
    assert stopped.result["validation"]["loss"] == min(losses)
    assert card(stopped)["metrics"] == {}
    folder = str(stopped.artifacts)
    used = nursery.run(tmp_path / "infer", "cnn-infer", {"models": [folder], "limit": 50})
    assert used.code == 0, used.log
    weights = {"weights": f"{folder}/model.pt", "epochs": 1, "limit": 20}
    tuned = nursery.run(tmp_path / "tune", "cnn-train", weights)
    assert tuned.code == 0, tuned.log


def test_a_training_that_is_stopped_in_its_first_epoch_leaves_none(
    nursery: Nursery, tmp_path: Path
) -> None:
    hook = {"epoch": 0, "batch": 1, "signal": int(signal.SIGTERM)}
    stopped = nursery.run(tmp_path, "cnn-train", UNSTEADY, hook=hook)
    assert "kept_epoch" not in stopped.result
    assert list(stopped.artifacts.iterdir()) == []


def test_early_stopping_watches_the_figure_that_is_kept(nursery: Nursery, tmp_path: Path) -> None:
    work = UNSTEADY | {"epochs": 50, "keep": "best-accuracy", "early_stopping": 2}
    ended = nursery.run(tmp_path, "cnn-train", work)
    accuracies = [row["validation_accuracy"] for row in ended.lines("epoch")]
    assert len(accuracies) < 50
    assert ended.result["kept_epoch"] == accuracies.index(max(accuracies)) + 1
    assert len(accuracies) == ended.result["kept_epoch"] + 2
