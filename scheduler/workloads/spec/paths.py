"""Which paths a job names, and whether what they name is on a machine."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from scheduler.domain.errors import InputError
from scheduler.executors.path_needs import PathFinding, PathKind, PathNeed
from scheduler.workloads.image_folders.outline import Look
from scheduler.workloads.spec.work import IMAGENET, Work

_FOLDER = "folder:"
_MAX_CARD_BYTES = 2**20


class PathLook(Protocol):
    """Looks at paths for a request, on the machines that could run its job."""

    def find(self, need: PathNeed) -> PathFinding:
        """What is there; with a `problem` if the job could run on none of the machines."""


class MachineLook:
    """Looks on this machine; at folders of images within the bounds of `look`."""

    def __init__(self, look: Look | None = None) -> None:
        self._look = look or Look()

    def find(self, need: PathNeed) -> PathFinding:
        """What this machine has there."""
        try:
            return self._find(need)
        except InputError as error:
            return PathFinding(error.message)

    def _find(self, need: PathNeed) -> PathFinding:
        match need.kind:
            case PathKind.TRAINING:
                outline = self._look.training(local(need.path, "path"), "path")
                return PathFinding(
                    images=outline.images,
                    own_validation=outline.own_validation,
                    own_test=outline.own_test,
                )
            case PathKind.IMAGES:
                return PathFinding(images=self._look.images(local(need.path, "path"), "path"))
            case PathKind.MODEL:
                folder = local(need.path, "path")
                model_file(folder, "path")
                return _described(folder)
            case PathKind.FILE:
                return _weights(local(need.path, "path"))
            case PathKind.FOLDER:
                there = local(need.path, "path").is_dir()
                return PathFinding("" if there else f"{need.path} is not a folder")
            case PathKind.PROGRAM:
                return PathFinding(_program(need))


def needs(work: Mapping[str, Any]) -> dict[str, PathNeed]:
    """What a work names by its path, by the name of the field: `work.dataset`."""
    found: dict[str, PathNeed] = {}
    for name, kind in (("dataset", PathKind.TRAINING), ("data", PathKind.IMAGES)):
        text = work.get(name)
        if isinstance(text, str) and text.startswith(_FOLDER):
            found[f"work.{name}"] = PathNeed(kind, text.removeprefix(_FOLDER))
    for index, item in enumerate(work.get("models") or ()):
        if isinstance(item, str):
            found[f"work.models.{index}"] = PathNeed(PathKind.MODEL, item)
    weights = work.get("weights")
    if isinstance(weights, str) and weights != IMAGENET:
        found["work.weights"] = PathNeed(PathKind.FILE, weights)
    elif isinstance(weights, list | tuple):
        for index, file in enumerate(weights):
            found[f"work.weights.{index}"] = PathNeed(PathKind.FILE, file)
    if argv := work.get("argv"):
        cwd = work.get("cwd")
        if cwd is not None:
            found["work.cwd"] = PathNeed(PathKind.FOLDER, cwd)
        search = (work.get("env") or {}).get("PATH", "")
        found["work.argv.0"] = PathNeed(PathKind.PROGRAM, argv[0], cwd or "", search)
    return found


def check_paths(work: Work, look: PathLook | None = None) -> None:
    """Raise `InputError` unless every folder, file and program it names is there.

    `look` looks for them; by default on this machine.
    """
    look = look or MachineLook()
    for field, need in needs(work.model_dump()).items():
        if problem := look.find(need).problem:
            raise InputError(problem, {field: problem})


def folder_of(name: str) -> Path:
    """The path in `folder:PATH`."""
    return Path(name.removeprefix(_FOLDER)).expanduser()


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


def _weights(path: Path) -> PathFinding:
    if not path.is_file() or not os.access(path, os.R_OK):
        return PathFinding(f"{path} is not a readable file")
    return _described(path.parent)


def _described(folder: Path) -> PathFinding:
    """What the model.json of a folder says."""
    path = folder / "model.json"
    try:
        if not path.is_file() or path.stat().st_size > _MAX_CARD_BYTES:
            return PathFinding()
        card = json.loads(path.read_text("utf-8"))
        return PathFinding(model=str(card["model"]), image_size=int(card["image_size"]))
    except (OSError, ValueError, KeyError, TypeError):
        return PathFinding()


def _program(need: PathNeed) -> str:
    """Why the program cannot be run here; empty: it can."""
    if os.sep in need.path:
        path = local(str(local(need.folder or ".", "path") / need.path), "path")
        found = path.is_file() and os.access(path, os.X_OK)
        where = str(path)
    else:
        search = need.search or os.environ.get("PATH", os.defpath)
        found = shutil.which(need.path, path=search) is not None
        where = "PATH"
    return "" if found else f"{need.path!r} is no executable program in {where}"
