"""Folders of images, read whole: each folder and each file counts once, whatever links to it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from scheduler.text import shown
from scheduler.workloads.image_folders.layouts import arrange, refuse, require_folder

EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp", ".gif")
"""Names of files that count as images, in capitals or not."""

_TOLD_EVERY = 50_000
_LEFT_NAMED = 3

Labelled = tuple[Path, int]
"""An image and the index of its class."""
Skipped = tuple[str, str]
"""The name of what is left out, relative to the folder that was read, and why."""


@dataclass(frozen=True, slots=True)
class Folder:
    """What lies in a folder of images, in sorted order."""

    classes: tuple[str, ...]
    train: tuple[Labelled, ...]
    validation: tuple[Labelled, ...] = ()
    """Empty: there is no val/."""
    test: tuple[Labelled, ...] = ()
    """Empty: there is no test/."""
    skipped: tuple[Skipped, ...] = ()


def labelled(root: Path, field: str) -> Folder:
    """Read a training folder in one of the legal layouts.

    An image that links put into two parts stays in the test, else in the validation.
    Raises `InputError` naming `field` for another layout or a class without an image.
    """
    scan = Scan(root, field)
    layout = arrange(root, field, scan.subfolders)
    scan.skipped += [(shown(name), "neither train/, val/ nor test/") for name in layout.others]
    parts = [part for part in (layout.test, layout.validation, layout.base) if part is not None]
    places = [
        (part, index, part / name)
        for part in parts
        for index, name in enumerate(layout.classes)
        if (part / name).is_dir()
    ]
    kept = scan.claim([root, *parts, *(folder for _, _, folder in places)])
    found: dict[Path, list[Labelled]] = {part: [] for part in parts}
    for part, index, folder in places:
        if folder in kept:
            found[part] += [(path, index) for path in scan.images(folder)]
    trained = {index for _, index in found[layout.base]}
    for index, name in enumerate(layout.classes):
        if index not in trained:
            refuse(scan.nothing_in(layout.base / name), field)
    return Folder(
        tuple(map(shown, layout.classes)),
        tuple(found[layout.base]),
        tuple(found[layout.validation]) if layout.validation else (),
        tuple(found[layout.test]) if layout.test else (),
        tuple(scan.skipped),
    )


def images(root: Path, field: str) -> tuple[tuple[Path, ...], tuple[Skipped, ...]]:
    """Every image below `root` in sorted order, and what is left out.

    Raises `InputError` naming `field` if the folder is missing or holds no image.
    """
    scan = Scan(root, field)
    scan.claim([root])
    found = tuple(scan.images(root))
    if not found:
        refuse(scan.nothing_in(root), field)
    return found, tuple(scan.skipped)


def name_below(path: Path, root: Path) -> str:
    """The name of a file relative to `root`, as it can be stored and shown."""
    return shown(str(path.relative_to(root)))


def tell(skipped: Sequence[Skipped]) -> None:
    """A line in the log for each."""
    for name, reason in skipped:
        print(f"skipped {name}: {reason}", flush=True)


def visible_image(name: str) -> bool:
    """Whether a file of that name counts as an image."""
    return name.lower().endswith(EXTENSIONS) and not name.startswith(".")


class Scan:
    """One reading of all below a folder; remembers what it has seen by device and inode."""

    def __init__(self, root: Path, field: str) -> None:
        """Raises `InputError` naming `field` if `root` is no folder."""
        require_folder(root, field)
        self.skipped: list[Skipped] = []
        self._root = root
        self._field = field
        self._count = 0
        self._seen: dict[tuple[int, int], str] = {}
        for above in root.resolve().parents:
            self._first(str(above), above.stat())

    def subfolders(self, folder: Path) -> list[str]:
        """Names of the visible folders in it; raises `InputError` if it cannot be read."""
        try:
            with os.scandir(folder) as entries:
                return [entry.name for entry in entries if entry.name[0] != "." and _is_dir(entry)]
        except OSError as error:
            refuse(f"{folder} cannot be read: {error.strerror}", self._field)

    def claim(self, folders: list[Path]) -> set[Path]:
        """Those that nothing claimed before; links elsewhere do not lead into them."""
        once = dict.fromkeys(folders)
        return {folder for folder in once if self._first(str(folder), folder.stat())}

    def images(self, folder: Path) -> Iterator[Path]:
        """Every image below a folder that is claimed, sorted; hidden ones are left out."""
        below = [folder]
        while below:
            folder = below.pop()
            folders, files = self._entries(folder)
            for entry in files:
                if self._image(entry):
                    self._count += 1
                    if not self._count % _TOLD_EVERY:
                        print(f"{shown(str(self._root))}: {self._count:,} images found", flush=True)
                    yield Path(entry.path)
            for entry in reversed(folders):
                if self._first(entry.path, entry.stat()):
                    below.append(Path(entry.path))

    def nothing_in(self, folder: Path) -> str:
        """A sentence that says so, with some of what was left out there."""
        name = name_below(folder, self._root)
        left = [
            f"{which} is left out: {why}"
            for which, why in self.skipped
            if name in (".", which) or which.startswith(f"{name}/")
        ]
        sentence = f"{shown(str(folder))} holds no image ({' '.join(EXTENSIONS)})"
        return "; ".join([sentence, *left[:_LEFT_NAMED]])

    def _entries(self, folder: Path) -> tuple[list[os.DirEntry[str]], list[os.DirEntry[str]]]:
        """The visible folders in it, and what is named like an image."""
        try:
            with os.scandir(folder) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            self._skip(folder, f"cannot be read: {error.strerror}")
            return [], []
        folders = [entry for entry in found if entry.name[0] != "." and _is_dir(entry)]
        taken = {entry.name for entry in folders}
        files = [e for e in found if visible_image(e.name) and e.name not in taken]
        return folders, files

    def _image(self, entry: os.DirEntry[str]) -> bool:
        try:
            if entry.is_file():
                return self._first(entry.path, entry.stat())
            reason = "a link to nothing" if entry.is_symlink() else "no regular file"
        except OSError as error:
            reason = f"cannot be read: {error.strerror}"
        self._skip(Path(entry.path), reason)
        return False

    def _first(self, path: str, found: os.stat_result) -> bool:
        before = self._seen.setdefault((found.st_dev, found.st_ino), path)
        if before is path:
            return True
        known = Path(before)
        known = known.relative_to(self._root) if known.is_relative_to(self._root) else known
        self._skip(Path(path), f"the same as {known}")
        return False

    def _skip(self, path: Path, reason: str) -> None:
        self.skipped.append((name_below(path, self._root), shown(reason)))


def _is_dir(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself, for example
        return False
