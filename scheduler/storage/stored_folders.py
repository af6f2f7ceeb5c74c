"""Folders that change as a whole: checkpoints and artifacts.

Each attempt of a job that writes has a folder of its own in the storage, so an attempt that was
given up changes nothing of a newer one. In it an index, written last, names the files and the
objects with their content. A reader takes the index of the newest attempt that has one: it gets
all files as they were at one moment.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scheduler.files import write_text
from scheduler.storage.objects import ObjectStorage

INDEX = "index.json"
STUB = ".stored.json"
"""In a folder of the service: the index of what lies in the storage in its place."""
_TRIES = 5
_DATA = "data"


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One file of a stored folder."""

    object: str
    """Where its content lies, below the folder in the storage."""
    size: int
    mtime_ns: int

    @property
    def figures(self) -> tuple[int, int]:
        """What tells one content from another."""
        return self.size, self.mtime_ns


class FolderWriter:
    """Keeps what an attempt has in a local folder in the storage. One thread uses it.

    `name` is the folder's in the storage, `number` the attempt's; `spare` is an empty place on the
    same disk as the folder.
    """

    def __init__(
        self, storage: ObjectStorage, name: str, number: int, folder: Path, spare: Path
    ) -> None:
        self._storage = storage
        self._name, self._number = name, number
        self._folder = folder
        self._spare = spare
        self._files: Mapping[str, StoredFile] | None = None
        """As the storage has them; None: not asked yet."""
        self._next = 0
        self._bare = True
        """Whether no attempt has stored anything."""
        self._inherited: Mapping[str, tuple[int, int]] = {}

    def fetched(self) -> None:
        """What the folder holds now is stored already, by an earlier attempt."""
        self._inherited = listed(self._folder)

    def save(self, check: Callable[[], None]) -> bool:
        """Bring the storage up to date, if the folder is at rest; returns whether it was.

        `check` is called before anything becomes visible, and may raise. Raises `OSError`.
        """
        if self._files is None:
            own = _read_index(self._storage, self._own)
            self._files = own or {}
            self._bare = not own and not newest(self._storage, self._name)[1]
            numbers = [each.object.rpartition("/")[2] for each in self._files.values()]
            self._next = 1 + max(map(int, numbers), default=-1)
        found = self._linked()
        if found is None:
            return False
        try:
            before = {name: each.figures for name, each in self._files.items()}
            if found == before and (found or self._bare):
                return True
            if not self._files and found == self._inherited:
                return True
            return self._put(found, check)
        finally:
            shutil.rmtree(self._spare, ignore_errors=True)

    @property
    def _own(self) -> str:
        return f"{self._name}/{self._number}"

    def _put(self, found: Mapping[str, tuple[int, int]], check: Callable[[], None]) -> bool:
        assert self._files is not None
        files: dict[str, StoredFile] = {}
        for name, figures in found.items():
            known = self._files.get(name)
            if known is not None and known.figures == figures:
                files[name] = known
                continue
            files[name] = StoredFile(f"{_DATA}/{self._next:06d}", *figures)
            self._next += 1
            self._storage.put_file(f"{self._own}/{files[name].object}", self._spare / name)
            if _figures((self._spare / name).stat()) != figures:
                return False  # it was written while it was read
        check()
        self._storage.put(f"{self._own}/{INDEX}", json.dumps(_to_json(files)).encode())
        self._files, self._bare = files, True
        self._tidy({each.object for each in files.values()})
        return True

    def _tidy(self, used: set[str]) -> None:
        """Remove what this index has replaced: of this attempt, and of earlier ones."""
        for name in self._storage.sizes(self._name):
            number, _, rest = name.partition("/")
            earlier = number.isdecimal() and int(number) < self._number
            own = number == str(self._number) and rest != INDEX
            if earlier or (own and rest not in used):
                self._storage.remove(f"{self._name}/{name}")

    def _linked(self) -> Mapping[str, tuple[int, int]] | None:
        """Names and figures of the files, which `spare` then holds; None: they change too fast."""
        for _ in range(_TRIES):
            shutil.rmtree(self._spare, ignore_errors=True)
            found = listed(self._folder)
            try:
                for name in found:
                    target = self._spare / name
                    target.parent.mkdir(parents=True, exist_ok=True)
                    os.link(self._folder / name, target, follow_symlinks=False)
            except FileNotFoundError:
                continue
            if listed(self._folder) == found:
                return found
        return None


