"""Inference in a process of its own."""

from __future__ import annotations

import csv
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support

from scheduler.workloads.spec.specs import resolve
from tests.workloads.conftest import Ended, Nursery


@pytest.fixture(scope="module")
def trained(nursery: Nursery, tmp_path_factory: pytest.TempPathFactory) -> list[Ended]:
    """Two networks of the digits, at different image sizes."""
    works = [{"limit": 300, "epochs": 3}, {"limit": 300, "epochs": 3, "image_size": 12, "seed": 1}]
    return [nursery.run(tmp_path_factory.mktemp("job"), "cnn-train", work) for work in works]


def predictions(ended: Ended) -> list[dict[str, Any]]:
    lines = (ended.artifacts / "predictions.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    with (ended.artifacts / "predictions.csv").open() as file:
        table = list(csv.DictReader(file))
    assert [(row["image"], row["label"]) for row in rows] == [
        (row["image"], row["label"]) for row in table
    ]
    assert all(0 < float(row["probability"]) <= 1 for row in table)
    return rows


def test_the_model_of_a_job_repeats_its_test(
    trained: list[Ended], nursery: Nursery, tmp_path: Path
) -> None:
    work = resolve({"models": [4]}, lambda job: trained[0].artifacts)
    ended = nursery.run(tmp_path, "cnn-infer", work)
    assert ended.code == 0, ended.log
    result = ended.result
    assert result["images"] == result["samples"] == 359
    assert result["metrics"]["accuracy"] == pytest.approx(trained[0].result["metrics"]["accuracy"])
    assert result["metrics"]["images_per_s"] > 0
    figures = result["metrics"]
    assert 0 < figures["latency_batch_p50_ms"] <= figures["latency_batch_p95_ms"]
    assert 0 < figures["latency_image_p50_ms"] <= figures["latency_image_p95_ms"]
    assert len(predictions(ended)) == 359


def test_labelled_images_are_scored_for_each_class(
    trained: list[Ended], nursery: Nursery, tmp_path: Path
) -> None:
    work = {"models": [str(one.artifacts) for one in trained], "data": "digits:test"}
    ended = nursery.run(tmp_path, "cnn-infer", work)
    assert ended.code == 0, ended.log
    result, rows = ended.result, predictions(ended)
    truths, labels = [row["truth"] for row in rows], [row["label"] for row in rows]
    names = [str(digit) for digit in range(10)]
    assert result["labelled_images"] == len(rows)
    options = {"labels": names, "zero_division": 0.0}
    each = precision_recall_fscore_support(truths, labels, average=None, **options)
    for at, name in enumerate(names):
        row = result["per_class"][name]
        found = [row[key] for key in ("precision", "recall", "f1", "images")]
        assert found == pytest.approx([values[at] for values in each], abs=1e-5)
    mean = precision_recall_fscore_support(truths, labels, average="macro", **options)[:3]
    metrics = [result["metrics"][key] for key in ("precision", "recall", "f1")]
    assert metrics == pytest.approx(mean, abs=1e-5)
    assert result["metrics"]["accuracy"] == pytest.approx(accuracy_score(truths, labels))
    counts = confusion_matrix(truths, labels, labels=names).tolist()
    assert result["confusion"] == {"classes": names, "rows_are": "truth", "counts": counts}
    assert json.loads((ended.artifacts / "confusion.json").read_text()) == result["confusion"]
    with (ended.artifacts / "per_class.csv").open() as file:
        assert [row["class"] for row in csv.DictReader(file)] == names
    tested = [one.result["metrics"]["accuracy"] for one in trained]
    assert [one["accuracy"] for one in result["voters"]] == pytest.approx(tested)
    assert ended.lines("progress")[-1]["batch"] == ended.lines("progress")[-1]["batches"] == 12


def test_every_prediction_has_all_probabilities(
    trained: list[Ended], nursery: Nursery, tmp_path: Path
) -> None:
    work = {"models": [str(trained[0].artifacts)], "limit": 40}
    ended = nursery.run(tmp_path, "cnn-infer", work)
    with (ended.artifacts / "predictions.csv").open() as file:
        table = list(csv.DictReader(file))
    for row, line in zip(predictions(ended), table, strict=True):
        chances = row["probabilities"]
        assert sum(chances.values()) == pytest.approx(1, abs=1e-4)
        assert row["label"] == max(chances, key=chances.__getitem__)
        assert row["probability"] == chances[row["label"]]
        assert line["truth"] == row["truth"]
        assert float(line[f"p_{row['label']}"]) == pytest.approx(row["probability"], abs=1e-6)


def test_a_training_scores_its_test_by_the_same_rule(
    trained: list[Ended], nursery: Nursery, tmp_path: Path
) -> None:
    ended = nursery.run(tmp_path, "cnn-infer", {"models": [str(trained[0].artifacts)]})
    for name in ("per_class", "confusion"):
        assert ended.result[name] == trained[0].result[name]
    assert "voters" not in ended.result


def test_several_models_vote(trained: list[Ended], nursery: Nursery, tmp_path: Path) -> None:
    folders = [str(one.artifacts) for one in trained]
    single = [
        nursery.run(tmp_path / str(index), "cnn-infer", {"models": [folder], "limit": 50})
        for index, folder in enumerate(folders)
    ]
    both = nursery.run(tmp_path / "both", "cnn-infer", {"models": folders, "limit": 50})
    assert both.code == 0, both.log
    for row, *alone in zip(predictions(both), *map(predictions, single), strict=True):
        if alone[0]["label"] == alone[1]["label"] == row["label"]:
            mean = (alone[0]["probability"] + alone[1]["probability"]) / 2
            assert row["probability"] == pytest.approx(mean, abs=2e-6)


def test_a_flat_folder_with_an_unreadable_image(
    trained: list[Ended], photographs: Path, nursery: Nursery, tmp_path: Path
) -> None:
    weights = str(trained[0].artifacts / "model.pt")
    folder = photographs / "train" / "dark"
    ended = nursery.run(
        tmp_path, "cnn-infer", {"weights": [weights], "data": f"folder:{folder}", "batch_size": 5}
    )
    assert ended.code == 0, ended.log
    assert ended.result["images"] == 12
    assert ended.result["skipped"] == ["cut.jpg"]
    assert "accuracy" not in ended.result["metrics"]
    assert not {"per_class", "confusion", "voters"} & ended.result.keys()
    assert ended.result["labelled_images"] == 0
    assert {row["truth"] for row in predictions(ended)} == {None}
    assert not (ended.artifacts / "confusion.json").exists()
    assert [row["image"] for row in predictions(ended)][:2] == ["00.jpg", "01.jpg"]


def test_bare_weights_need_their_architecture(
    trained: list[Ended], nursery: Nursery, tmp_path: Path
) -> None:
    bare = tmp_path / "bare.pt"
    bare.write_bytes((trained[0].artifacts / "model.pt").read_bytes())
    work: dict[str, Any] = {"weights": [str(bare)], "image_size": 8}
    ended = nursery.run(tmp_path / "1", "cnn-infer", work)
    assert ended.code == 2
    assert list(ended.result["fields"]) == ["work.model"]
    ended = nursery.run(tmp_path / "2", "cnn-infer", work | {"model": "simple-cnn"})
    assert ended.code == 0, ended.log
    assert ended.result["metrics"]["accuracy"] > 0.5
    ended = nursery.run(tmp_path / "3", "cnn-infer", work | {"model": "resnet18"})
    assert ended.code == 2
    assert list(ended.result["fields"]) == ["work.weights.0"]


def test_models_of_other_classes_do_not_vote_together(
    trained: list[Ended], nursery: Nursery, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    card = json.loads((trained[0].artifacts / "model.json").read_text())
    card["classes"] = card["classes"][::-1]
    (other / "model.json").write_text(json.dumps(card))
    (other / "model.pt").write_bytes((trained[0].artifacts / "model.pt").read_bytes())
    folders = [str(trained[0].artifacts), str(other)]
    ended = nursery.run(tmp_path, "cnn-infer", {"models": folders})
    assert ended.code == 2
    assert list(ended.result["fields"]) == ["work.models.1"]
    assert not list(ended.artifacts.iterdir())


def test_nested_classes_in_any_bytes_are_judged_as_they_were_trained(
    nursery: Nursery, photographs: Path, tmp_path: Path
) -> None:
    strange, mark = os.fsdecode(b"clair \xe9"), os.fsdecode(b"\xff")
    for name, label in (("dark/2023/june", "dark"), (f"{strange}/2024", "light")):
        (tmp_path / "set" / name).mkdir(parents=True)
        for path in (photographs / "train" / label).glob("[01]*.jpg"):
            shutil.copy(path, tmp_path / "set" / name / f"{mark}{path.name}")
    data = f"folder:{tmp_path / 'set'}"
    work = {"dataset": data, "image_size": 16, "epochs": 4, "learning_rate": 0.01}
    model = nursery.run(tmp_path / "train", "cnn-train", work)
    assert model.code == 0, model.log
    os.mkfifo(tmp_path / "set" / "dark" / "pipe.jpg")
    (tmp_path / "set" / "unknown").mkdir()
    shutil.copy(photographs / "train" / "dark" / "00.jpg", tmp_path / "set" / "unknown")
    ended = nursery.run(
        tmp_path / "infer", "cnn-infer", {"models": [str(model.artifacts)], "data": data}
    )
    assert ended.code == 0, ended.log
    assert ended.result["metrics"]["accuracy"] == 1
    assert ended.result["images"] - ended.result["labelled_images"] == 1
    assert "in no folder of a known class, which are not scored: 1" in ended.log
    assert ended.result["skipped"] == ["dark/pipe.jpg"]
    assert "skipped dark/pipe.jpg: no regular file" in ended.log
    assert {row["label"] for row in predictions(ended)} == {"dark", r"clair \udce9"}
    assert predictions(ended)[0]["image"].startswith(r"clair \udce9/2024/\udcff")


def test_weights_that_answer_with_no_number_are_refused(
    trained: list[Ended], nursery: Nursery, tmp_path: Path
) -> None:
    state = torch.load(trained[0].artifacts / "model.pt", weights_only=True)
    for factor, problem in ((float("nan"), "NaN or infinity"), (1e38, "not finite")):
        work = {"weights": [str(tmp_path / "model.pt")], "data": "digits:test"}
        scaled = {
            name: value * factor for name, value in state.items() if value.is_floating_point()
        }
        torch.save(state | scaled, tmp_path / "model.pt")
        shutil.copy(trained[0].artifacts / "model.json", tmp_path)
        ended = nursery.run(tmp_path / str(factor), "cnn-infer", work)
        assert ended.code == 2, ended.log
        assert problem in ended.result["fields"]["work.weights.0"]
        assert not list(ended.artifacts.iterdir())
