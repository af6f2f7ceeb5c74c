"""Folders of images: layouts, links, oddities, names in any bytes."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from PIL import Image

from scheduler.domain.errors import InputError
from scheduler.workloads.image_folders import folders
from scheduler.workloads.image_folders.layouts import part_of
from scheduler.workloads.image_folders.outline import Look, Outline


def dataset(root: Path, *classes: str, images: int = 3) -> Path:
    """Class folders with as many empty files each."""
    for name in classes:
        (root / name).mkdir(parents=True)
        for index in range(images):
            (root / name / f"{index}.jpg").touch()
    return root


def names(items: tuple[folders.Labelled, ...], root: Path) -> list[tuple[str, int]]:
    return [(str(path.relative_to(root)), label) for path, label in items]


@pytest.mark.parametrize(
    ("train", "val", "test"),
    [
        ("train", "val", "test"),
        ("Train", "Valid", "Test"),
        ("training_set", "validation_set", "test_set"),
        ("TRAINING", "Validation", "testing"),
        ("train-data", "val", "Test Set"),
    ],
)
def test_parts_go_by_many_names(train: str, val: str, test: str, tmp_path: Path) -> None:
    for part, count in ((train, 3), (val, 2), (test, 1)):
        dataset(tmp_path / part, "cats", "dogs", images=count)
    (tmp_path / "single_prediction").mkdir()
    found = folders.labelled(tmp_path, "work.dataset")
    assert found.classes == ("cats", "dogs")
    assert [len(part) for part in (found.train, found.validation, found.test)] == [6, 4, 2]
    assert [name for name, _ in found.skipped] == ["single_prediction"]
    assert Look().training(tmp_path, "work.dataset") == Outline(6, True, True)


@pytest.mark.parametrize("name", ["trains", "tested", "cats", "invalid", "pretrain", "values"])
def test_other_names_are_no_parts(name: str) -> None:
    assert part_of(name) is None


@pytest.mark.parametrize(
    ("made", "problem"),
    [
        (
            ["Test/cats", "Test/dogs", "Valid/cats", "Valid/dogs"],
            "holds Test/, Valid/ but no train/",
        ),
        (["train/a", "train/b", "Training/a", "Training/b"], "holds Training/ and train/: which"),
        (["cats"], "only one class folder, cats/"),
        ([], "no class folder"),
        (["train/a", "train/b", "test/a", "test/c"], "has classes that train/ lacks: c"),
    ],
)
def test_other_layouts_are_refused_with_the_legal_ones(
    made: list[str], problem: str, tmp_path: Path
) -> None:
    dataset(tmp_path, *made)
    for read in (folders.labelled, Look().training):
        with pytest.raises(InputError, match=problem) as caught:
            read(tmp_path, "work.dataset")
        assert list(caught.value.fields) == ["work.dataset"]
        assert "lacks" in problem or "legal: at least two folders" in caught.value.message


def test_missing_empty_and_unreadable_folders_are_told_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    dataset(tmp_path / "empty", "cats", "dogs", images=0)
    dataset(tmp_path / "closed", "cats", "dogs")
    usual = os.scandir

    def closed(path: Path) -> object:
        if Path(path) == tmp_path / "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return usual(path)

    monkeypatch.setattr(os, "scandir", closed)
    for name, problem in (
        ("missing", "is not a folder"),
        ("file", "is not a folder"),
        ("empty", "cats holds no image"),
        ("closed", "closed cannot be read: Permission denied"),
    ):
        for read in (folders.labelled, Look().training):
            with pytest.raises(InputError, match=problem):
                read(tmp_path / name, "work.dataset")
    for name, problem in (("missing", "is not a folder"), ("empty", "holds no image")):
        for read in (folders.images, Look().images):
            with pytest.raises(InputError, match=problem):
                read(tmp_path / name, "work.data")


def test_links_lead_nowhere_twice(tmp_path: Path) -> None:
    root = dataset(tmp_path / "set", "a", "b")
    (tmp_path / "0.jpg").touch()
    (root / "a" / "up1").symlink_to("..")
    (root / "a" / "up2").symlink_to("../..")
    (root / "a" / "again").symlink_to(".")
    (root / "a" / "other").symlink_to("../b")
    (root / "b" / "self").symlink_to("self")
    (root / "b" / "copy.jpg").symlink_to("0.jpg")
    os.link(root / "b" / "1.jpg", root / "b" / "hard.jpg")
    found = folders.labelled(root, "work.dataset")
    assert names(found.train, root) == [
        (f"{c}/{i}.jpg", "ab".index(c)) for c in "ab" for i in range(3)
    ]
    assert dict(found.skipped) == {
        "a/again": "the same as a",
        "a/other": "the same as b",
        "a/up1": "the same as .",
        "a/up2": f"the same as {tmp_path}",
        "b/copy.jpg": "the same as b/0.jpg",
        "b/hard.jpg": "the same as b/1.jpg",
    }
    assert Look().training(root, "work.dataset").images >= 6
    assert len(folders.images(root, "work.data")[0]) == 6


def test_training_and_test_share_no_file(tmp_path: Path) -> None:
    dataset(tmp_path / "test", "a", "b", images=2)
    dataset(tmp_path / "train", "a", "b")
    (tmp_path / "train" / "a" / "x.jpg").symlink_to("../../test/a/0.jpg")
    os.link(tmp_path / "test" / "b" / "1.jpg", tmp_path / "train" / "b" / "y.jpg")
    (tmp_path / "train" / "a" / "all").symlink_to("../../test")
    found = folders.labelled(tmp_path, "work.dataset")
    assert len(found.test) == 4
    assert len(found.train) == 6
    assert dict(found.skipped) == {
        "train/a/all": "the same as test",
        "train/a/x.jpg": "the same as test/a/0.jpg",
        "train/b/y.jpg": "the same as test/b/1.jpg",
    }
    (tmp_path / "linked").mkdir()
    for part in ("train", "test"):
        (tmp_path / "linked" / part).symlink_to(tmp_path / "train")
    with pytest.raises(InputError, match="train/a is left out: the same as test/a"):
        folders.labelled(tmp_path / "linked", "work.dataset")


def test_what_is_no_regular_file_is_left_out_and_named(tmp_path: Path) -> None:
    root = dataset(tmp_path, "a", "b")
    os.mkfifo(root / "a" / "pipe.jpg")
    (root / "a" / "gone.png").symlink_to("nowhere")
    (root / "a" / ".hidden.jpg").touch()
    (root / "a" / "notes.txt").touch()
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(os.path.relpath(root / "b" / "s.jpg"))  # absolute ones may be too long
        found = folders.labelled(root, "work.dataset")
    assert len(found.train) == 6
    assert dict(found.skipped) == {
        "a/gone.png": "a link to nothing",
        "a/pipe.jpg": "no regular file",
        "b/s.jpg": "no regular file",
    }
    assert Look().training(root, "work.dataset") == Outline(6)


def test_nested_class_folders_belong_to_the_outermost_class(tmp_path: Path) -> None:
    dataset(tmp_path, "cats/2023/june", "cats/2024", "dogs")
    found = folders.labelled(tmp_path, "work.dataset")
    assert [label for _, label in found.train] == [0] * 6 + [1] * 3


def test_names_are_any_bytes(tmp_path: Path) -> None:
    strange = os.fsdecode(b"caf\xe9")
    root = dataset(tmp_path, strange, "dogs")
    found = folders.labelled(root, "work.dataset")
    assert found.classes == (r"caf\udce9", "dogs")
    assert folders.name_below(found.train[0][0], root) == r"caf\udce9/0.jpg"
    dataset(tmp_path / os.fsdecode(b"\xff"), "a", images=0)
    with pytest.raises(InputError, match="only one class") as caught:
        folders.labelled(tmp_path / os.fsdecode(b"\xff"), "work.dataset")
    caught.value.message.encode()


def test_a_look_is_bounded_and_extrapolates(tmp_path: Path) -> None:
    root = dataset(tmp_path / "set", *"abcdefgh", images=50)
    look = Look(max_entries=200)
    assert look.training(root, "work.dataset") == Outline(400)
    assert look.entries <= 200
    assert look.training(root, "work.dataset") == Outline(400)
    flat = dataset(tmp_path / "flat", "inbox", images=500) / "inbox"
    look = Look(max_entries=100)
    assert 50 <= look.images(flat, "work.data") <= 100
    with pytest.raises(InputError, match="is not a folder"):
        look.images(tmp_path / "missing", "work.data")


def test_a_look_ends_when_its_time_is_over(tmp_path: Path) -> None:
    root = dataset(tmp_path, "a", "b", images=1000)
    ticks = iter(range(1_000_000))
    look = Look(max_seconds=20, clock=lambda: float(next(ticks)))
    assert 2 <= look.training(root, "work.dataset").images <= 2000
    assert next(ticks) < 30


def test_a_look_without_time_still_counts_some_classes(tmp_path: Path) -> None:
    root = dataset(tmp_path, *(f"class{number:03d}" for number in range(300)), images=5)
    hours = iter(range(0, 10**9, 3600))
    look = Look(clock=lambda: float(next(hours)))
    assert look.training(root, "work.dataset") == Outline(300 * 5)


def test_one_request_looks_at_a_folder_once(tmp_path: Path) -> None:
    root = dataset(tmp_path / "set", "a", "b")
    look = Look()
    for _ in range(3):
        assert look.training(root, "work.dataset") == Outline(6)
        with pytest.raises(InputError):
            look.training(root / "a", "work.dataset")
    once = look.entries
    look.training(root, "work.dataset")
    assert look.entries == once


def test_images_are_found_by_their_names_endings(tmp_path: Path) -> None:
    for name in ("a.JPG", "b.Tiff", "c.gif", "d.heic", "e"):
        Image.new("L", (2, 2)).save(tmp_path / name, "TIFF")
    found, _ = folders.images(tmp_path, "work.data")
    assert [path.name for path in found] == ["a.JPG", "b.Tiff", "c.gif"]
