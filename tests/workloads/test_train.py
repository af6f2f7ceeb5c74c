"""Trainings in a process of their own: results, interruptions, bad input."""

from __future__ import annotations

import csv
import json
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.support.thinning import thinned
from tests.workloads.conftest import SIGKILLED, Ended, Nursery

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"

SMALL = {"test_fraction": 0.03, "validation_fraction": 0.03}
PLAIN = SMALL | {
    "limit": 160,
    "epochs": 4,
    "batch_size": 16,
    "optimizer": "sgd",
    "schedule": "cosine",
    "learning_rate": 0.05,
    "augmentation": {"flip": True, "rotation": 10, "random_resized_crop": True},
    "seed": 11,
}
WITH_DROPOUT = SMALL | {
    "model": "mnasnet0_5",
    "limit": 33,  # the last image would be alone in its batch
    "epochs": 4,
    "early_stopping": 3,
    "seed": 12,
}
WIDTHS = {"plain": 1, "dropout": 2}


def test_preloading_starts_no_thread(nursery: Nursery) -> None:
    assert nursery.loaded == {"threads": 1, "python_threads": 1}


def test_a_training_leaves_a_model_and_its_figures(nursery: Nursery, tmp_path: Path) -> None:
    ended = nursery.run(tmp_path, "cnn-train", {"limit": 200, "epochs": 2}, width=2)
    assert ended.code == 0, ended.log
    result = ended.result
    assert result["samples"] == 400
    assert result["train_images"] == 200
    assert result["test_images"] == 359
    assert 0 < result["overhead_s"] < result["seconds"]
    assert set(result["metrics"]) == {"loss", "accuracy", "precision", "recall", "f1"}
    assert result["metrics"]["accuracy"] > 0.5

    state = torch.load(ended.artifacts / "model.pt", weights_only=True)
    assert state["classifier.3.weight"].shape == (10, 128)
    card = json.loads((ended.artifacts / "model.json").read_text())
    assert (card["model"], card["image_size"], card["channels"]) == ("simple-cnn", 8, 1)
    assert card["classes"] == list("0123456789")
    assert card["metrics"] == result["metrics"]

    confusion = json.loads((ended.artifacts / "confusion.json").read_text())["counts"]
    assert sum(map(sum, confusion)) == 359
    hits = sum(row[index] for index, row in enumerate(confusion))
    assert hits / 359 == pytest.approx(result["metrics"]["accuracy"])
    with (ended.artifacts / "confusion.csv").open() as file:
        assert [len(row) for row in csv.reader(file)] == [11] * 11
    with (ended.artifacts / "history.csv").open() as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["1", "2"]

    epochs, progress, test = map(ended.lines, ("epoch", "progress", "test"))
    assert [row["epoch"] for row in epochs] == [1, 2]
    assert all(sum(map(sum, row["confusion"])) == 144 for row in epochs)
    assert progress[-1]["fraction"] == 1
    assert progress[-1]["samples"] == 400
    assert test[0]["accuracy"] == result["metrics"]["accuracy"]
    log = ended.log.splitlines()
    assert [line.partition(":")[0] for line in log] == [
        "simple-cnn on digits",
        "epoch 1/2",
        "epoch 2/2",
        "epoch 2 of 2 is tested",
        "test on 359 images",
    ]


@pytest.fixture(scope="module")
def straight(nursery: Nursery, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ended]:
    works: dict[str, dict[str, Any]] = {"plain": PLAIN, "dropout": WITH_DROPOUT}
    ended = {
        name: nursery.run(tmp_path_factory.mktemp(name), "cnn-train", work, width=WIDTHS[name])
        for name, work in works.items()
    }
    assert [one.code for one in ended.values()] == [0, 0]
    return ended


