"""Whether what a job names on this machine is there."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from scheduler.domain.errors import InputError
from scheduler.workloads.image_folders.outline import Look
from scheduler.workloads.spec.work import IMAGENET, CnnInferWork, CnnTrainWork, CommandWork, Work


def check_paths(work: Work, look: Look | None = None) -> None:
    """Raise `InputError` unless every folder, file and program it names exists here.

    Folders of images are looked at within the bounds of `look`, by default one of its own.
    """
    look = look or Look()
    match work:
        case CnnTrainWork():
            if work.dataset.startswith("folder:"):
                look.training(_folder(work.dataset, "work.dataset"), "work.dataset")
            if isinstance(work.weights, str) and work.weights != IMAGENET:
                _weights(work.weights, "work.weights")
        case CnnInferWork():
            for index, item in enumerate(work.models):
                if isinstance(item, str):
                    field = f"work.models.{index}"
                    model_file(local(item, field), field)
            for index, file in enumerate(work.weights):
                _weights(file, f"work.weights.{index}")
            if work.data.startswith("folder:"):
                look.images(_folder(work.data, "work.data"), "work.data")
        case CommandWork():
            _program(work)


def folder_of(name: str) -> Path:
    """The path in `folder:PATH`."""
    return Path(name.removeprefix("folder:")).expanduser()


def local(text: str, field: str) -> Path:
    """The path that `text` names, `~` filled in; it need not exist.

    Raises `InputError` naming `field` for a path that this machine cannot look at: a name
    that is too long, an unknown user's home, a folder that may not be entered.
    """
    try:
        path = Path(text).expanduser()
        path.is_dir()  # fails where a mere absence does not
    except OSError as error:
        problem = f"{text} cannot be looked at: {error.strerror}"
    except (RuntimeError, ValueError) as error:
        problem = f"{text} is no path of this machine: {error}"
    else:
        return path
    raise InputError(problem, {field: problem})


def model_file(folder: Path, field: str) -> Path:
    """The model.pt of an artifacts folder; raises `InputError` naming `field`."""
    for name in ("model.pt", "model.json"):
        if not (folder / name).is_file():
            problem = f"{folder} holds no {name}; needed: the artifacts folder of a training job"
            raise InputError(problem, {field: problem})
    return folder / "model.pt"


def _folder(name: str, field: str) -> Path:
    return local(name.removeprefix("folder:"), field)


def _weights(file: str, field: str) -> None:
    path = local(file, field)
    if not path.is_file() or not os.access(path, os.R_OK):
        problem = f"{path} is not a readable file on this machine"
        raise InputError(problem, {field: problem})


def _program(work: CommandWork) -> None:
    cwd = local(work.cwd or ".", "work.cwd")
    if work.cwd is not None and not cwd.is_dir():
        problem = f"{work.cwd} is not a folder on this machine"
        raise InputError(problem, {"work.cwd": problem})
    program = work.argv[0]
    if os.sep in program:
        path = local(str(cwd / program), "work.argv.0")
        found = path.is_file() and os.access(path, os.X_OK)
        where = str(path)
    else:
        search = work.env.get("PATH", os.environ.get("PATH", os.defpath))
        found = shutil.which(program, path=search) is not None
        where = "PATH"
    if not found:
        problem = f"{program!r} is no executable program in {where}"
        raise InputError(problem, {"work.argv.0": problem})
