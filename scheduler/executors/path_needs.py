"""What a job names on the disk of the machine that it runs on, and what a machine has of that."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class PathKind(StrEnum):
    """What has to be at a path."""

    TRAINING = "training"
    """A folder of images to train on, by classes."""
    IMAGES = "images"
    """A folder with images in it."""
    MODEL = "model"
    """An artifacts folder with `model.pt` and `model.json`."""
    FILE = "file"
    """A file of weights that can be read."""
    FOLDER = "folder"
    """A folder to work in."""
    PROGRAM = "program"
    """A program that can be run."""


@dataclass(frozen=True, slots=True)
class PathNeed:
    """One path that a job names, as it was written: `~` is that of the machine."""

    kind: PathKind
    path: str
    folder: str = ""
    """Of a program: where a relative path starts; empty: where the job works."""
    search: str = ""
    """Of a program: folders that it is looked for in; empty: those of the machine's own PATH."""


@dataclass(frozen=True, slots=True)
class PathFinding:
    """What a machine has at a path."""

    problem: str = ""
    """Why a job cannot use it there; empty: it can."""
    images: int = 0
    """Of a folder of images: how many."""
    own_validation: bool = False
    """Whether a training folder has a part of its own to validate on."""
    own_test: bool = False
    """Whether it has one to test on."""
    model: str = ""
    """Of a model or a file of weights: its architecture, if that is known."""
    image_size: int = 0
    """Of a model: pixels of a side, if that is known."""
