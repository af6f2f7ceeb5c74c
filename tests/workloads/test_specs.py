"""What is known of a job before it runs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scheduler.domain.errors import InputError
from scheduler.domain.jobs import JobKind
from scheduler.domain.references import references
from scheduler.workloads.spec.specs import (
    WORK,
    absolute,
    check_paths,
    parse_work,
    profile,
    resolve,
)

BAD = [
    ("cnn-train", {"model": "resnet17"}, "work.model", "did you mean 'resnet18'?"),
    ("cnn-train", {"epoch": 3}, "work.epoch", "did you mean 'epochs'?"),
    ("cnn-train", {"epochs": 0}, "work.epochs", "at least 1"),
    ("cnn-train", {"batch_size": 10**9}, "work.batch_size", "at most 65536"),
    ("cnn-train", {"learning_rate": 0}, "work.learning_rate", "more than 0"),
    ("cnn-train", {"learning_rate": float("nan")}, "work.learning_rate", "finite"),
    (
        "cnn-train",
        {"optimizer": "lion"},
        "work.optimizer",
        "legal: adam, adamw, sgd, rmsprop",
    ),
    ("cnn-train", {"keep": "best"}, "work.keep", "legal: best-loss, best-accuracy, last"),
    ("cnn-train", {"label_smoothing": 1}, "work.label_smoothing", "less than 1"),
    ("cnn-train", {"augmentation": {"scale": 1}}, "work.augmentation.scale", "less than 1"),
    ("cnn-train", {"augmentation": {"hue": 0.6}}, "work.augmentation.hue", "0.5"),
    (
        "cnn-train",
        {"augmentation": {"rand_augment_magnitude": 31}},
        "work.augmentation.rand_augment_magnitude",
        "30",
    ),
    ("cnn-train", {"dataset": "imagenet22k"}, "work.dataset", "legal: folder:PATH, digits"),
    ("cnn-train", {"dataset": "folder:"}, "work.dataset", "names no folder"),
    ("cnn-train", {"model": "alexnet", "image_size": 8}, "work.image_size", "legal: 64 px"),
    ("cnn-train", {"model": "vit_b_16", "image_size": 40}, "work.image_size", "multiples of 16"),
    ("cnn-train", {"freeze": True}, "work.freeze", "needs `weights`"),
    ("cnn-train", {"weights": "imagenet"}, "work.weights", "torchvision's models"),
    (
        "cnn-train",
        {"early_stopping": 2, "validation_fraction": 0},
        "work.early_stopping",
        "needs a validation_fraction",
    ),
    ("cnn-train", {"augmentation": {"flop": True}}, "work.augmentation.flop", "mean 'flip'?"),
    ("cnn-train", {"augmentation": {"rotation": 270}}, "work.augmentation.rotation", "180"),
    ("cnn-train", {"test_fraction": 1.0}, "work.test_fraction", "0.9"),
    ("cnn-train", {"seed": -1}, "work.seed", "at least 0"),
    ("cnn-infer", {}, "work.weights", "`models` (job numbers) or `weights`"),
    ("cnn-infer", {"models": [0]}, "work.models", "start at 1"),
    ("cnn-infer", {"models": [1], "data": "digits:all"}, "work.data", "`train` or `test`"),
    ("cnn-infer", {"models": [1], "data": "nothing"}, "work.data", "legal: folder:PATH"),
    ("command", {}, "work.argv", "is required"),
    ("command", {"argv": []}, "work.argv", "should not be empty"),
    ("command", {"argv": [""]}, "work.argv", "is empty"),
    ("command", {"argv": "ls -l"}, "work.argv", "should be a list"),
    ("command", {"argv": ["true", "a\0b"]}, "work.argv.1", "zero byte"),
    ("command", {"argv": ["ls"], "env": {"1A": ""}}, "work.env", "'1A'"),
    ("cnn-guess", {}, "kind", "legal: cnn-train, cnn-infer, command"),
]


@pytest.mark.parametrize(("kind", "data", "field", "message"), BAD)
def test_bad_work_names_the_field_and_what_is_legal(
    kind: str, data: dict[str, Any], field: str, message: str
) -> None:
    with pytest.raises(InputError) as caught:
        parse_work(kind, data)
    assert list(caught.value.fields) == [field]
    assert message in caught.value.fields[field]


def test_all_bad_fields_are_told_at_once() -> None:
    with pytest.raises(InputError) as caught:
        parse_work("cnn-train", {"epochs": 0, "batch_size": "x", "colour": "red"})
    assert set(caught.value.fields) == {"work.epochs", "work.batch_size", "work.colour"}


def test_work_survives_json() -> None:
    for kind, data in (
        ("cnn-train", {"augmentation": {"flip": True}}),
        ("cnn-infer", {"models": 17}),
        ("command", {"argv": ["ls"], "env": {"A": "1"}}),
    ):
        work = parse_work(kind, data)
        assert parse_work(kind, json.loads(work.model_dump_json())) == work


def test_every_field_is_described_in_the_schema() -> None:
    for model in WORK.values():
        schema = json.loads(json.dumps(model.model_json_schema()))
        assert schema["additionalProperties"] is False
        undescribed = {
            name
            for name, field in model.model_fields.items()
            if not field.description and name not in PLAIN
        }
        assert not undescribed


PLAIN = {"augmentation", "optimizer", "learning_rate", "weight_decay", "epochs"} | {
    "seed",
    "batch_size",
}


def test_references_are_found_and_resolved() -> None:
    work = parse_work("cnn-infer", {"models": ["17", 4, 17, "/models/a"]}).model_dump()
    assert references(work) == (17, 4)
    done = resolve(work, lambda job: Path(f"/jobs/{job}/artifacts"))
    assert done["models"] == [
        "/jobs/17/artifacts",
        "/jobs/4/artifacts",
        "/jobs/17/artifacts",
        "/models/a",
    ]
    assert references(done) == ()
    assert references({"argv": ["ls"]}) == ()
    assert resolve({"argv": ["ls"]}, Path) == {"argv": ["ls"]}


def test_paths_are_meant_from_the_submitters_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    base = Path("/home/ada/shop")
    made = absolute({"dataset": "folder:../pets", "weights": "imagenet", "epochs": 1}, base)
    assert made == {"dataset": "folder:/home/ada/pets", "weights": "imagenet", "epochs": 1}
    given = {"models": [3, "./old", "cnn"], "weights": ["~/a.pt"], "data": "digits"}
    made = absolute(given, base)
    assert made["models"] == [3, "/home/ada/shop/old", "cnn"]
    assert made["weights"] == ["/home/ada/a.pt"]
    assert absolute({"argv": ["ls"], "cwd": None}, base) == {"argv": ["ls"], "cwd": None}


@pytest.mark.parametrize("given", [{"job": 12}, {"job": "12"}, "job:12"])
def test_weights_of_a_job(given: object) -> None:
    work = parse_work("cnn-train", {"weights": given, "freeze": True})
    made = work.model_dump(mode="json")
    assert made["weights"] == {"job": 12}
    assert references(made) == (12,)
    assert absolute(made, Path("/home"))["weights"] == {"job": 12}
    assert absolute({"weights": "job:cnn"}, Path("/home"))["weights"] == "job:cnn"
    assert resolve(made, lambda job: Path(f"/{job}"))["weights"] == "/12/model.pt"
    check_paths(work)


@pytest.mark.parametrize("given", [{"job": 0}, {"job": True}, {"job": ""}, {"jobs": 3}, {}])
def test_weights_of_no_job(given: object) -> None:
    with pytest.raises(InputError) as error:
        parse_work("cnn-train", {"weights": given})
    assert "{job: NUMBER}" in error.value.fields["work.weights"]


def test_folders_are_checked(photographs: Path, tmp_path: Path) -> None:
    check_paths(parse_work("cnn-train", {"dataset": f"folder:{photographs}"}))
    check_paths(parse_work("cnn-train", {"dataset": f"folder:{photographs / 'test'}"}))
    (tmp_path / "train" / "cats").mkdir(parents=True)
    bad = {
        "/nowhere": "is not a folder",
        str(tmp_path): "only one class folder",
        str(photographs / "test" / "dark"): "holds no class folder",
    }
    for path, problem in bad.items():
        with pytest.raises(InputError, match=problem) as caught:
            check_paths(parse_work("cnn-train", {"dataset": f"folder:{path}"}))
        assert list(caught.value.fields) == ["work.dataset"]
    (tmp_path / "train" / "dogs").mkdir()
    with pytest.raises(InputError, match="holds no image"):
        check_paths(parse_work("cnn-train", {"dataset": f"folder:{tmp_path}"}))
    with pytest.raises(InputError, match="holds no image"):
        check_paths(parse_work("cnn-infer", {"models": [1], "data": f"folder:{tmp_path}"}))


def test_a_test_class_that_is_not_trained_is_refused(photographs: Path, tmp_path: Path) -> None:
    for part in ("train", "test"):
        (tmp_path / part).mkdir()
        for label in ("dark", "light"):
            (tmp_path / part / label).symlink_to(photographs / "train" / label)
    (tmp_path / "test" / "grey").mkdir()
    with pytest.raises(InputError, match="train/ lacks: grey"):
        check_paths(parse_work("cnn-train", {"dataset": f"folder:{tmp_path}"}))


def test_the_profile_of_a_training(photographs: Path) -> None:
    digits = profile("cnn-train", parse_work("cnn-train", {"epochs": 2}))
    assert digits.key == "cnn-train:simple-cnn:8:32:digits"
    assert digits.samples == 2 * 1294
    same = profile("cnn-train", {"epochs": 7, "seed": 3, "learning_rate": 0.1})
    assert same.key == digits.key
    work = {"model": "resnet18", "dataset": f"folder:{photographs}", "image_size": 224}
    folder = profile(JobKind.CNN_TRAIN, work | {"epochs": 3, "batch_size": 8})
    assert folder.key == "cnn-train:resnet18:224:8:folder"
    assert folder.samples == (25 - 2) * 3
    assert folder.flops_per_sample == pytest.approx(3 * 3.628e9, rel=1e-3)
    frozen = profile(JobKind.CNN_TRAIN, work | {"freeze": True, "weights": "imagenet"})
    assert frozen.key == "cnn-train:resnet18:224:32:folder:freeze"
    assert frozen.flops_per_sample < 0.4 * folder.flops_per_sample


def test_the_profile_of_an_inference() -> None:
    work = {"models": [3, 4], "data": "digits:test"}
    unknown = profile("cnn-infer", work)
    assert (unknown.samples, unknown.flops_per_sample) == (359, 0)
    trainings = {3: {"model": "resnet18", "image_size": 64}, 4: {}}
    known = profile("cnn-infer", work, trainings.__getitem__)
    assert known.key == "cnn-infer:resnet18@64+simple-cnn@8:32:digits"
    assert known.flops_per_sample > 0


def test_the_profile_of_a_command() -> None:
    one, same, other = (
        profile("command", {"argv": ["/bin/echo", word], "env": {"A": word}}) for word in "aab"
    )
    assert one == same
    assert one.key != other.key
    assert one.key.startswith("command:echo:")
    assert (one.samples, one.flops_per_sample) == (1, 0)


def test_none_of_this_loads_torch() -> None:
    script = (
        "import sys, scheduler.workloads.spec.specs as s; s.WORK; print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


def test_a_value_that_fits_no_member_of_a_union_is_one_field():
    with pytest.raises(InputError) as caught:
        parse_work("cnn-infer", {"models": [1.5]})
    (problem,) = caught.value.fields.items()
    assert problem[0] == "work.models.0"
    assert "whole number" in problem[1]
    assert "should be text" in problem[1]
