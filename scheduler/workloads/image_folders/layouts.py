"""Where the classes and the parts of a training folder lie."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from scheduler.domain.errors import InputError
from scheduler.text import shown

_PARTS = {
    "train": re.compile("(train|training)_?(set|data)?"),
    "val": re.compile("(val|valid|validation)_?(set|data)?"),
    "test": re.compile("(test|testing)_?(set|data)?"),
}
LEGAL = (
    "legal: at least two folders named after their class, with images in them; or such folders "
    "in train/ (training/, training_set/), with or without val/ (valid/, validation/) and test/ "
    "(testing/, test_set/) beside it, in capitals or not"
)


@dataclass(frozen=True, slots=True)
class Layout:
    """The folders of a data set for training."""

    base: Path
    """Holds the class folders that are trained."""
    classes: tuple[str, ...]
    """Names of the class folders, sorted."""
    validation: Path | None = None
    test: Path | None = None
    others: tuple[str, ...] = ()
    """Names of the folders beside the parts; nothing in them is read."""


def arrange(root: Path, field: str, subfolders: Callable[[Path], Sequence[str]]) -> Layout:
    """Tell what the folders in `root` are; `subfolders` lists the visible ones of a folder.

    Raises `InputError` naming `field` if `root` is no folder, if two folders claim to be the
    same part, if there are other parts but nothing to train on, fewer than two classes, or a
    class that is validated or tested but not trained.
    """
    require_folder(root, field)
    names = sorted(subfolders(root))
    parts: dict[str, str] = {}
    for name in names:
        part = part_of(name)
        if part in parts:
            refuse(f"{root} holds {parts[part]}/ and {name}/: which is it? {LEGAL}", field)
        if part is not None:
            parts[part] = name
    if parts and "train" not in parts:
        alone = ", ".join(f"{name}/" for name in parts.values())
        refuse(f"{root} holds {alone} but no train/; {LEGAL}", field)
    base = root / parts["train"] if parts else root
    classes = tuple(sorted(subfolders(base)) if parts else names)
    if len(classes) < 2:
        refuse(f"{base} holds {_count(classes)}; {LEGAL}", field)
    held_out: dict[str, Path | None] = {"val": None, "test": None}
    for part in held_out.keys() & parts.keys():
        folder = held_out[part] = root / parts[part]
        strange = sorted(set(subfolders(folder)) - set(classes))
        if strange:
            refuse(f"{folder} has classes that {base.name}/ lacks: {', '.join(strange)}", field)
    others = tuple(name for name in names if name not in parts.values()) if parts else ()
    return Layout(base, classes, held_out["val"], held_out["test"], others)


def part_of(name: str) -> str | None:
    """`train`, `val` or `test` if a folder of that name is such a part, else None."""
    plain = re.sub(r"[ ._-]+", "_", name.casefold())
    return next((part for part, form in _PARTS.items() if form.fullmatch(plain)), None)


def require_folder(root: Path, field: str) -> None:
    """Raise `InputError` naming `field` unless `root` is a folder."""
    if not root.is_dir():
        refuse(f"{root} is not a folder on this machine", field)


def refuse(problem: str, field: str) -> NoReturn:
    """Raise `InputError` naming `field`."""
    raise InputError(shown(problem), {field: shown(problem)})


def _count(classes: Sequence[str]) -> str:
    return "no class folder" if not classes else f"only one class folder, {classes[0]}/"
