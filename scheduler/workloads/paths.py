"""Whether what a job names on this machine is there."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from scheduler.domain.errors import InvalidError
from scheduler.workloads.outline import Look
from scheduler.workloads.work import IMAGENET, CnnInferWork, CnnTrainWork, CommandWork, Work


def check_paths(work: Work, look: Look | None = None) -> None:
    """Raise `InvalidError` unless every folder, file and program it names exists here.

    Folders of images are looked at within the bounds of `look`, by default one of its own.
    """
    look = look or Look()
    match work:
        case CnnTrainWork():
            if work.dataset.startswith("folder:"):
                look.training(folder_of(work.dataset), "work.dataset")
            if work.weights not in (None, IMAGENET):
                _weights(work.weights, "work.weights")
        case CnnInferWork():
            for index, item in enumerate(work.models):
                if isinstance(item, str):
                    model_file(Path(item), f"work.models.{index}")
            for index, file in enumerate(work.weights):
                _weights(file, f"work.weights.{index}")
            if work.data.startswith("folder:"):
                look.images(folder_of(work.data), "work.data")
        case CommandWork():
            _program(work)


def folder_of(name: str) -> Path:
    """The path in `folder:PATH`."""
    return Path(name.removeprefix("folder:")).expanduser()


def model_file(folder: Path, field: str) -> Path:
    """The model.pt of an artifacts folder; raises `InvalidError` naming `field`."""
    for name in ("model.pt", "model.json"):
        if not (folder / name).is_file():
            problem = f"{folder} holds no {name}; needed: the artifacts folder of a training job"
            raise InvalidError(problem, {field: problem})
    return folder / "model.pt"


def _weights(file: str, field: str) -> None:
    path = Path(file).expanduser()
    if not path.is_file() or not os.access(path, os.R_OK):
        problem = f"{path} is not a readable file on this machine"
        raise InvalidError(problem, {field: problem})


def _program(work: CommandWork) -> None:
    if work.cwd is not None and not Path(work.cwd).expanduser().is_dir():
        problem = f"{work.cwd} is not a folder on this machine"
        raise InvalidError(problem, {"work.cwd": problem})
    program = work.argv[0]
    if os.sep in program:
        path = Path(work.cwd or ".").expanduser() / program
        found = path.is_file() and os.access(path, os.X_OK)
        where = str(path)
    else:
        search = work.env.get("PATH", os.environ.get("PATH", os.defpath))
        found = shutil.which(program, path=search) is not None
        where = "PATH"
    if not found:
        problem = f"{program!r} is no executable program in {where}"
        raise InvalidError(problem, {"work.argv.0": problem})
