"""The files of the web page, read once."""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

INDEX = "index.html"
_TYPES = {".js": "text/javascript", ".mjs": "text/javascript", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file of the page."""

    content: bytes
    media_type: str
    etag: str
    """Changes with the content."""


@cache
def assets() -> Mapping[str, Asset]:
    """All files by their path below the folder, such as `vendor/htm.mjs`."""
    return dict(_read(files(__package__) / "assets", ""))


def _read(folder: Traversable, prefix: str) -> Iterator[tuple[str, Asset]]:
    for entry in folder.iterdir():
        name = f"{prefix}{entry.name}"
        if entry.is_dir():
            yield from _read(entry, f"{name}/")
        else:
            content = entry.read_bytes()
            digest = hashlib.sha256(content).hexdigest()[:32]
            yield name, Asset(content, _media_type(name), f'"{digest}"')


def _media_type(name: str) -> str:
    suffix = name[name.rfind(".") :]
    guessed = _TYPES.get(suffix) or mimetypes.types_map.get(suffix, "text/plain")
    return f"{guessed}; charset=utf-8"