def listed(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of each regular file below a folder, by name; drafts are left out."""
    found: dict[str, tuple[int, int]] = {}
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            if name.startswith(".") and name.endswith(".tmp"):
                continue
            path = Path(parent, name)
            try:
                status = path.lstat()
            except FileNotFoundError:
                continue
            if stat.S_ISREG(status.st_mode):
                found[path.relative_to(folder).as_posix()] = _figures(status)
    return found


def newest(storage: ObjectStorage, name: str) -> tuple[str, Mapping[str, StoredFile]]:
    """The newest attempt's folder below `name`, and its files; none: nothing was stored."""
    numbers = {
        int(found.partition("/")[0])
        for found in storage.sizes(name)
        if found.endswith(f"/{INDEX}") and found.partition("/")[0].isdecimal()
    }
    for number in sorted(numbers, reverse=True):
        files = _read_index(storage, f"{name}/{number}")
        if files is not None:
            return f"{name}/{number}", files
    return name, {}


def fetch(storage: ObjectStorage, name: str, folder: Path) -> bool:
    """Write what is stored under `name` into a folder; whether it is anything.

    Raises `OSError`; `FileNotFoundError` if it was replaced meanwhile: try again.
    """
    own, files = newest(storage, name)
    for file, stored in files.items():
        fetch_file(storage, own, file, stored, folder)
    return bool(files)


def fetch_file(
    storage: ObjectStorage, own: str, name: str, stored: StoredFile, folder: Path
) -> Path:
    """Write one file of the stored folder `own` into a folder, unless it is there already."""
    target = folder / name
    if target.is_file() and _figures(target.stat()) == stored.figures:
        return target
    storage.get_file(f"{own}/{stored.object}", target)
    os.utime(target, ns=(stored.mtime_ns, stored.mtime_ns))
    return target


def drop(storage: ObjectStorage, name: str, unwanted: Callable[[str], bool], stub: Path) -> None:
    """Remove the stored files with such names, and say so in the service's folder `stub`.

    Raises `OSError`.
    """
    own, files = newest(storage, name)
    left = {file: each for file, each in files.items() if not unwanted(file)}
    if left == files:
        return
    storage.put(f"{own}/{INDEX}", json.dumps(_to_json(left)).encode())
    for file in files.keys() - left.keys():
        storage.remove(f"{own}/{files[file].object}")
    write_stub(stub, own, left)


def write_stub(folder: Path, own: str, files: Mapping[str, StoredFile]) -> None:
    """Let a folder of the service say what is stored in its place. Raises `OSError`."""
    text = json.dumps({"folder": own, **_to_json(files)})
    path = folder / STUB
    if path.is_file() and path.read_text("utf-8") == text:
        return
    write_text(path, text, durable=False)
    latest = max((each.mtime_ns for each in files.values()), default=0)
    os.utime(path, ns=(latest, latest))


def read_stub(folder: Path) -> tuple[str, Mapping[str, StoredFile]]:
    """What is stored in place of a folder of the service; nothing, if it has no stub."""
    try:
        values = json.loads((folder / STUB).read_text("utf-8"))
        return str(values["folder"]), _of_json(values)
    except (OSError, ValueError, KeyError, TypeError):
        return "", {}


def holds(folder: Path, name: str) -> bool:
    """Whether a folder of the service has that file, here or in the storage."""
    return (folder / name).is_file() or name in read_stub(folder)[1]


def _figures(status: os.stat_result) -> tuple[int, int]:
    return status.st_size, status.st_mtime_ns


def _read_index(storage: ObjectStorage, own: str) -> Mapping[str, StoredFile] | None:
    data = storage.get(f"{own}/{INDEX}")
    return None if data is None else _of_json(json.loads(data))


def _to_json(files: Mapping[str, StoredFile]) -> dict[str, Any]:
    return {
        "files": {
            name: {"object": each.object, "size": each.size, "mtime_ns": each.mtime_ns}
            for name, each in files.items()
        }
    }


def _of_json(values: Mapping[str, Any]) -> dict[str, StoredFile]:
    return {
        name: StoredFile(each["object"], each["size"], each["mtime_ns"])
        for name, each in values["files"].items()
        if not any(part in ("", ".", "..") for part in name.split("/"))
    }
