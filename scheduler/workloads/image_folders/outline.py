"""A bounded look at folders of images, for requests that cannot wait for the whole.

What lies beyond the bounds is believed; the job that reads the folder finds out.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from scheduler.domain.errors import InputError
from scheduler.workloads.image_folders.folders import EXTENSIONS, visible_image
from scheduler.workloads.image_folders.layouts import Layout, arrange, refuse, require_folder

MAX_ENTRIES = 50_000
"""Names that one request may read, in all its folders together."""
MAX_SECONDS = 0.3
"""Time that it may take over them (s), counted from the first."""
SURE_ENTRIES = 500
"""Names that it reads however long that takes, for its checks and again for each count: a busy
machine judges small folders as an idle one does."""
_CHUNK = 256


@dataclass(frozen=True, slots=True)
class Outline:
    """What a training folder seems to hold."""

    images: int
    """To train on; beyond the bounds as many per class as in the classes that were seen."""
    own_validation: bool = False
    own_test: bool = False


class Look:
    """What one request sees of folders: it looks at each once, and at a limited number of names."""

    def __init__(
        self,
        max_entries: int = MAX_ENTRIES,
        max_seconds: float = MAX_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.entries = 0
        """Names read so far."""
        self._max_entries = max_entries
        self._clock = clock
        self._max_seconds = max_seconds
        self._deadline: float | None = None
        self._sure = SURE_ENTRIES
        self._known: dict[tuple[str, Path], Any] = {}

    def training(self, root: Path, field: str) -> Outline:
        """Of a training folder; raises `InputError` as `folders.labelled` for what it sees."""
        found: Outline = self._once("training", root, lambda: self._training(root, field))
        return found

    def images(self, root: Path, field: str) -> int:
        """How many lie below `root`; raises `InputError` as `folders.images` if there is none."""
        found: int = self._once("images", root, lambda: self._inference(root, field))
        return found

    def _once(self, what: str, root: Path, look: Callable[[], Any]) -> Any:
        if self._deadline is None:
            self._deadline = self._clock() + self._max_seconds
        if (what, root) not in self._known:
            try:
                self._known[what, root] = look()
            except InputError as error:
                self._known[what, root] = error
        found = self._known[what, root]
        if isinstance(found, InputError):
            raise found
        return found

    def _training(self, root: Path, field: str) -> Outline:
        require_folder(root, field)
        layout: Layout | None = None
        try:
            layout = arrange(root, field, lambda folder: self._subfolders(folder, field))
            for name in layout.classes:
                self._need_image(layout.base / name, field)
            own = [
                bool(part and any(self._below(part))) for part in (layout.validation, layout.test)
            ]
        except _EnoughError:
            if layout is None:
                return Outline(1)
            own = [layout.validation is not None, layout.test is not None]
        return Outline(max(1, self._total([layout.base / name for name in layout.classes])), *own)

    def _inference(self, root: Path, field: str) -> int:
        require_folder(root, field)
        count, folders = 0, []
        try:
            for images, below in self._chunks(root):
                count += images
                folders += below
            if not count:
                self._need_image(root, field)
        except _EnoughError:
            pass
        except OSError as error:
            refuse(f"{root} cannot be read: {error.strerror}", field)
        return max(1, count + self._total(folders))

    def _need_image(self, folder: Path, field: str) -> None:
        if not any(self._below(folder)):
            refuse(f"{folder} holds no image ({' '.join(EXTENSIONS)})", field)

    def _total(self, folders: Sequence[Path]) -> int:
        """Images in these folders; those beyond the bounds are taken for as full as the others."""
        counts: list[int] = []
        self._sure = self.entries + SURE_ENTRIES
        try:
            for folder in folders:
                counts.append(0)
                for images in self._below(folder):
                    counts[-1] += images
        except _EnoughError:
            counts = counts[:-1] or counts  # the last one was not read to its end
        return round(sum(counts) / len(counts) * len(folders)) if counts else 0

    def _subfolders(self, folder: Path, field: str) -> list[str]:
        try:
            return [path.name for _, below in self._chunks(folder) for path in below]
        except OSError as error:
            refuse(f"{folder} cannot be read: {error.strerror}", field)

    def _below(self, folder: Path) -> Iterator[int]:
        """How many images each chunk of names holds, in any order."""
        seen: set[tuple[int, int]] = set()
        left = [folder]
        while left:
            folder = left.pop()
            try:
                found = folder.stat()
                if (found.st_dev, found.st_ino) not in seen:
                    seen.add((found.st_dev, found.st_ino))
                    for images, below in self._chunks(folder):
                        left += below
                        yield images
            except OSError:
                continue

    def _chunks(self, folder: Path) -> Iterator[tuple[int, list[Path]]]:
        """(images, folders) in each chunk of the names in a folder; `_EnoughError` at a bound."""
        size = 1  # the first name often tells enough
        with os.scandir(folder) as entries:
            while chunk := list(islice(entries, min(size, self._left()))):
                self.entries += len(chunk)
                size = min(2 * size, _CHUNK)
                yield _sorted_out(chunk)

    def _left(self) -> int:
        """Names that may still be read; raises `_EnoughError` if that is none."""
        left = self._max_entries - self.entries
        assert self._deadline is not None
        if left <= 0 or (self.entries >= self._sure and self._clock() > self._deadline):
            raise _EnoughError
        return left


def _sorted_out(chunk: Sequence[os.DirEntry[str]]) -> tuple[int, list[Path]]:
    """How many of them are images, and the folders among them."""
    images, folders = 0, []
    for entry in chunk:
        try:
            if entry.name[0] == ".":
                continue
            if entry.is_dir():
                folders.append(Path(entry.path))
            else:
                images += visible_image(entry.name) and entry.is_file()
        except OSError:  # a link to itself, for example
            continue
    return images, folders


class _EnoughError(Exception):
    """A bound is reached."""