@pytest.mark.parametrize(
    ("name", "work", "hook"),
    thinned(
        [
            ("dropout", WITH_DROPOUT, {"checkpoint": 3}),
            ("plain", PLAIN, {"epoch": 2, "batch": 4}),
            ("plain", PLAIN, {"epoch": 3, "batch": 9}),
            ("plain", PLAIN, {"checkpoint": 1}),
        ]
    ),
)
def test_a_killed_training_ends_with_the_same_bits(
    name: str,
    work: dict[str, Any],
    hook: dict[str, int],
    straight: dict[str, Ended],
    nursery: Nursery,
    tmp_path: Path,
) -> None:
    fatal = {**hook, "signal": int(signal.SIGKILL)}
    width = WIDTHS[name]
    killed = nursery.run(tmp_path, "cnn-train", work, width=width, hook=fatal)
    assert killed.code == SIGKILLED
    ended = nursery.run(tmp_path, "cnn-train", work, number=2, width=width)
    assert ended.code == 0, ended.log
    done = hook.get("epoch", hook.get("checkpoint", 0))
    assert ended.result["resumed_after_epoch"] == done
    assert ended.result["metrics"] == straight[name].result["metrics"]
    assert ended.result["samples"] == straight[name].result["samples"] * (4 - done) // 4
    assert same_bits(ended, straight[name])
    history = [(one.artifacts / "history.csv").read_text() for one in (ended, straight[name])]
    assert history[0] == history[1]
    assert not list(ended.checkpoints.glob(".*"))


def test_an_unreadable_checkpoint_is_left_out(
    straight: dict[str, Ended], nursery: Nursery, tmp_path: Path
) -> None:
    fatal = {"epoch": 2, "batch": 0, "signal": int(signal.SIGKILL)}
    killed = nursery.run(tmp_path, "cnn-train", PLAIN, hook=fatal)
    (checkpoint,) = killed.checkpoints.glob("*.ckpt")
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    ended = nursery.run(tmp_path, "cnn-train", PLAIN, number=2)
    assert ended.result["resumed_after_epoch"] == 0
    assert "cannot be read" in ended.log
    assert same_bits(ended, straight["plain"])


def test_early_stopping_keeps_the_best_epoch(nursery: Nursery, tmp_path: Path) -> None:
    work = {"limit": 40, "epochs": 50, "learning_rate": 0.03, "early_stopping": 1}
    ended = nursery.run(tmp_path, "cnn-train", work)
    assert ended.code == 0, ended.log
    losses = [row["validation_loss"] for row in ended.lines("epoch")]
    assert 1 < len(losses) < 50
    assert losses[-1] >= min(losses)
    assert ended.result["epochs"] == len(losses)
    # Killed after its last checkpoint, before the test: no further epoch is trained.
    again = nursery.run(tmp_path, "cnn-train", work, number=2)
    assert again.result["epochs"] == len(losses)
    assert "samples" not in again.result
    assert again.result["metrics"] == ended.result["metrics"]


BATCHES_OF_8 = WITH_DROPOUT | {"batch_size": 8, "epochs": 2}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("work", "stops"),
    [
        pytest.param(PLAIN, [(2, 3)], id="inside an epoch"),
        pytest.param(PLAIN, [(0, 0), (0, 1), (3, 2)], id="three times"),
        pytest.param(PLAIN, [(1, 8)], id="after the last batch of an epoch"),
        pytest.param(PLAIN | {"loader_workers": 1}, [(1, 4)], id="with a loader process"),
        pytest.param(BATCHES_OF_8, [(0, 2), (1, 1)], id="with dropout and early stopping"),
    ],
)
def test_a_training_that_was_asked_to_stop_ends_with_the_same_bits(
    work: dict[str, Any],
    stops: list[tuple[int, int]],
    straight: dict[str, Ended],
    nursery: Nursery,
    tmp_path: Path,
) -> None:
    """Every batch is done once, whatever of the epoch was done when the signal came."""
    width = 2 if work is BATCHES_OF_8 else 1
    whole = (
        nursery.run(tmp_path / "whole", "cnn-train", work, width=width)
        if work is BATCHES_OF_8
        else straight["plain"]
    )
    samples = 0
    for number, (epoch, batch) in enumerate(stops, 1):
        polite = {"epoch": epoch, "batch": batch, "signal": int(signal.SIGTERM)}
        stopped = nursery.run(tmp_path, "cnn-train", work, number=number, width=width, hook=polite)
        assert stopped.code == 143, stopped.log
        assert stopped.result["error"] == "stopped by SIGTERM"
        assert "Traceback" not in stopped.log
        assert len(list(stopped.checkpoints.glob("*.ckpt"))) in (1, 2)
        saved = stopped.lines("checkpoint")[-1]["fraction"]
        assert epoch / work["epochs"] < saved <= (epoch + 1) / work["epochs"]
        samples += stopped.result["samples"]
    ended = nursery.run(tmp_path, "cnn-train", work, number=len(stops) + 1, width=width)
    assert ended.code == 0, ended.log
    assert samples + ended.result["samples"] == whole.result["samples"]
    assert ended.result["metrics"] == whole.result["metrics"]
    assert same_bits(ended, whole)
    history = [(one.artifacts / "history.csv").read_text() for one in (ended, whole)]
    assert history[0] == history[1]


