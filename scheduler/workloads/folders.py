"""Folders of images: one folder per class, with or without train/, val/ and test/."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scheduler.domain.errors import InvalidError

EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
"""Files that count as images, as in torchvision's ImageFolder."""

Labelled = tuple[Path, int]
"""An image and the index of its class."""


@dataclass(frozen=True, slots=True)
class Folder:
    """What lies in a folder of images, in sorted order."""

    classes: tuple[str, ...]
    train: tuple[Labelled, ...]
    validation: tuple[Labelled, ...] = ()
    """Empty: there is no val/."""
    test: tuple[Labelled, ...] = ()
    """Empty: there is no test/."""


def labelled(root: Path, field: str) -> Folder:
    """Read a training folder: train/ (and val/, test/) of class folders, or class folders alone.

    Raises `InvalidError` naming `field` if it is missing, has fewer than two classes, a class
    without an image, or a test class that is not trained.
    """
    _need(root.is_dir(), field, f"{root} is not a folder on this machine")
    parts = {name: root / name for name in ("train", "val", "test") if (root / name).is_dir()}
    base = parts.get("train", root)
    if "train" not in parts:
        parts = {}
    classes = _classes(base)
    _need(
        len(classes) >= 2,
        field,
        f"{base} holds {len(classes)} class folders; needed: at least two folders named after "
        "their class, with images in them (or train/ and test/ of such)",
    )
    for name in ("val", "test"):
        strange = set(_classes(parts[name])) - set(classes) if name in parts else ()
        _need(
            not strange,
            field,
            f"{parts.get(name)} has classes that train/ lacks: {', '.join(sorted(strange))}",
        )
    train = _images(base, classes)
    for index, name in enumerate(classes):
        _need(
            any(label == index for _, label in train),
            field,
            f"{base / name} holds no image ({' '.join(EXTENSIONS)})",
        )
    validation, test = (
        _images(parts[name], classes) if name in parts else () for name in ("val", "test")
    )
    return Folder(classes, train, validation, test)


def images(root: Path, field: str) -> tuple[tuple[Path, str | None], ...]:
    """Every image below `root` in sorted order, with its class folder's name if it has one.

    Raises `InvalidError` naming `field` if the folder is missing or holds no image.
    """
    _need(root.is_dir(), field, f"{root} is not a folder on this machine")
    found = tuple(
        (path, path.relative_to(root).parts[0] if path.parent != root else None)
        for path in walk(root)
    )
    _need(bool(found), field, f"{root} holds no image ({' '.join(EXTENSIONS)})")
    return found


def walk(root: Path) -> Iterator[Path]:
    """Every image file below `root`, in sorted order; hidden files and folders are left out."""
    for folder, below, files in os.walk(root, followlinks=True):
        below[:] = sorted(name for name in below if not name.startswith("."))
        for name in sorted(files):
            if name.lower().endswith(EXTENSIONS) and not name.startswith("."):
                yield Path(folder, name)


def _classes(base: Path) -> tuple[str, ...]:
    return tuple(
        sorted(item.name for item in base.iterdir() if item.is_dir() and item.name[0] != ".")
    )


def _images(base: Path, classes: tuple[str, ...]) -> tuple[Labelled, ...]:
    return tuple((path, index) for index, name in enumerate(classes) for path in walk(base / name))


def _need(condition: bool, field: str, problem: str) -> None:
    if not condition:
        raise InvalidError(problem, {field: problem})
