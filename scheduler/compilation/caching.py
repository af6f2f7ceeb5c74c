"""Keeps compiled functions on disk, and finds them again: also in folders that are read-only."""

from __future__ import annotations

import functools
import glob
import hashlib
import logging
import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType
from typing import Any

import llvmlite.binding as llvm
from numba.core.caching import CompileResultCacheImpl, FunctionCache, NullCache, _CacheLocator
from numba.core.registry import cpu_target

from scheduler.compilation.digests import digest_of, variant
from scheduler.compilation.signatures import signature_of

_log = logging.getLogger(__name__)
_FILE = re.compile(
    r"(?P<stem>.+)-(?P<digest>(?P<variant>[a-z]*?)[0-9a-f]{16})"
    rf"\.py{sys.version_info[0]}{sys.version_info[1]}(\.\d+\.nbc|\.nbi)"
)
"""Names of files on disk: of an index, or of code for one CPU."""


class DiskCache(NullCache):
    """Compiled forms of one function: read from any folder, written to the first that allows it.

    The first folder is `__pycache__` beside the function's file, or the one that NUMBA_CACHE_DIR
    names; another one belongs to the user.
    The name of a file holds the digest of all that the function is made of. Numba adds its own
    version, the argument types, and name and features of the CPU.
    """

    def __init__(self, function: FunctionType) -> None:
        digest = digest_of(function)
        self._folders = [_folder(function, path, digest) for path in folders(function)]

    @property
    def cache_path(self) -> str:
        """The folder that is tried first."""
        return str(self._folders[0].cache_path)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The compiled function for these argument types, or None."""
        for folder in self._folders:
            try:
                found = folder.load_overload(sig, target_context)
            except Exception:
                # A file that cannot be read, or is damaged, is as good as none.
                _log.debug("%s cannot be read", folder.cache_path, exc_info=True)
                continue
            if found is not None:
                _slim(found.library)
                return found
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep the compiled function; warn once if no folder is writable."""
        for folder in self._folders:
            try:
                folder.save_overload(sig, data)
            except OSError:
                continue
            return
        _warn_unwritable()


def _slim(library: Any) -> None:
    """Free what of a loaded function only its callers' compilation needs: half of its memory.

    The bitcode stays as bytes and is read again if a caller is compiled after all.
    """
    bitcode = library._shared_module.as_bitcode()
    library._shared_module = library._compiled_object = None
    library._get_module_for_linking = functools.partial(llvm.parse_bitcode, bitcode)


def folders(function: FunctionType) -> list[Path]:
    """Where compiled forms of the function may lie, the preferred folder first."""
    source = Path(function.__code__.co_filename).resolve().parent
    install = hashlib.sha256(str(source).encode()).hexdigest()[:12]
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    if chosen:
        return [Path(chosen) / install, source / "__pycache__"]
    return [source / "__pycache__", *(user / install for user in _user_folder())]


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """What lies on disk of one function."""

    path: Path | None
    """The folder with its compiled form for this CPU and this version of Numba, if there is one."""
    older: bool
    """Whether there are other forms of it: from other code, another CPU or another Numba."""
    preferred: Path
    """The folder where it is written if that is possible."""


def find(function: FunctionType) -> CacheEntry:
    """Look for the function's compiled form with its declared types, without loading it."""
    codegen = cpu_target.target_context.codegen()
    digest = digest_of(function)
    places = folders(function)
    holding = None
    for place in reversed(places):
        folder = _folder(function, place, digest)
        key = folder._index_key(signature_of(function), codegen)
        with suppress(OSError):
            name = folder._cache_file._load_index().get(key)
            holding = place if name and (place / name).is_file() else holding
    pattern = f"{glob.escape(_stem(function))}-*.nbi"
    older = any(any(place.glob(pattern)) for place in places)
    return CacheEntry(holding, older, places[0])


def delete_stale(functions: Iterable[FunctionType]) -> int:
    """Delete what none of these functions reads: of their earlier versions, and of removed ones.

    Another process may write at the same time: its files are new. Code for other CPUs and other
    versions of Python stays. Returns the number of files.
    """
    kept: dict[Path, dict[str, str]] = {}
    sources: dict[Path, Path] = {}
    for function in functions:
        source = Path(function.__code__.co_filename)
        for place in folders(function):
            kept.setdefault(place, {})[_stem(function)] = digest_of(function)
            sources[place] = source.parent
    deleted = 0
    for place, digests in kept.items():
        modules = {stem.partition(".")[0] for stem in digests}
        # The index goes before what it names.
        for file in sorted(place.glob("*.nb[ci]"), key=lambda file: file.suffix, reverse=True):
            found = _FILE.fullmatch(file.name)
            if found is None or found["variant"] != variant():
                continue
            digest, module = digests.get(found["stem"]), found["stem"].partition(".")[0]
            gone = module in modules or not (sources[place] / f"{module}.py").exists()
            if (digest is None and not gone) or digest == found["digest"]:
                continue
            with suppress(OSError):  # a folder that is read-only, or deleted by another process
                file.unlink()
                deleted += 1
    return deleted


def _stem(function: FunctionType) -> str:
    """How names of the function's files begin."""
    name = f"{Path(function.__code__.co_filename).stem}.{function.__qualname__}"
    return name.replace("<", "").replace(">", "")


class _Locator(_CacheLocator):
    def __init__(self, path: Path, digest: str) -> None:
        self._path = path
        self._digest = digest

    def from_function(self, py_func: object, py_file: str) -> _Locator:
        return self

    def get_cache_path(self) -> str:
        return str(self._path)

    def get_source_stamp(self) -> str:
        return self._digest

    def get_disambiguator(self) -> str:
        return self._digest


def _folder(function: FunctionType, path: Path, digest: str) -> Any:
    locators = (_Locator(path, digest),)
    implementation = type("Impl", (CompileResultCacheImpl,), {"_locator_classes": locators})
    return type("Folder", (FunctionCache,), {"_impl_class": implementation})(function)


def _user_folder() -> Iterator[Path]:
    try:
        yield Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fulcrum"
    except RuntimeError:  # this user has no home
        return


@functools.cache
def _warn_unwritable() -> None:
    _log.warning(
        "The compiled scheduler cannot be kept on disk, so it is compiled at every start. "
        "Set NUMBA_CACHE_DIR to a folder that this user can write."
    )