def test_a_training_that_is_asked_to_stop_before_its_first_batch_ends_at_once(
    nursery: Nursery, tmp_path: Path
) -> None:
    stopped = nursery.run(tmp_path, "cnn-train", PLAIN, hook={"signal": int(signal.SIGTERM)})
    assert stopped.code == 143
    assert list(stopped.checkpoints.iterdir()) == []


def test_photographs_with_one_unreadable(
    nursery: Nursery, photographs: Path, tmp_path: Path
) -> None:
    work = {
        "model": "shufflenet_v2_x0_5",
        "dataset": f"folder:{photographs}",
        "image_size": 16,
        "batch_size": 8,
        "epochs": 2,
    }
    ended = nursery.run(tmp_path, "cnn-train", work)
    assert ended.code == 0, ended.log
    assert ended.result["skipped_images"] == 1
    assert ended.result["skipped"] == ["train/dark/cut.jpg"]
    assert "skipped train/dark/cut.jpg" in ended.log
    assert ended.result["test_images"] == 8
    assert ended.result["train_images"] + ended.result["validation_images"] == 24

    weights = str(ended.artifacts / "model.pt")
    tuned = nursery.run(
        tmp_path / "tuned", "cnn-train", work | {"weights": weights, "freeze": True}
    )
    assert tuned.code == 0, tuned.log
    before, after = (
        torch.load(one.artifacts / "model.pt", weights_only=True) for one in (ended, tuned)
    )
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"fc.weight", "fc.bias"}


@pytest.mark.parametrize(
    ("work", "field"),
    [
        ({"dataset": "folder:/nowhere/at/all"}, "work.dataset"),
        ({"weights": "/nowhere/model.pt"}, "work.weights"),
        ({"weights": __file__}, "work.weights"),
        ({"model": "lenet"}, "work.model"),
        (
            {"limit": 64, "learning_rate": 9, "optimizer": "sgd", "weight_decay": 1},
            "work.learning_rate",
        ),
    ],
)
def test_bad_input_is_not_worth_another_attempt(
    work: dict[str, Any], field: str, nursery: Nursery, tmp_path: Path
) -> None:
    ended = nursery.run(tmp_path, "cnn-train", work)
    assert ended.code == 2, ended.log
    assert ended.result["retriable"] is False
    assert list(ended.result["fields"]) == [field]
    assert "\n" not in ended.result["error"]


@pytest.mark.slow
def test_simple_cnn_reads_97_percent_of_the_digits(nursery: Nursery, tmp_path: Path) -> None:
    """Chance is 10 %, a nearest-centroid classifier reaches about 90 %."""
    ended = nursery.run(tmp_path, "cnn-train", {"epochs": 15}, width=2)
    assert ended.result["metrics"]["accuracy"] >= 0.97, ended.log


@pytest.mark.slow
@pytest.mark.skipif(not (SHARED / "cats_dogs").is_dir(), reason="needs ../shared/data/cats_dogs")
def test_cats_and_dogs(nursery: Nursery, tmp_path: Path) -> None:
    """Chance is 50 %; a small network sees more than that after a few epochs."""
    work = {
        "dataset": f"folder:{SHARED / 'cats_dogs'}",
        "image_size": 48,
        "epochs": 8,
        "augmentation": {"flip": True},
    }
    ended = nursery.run(tmp_path, "cnn-train", work, width=2)
    assert ended.code == 0, ended.log
    assert ended.result["metrics"]["accuracy"] > 0.6, ended.log


def same_bits(left: Ended, right: Ended) -> bool:
    ours, theirs = (
        torch.load(one.artifacts / "model.pt", weights_only=True) for one in (left, right)
    )
    return ours.keys() == theirs.keys() and all(torch.equal(ours[key], theirs[key]) for key in ours)
