"""Marks that show, after a crash, which policy was being asked.

`os._exit` or a fault in native code ends the process: no guard sees it, and the next start would
decide with the same policy. So a file names the policy that is being asked. The file is mapped into
memory: a mark costs no system call, and the kernel keeps it when the process dies.
"""

from __future__ import annotations

import logging
import mmap
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from scheduler.arrays import Floats
from scheduler.decisions.rounds.candidates import Candidates
from scheduler.decisions.rounds.policy import Policy, Reasons, traits
from scheduler.domain.errors import InputError
from scheduler.files import write_text
from scheduler.policies.wrapped import Wrapped

_log = logging.getLogger(__name__)

MOST = 3
"""A policy is refused after the process has died in it so many times in a row."""
LONG_S = 600.0
"""A service that has run for so many seconds does not count earlier deaths."""
_SIZE = 1024
_INSIDE, _COUNT, _NAME = 0, 1, 2


class CrashMarks:
    """Marks calls of policies that are not Fulcrum's own rules. Thread-safe.

    `builtin` tells which names need no mark, `named` makes a policy of its name.
    """

    def __init__(
        self, path: Path, named: Callable[[str], Policy], builtin: Callable[[str], bool]
    ) -> None:
        self._path = path
        self._named = named
        self._builtin = builtin
        self._lock = threading.Lock()
        self._map: mmap.mmap | None = None
        self._depth = 0
        self._closed = False
        self._begun = time.monotonic()
        self._marked = ""
        self._last, self._count = self._read()
        self._list = path.with_suffix(".refused")
        self._refused = self._listed()
        if self._count >= MOST and self._last not in self._refused:
            self._keep((*self._refused, self._last))

    @property
    def refused(self) -> tuple[str, ...]:
        """The policies that are not asked, until a person chooses them again."""
        return self._refused

    def policy(self, name: str) -> Policy:
        """The policy of that name, with every call marked.

        Raises `InputError` for a refused one, and what `named` raises.
        """
        if self._builtin(name):
            return self._named(name)
        if name in self._refused:
            raise InputError(refusal(name), {"policy": "another, or this one chosen again"})
        with self.inside(name):
            return Marked(self._named(name), name, self)

    def readmit(self, name: str) -> None:
        """A person has chosen the policy: it may be asked again."""
        with self._lock:
            if name in self._refused:
                self._count = 0
                self._keep(tuple(other for other in self._refused if other != name))

    @contextmanager
    def inside(self, name: str) -> Iterator[None]:
        """In this context a death of the process is the policy's."""
        self._enter(name)
        try:
            yield
        finally:
            with self._lock:
                self._depth -= 1
                if self._map is not None and not self._depth:
                    self._map[_INSIDE] = 0

    def close(self) -> None:
        """The service ends normally: no later death counts."""
        with self._lock:
            self._closed = True
            if self._map is not None:
                self._map[_INSIDE] = 0
                self._map.close()
                self._map = None

    def _enter(self, name: str) -> None:
        with self._lock:
            self._depth += 1
            if self._closed:
                return
            if self._map is None:
                self._map = self._mapped()
            if self._map is None:
                return
            if name != self._marked or self._depth == 1:
                self._marked = name
                text = name.encode()[: _SIZE - _NAME].ljust(_SIZE - _NAME, b"\0")
                self._map[_NAME:_SIZE] = text
            again = name == self._last and time.monotonic() - self._begun < LONG_S
            self._map[_COUNT] = self._count if again else 0
            self._map[_INSIDE] = 1

    def _mapped(self) -> mmap.mmap | None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("w+b") as file:
                file.write(bytes(_SIZE))  # real blocks: a hole could not be filled on a full disk
                file.flush()
                return mmap.mmap(file.fileno(), _SIZE)
        except OSError as error:
            _log.warning("%s cannot be written: %s", self._path, error)
            return None

    def _read(self) -> tuple[str, int]:
        """The policy that was asked last, and how often in a row the process died in it."""
        try:
            with self._path.open("rb") as file:
                found = file.read(_SIZE)
        except OSError:
            return "", 0
        if len(found) < _SIZE or not found[_INSIDE]:
            return "", 0
        return found[_NAME:].rstrip(b"\0").decode("utf-8", "replace"), found[_COUNT] + 1

    def _listed(self) -> tuple[str, ...]:
        try:
            return tuple(self._list.read_text(encoding="utf-8").splitlines())
        except (OSError, UnicodeDecodeError):
            return ()

    def _keep(self, refused: tuple[str, ...]) -> None:
        self._refused = refused
        try:
            write_text(self._list, "".join(f"{name}\n" for name in refused))
        except OSError as error:
            _log.warning("%s cannot be written: %s", self._list, error)


def refusal(name: str) -> str:
    """Why a policy is refused."""
    return f"policy {name} has ended the service {MOST} times in a row while it decided"


@dataclass(frozen=True, slots=True)
class Marked(Wrapped):
    """A policy whose calls are marked."""

    policy: Policy
    asked: str
    """The name by which a person chose it."""
    crashes: CrashMarks

    def scores(self, table: Candidates) -> Floats:
        """(n,) The policy's scores."""
        with self.crashes.inside(self.asked):
            return self.policy.scores(table)

    def costs(self, table: Candidates) -> Floats:
        """(n,) The policy's costs."""
        with self.crashes.inside(self.asked):
            return self.policy.costs(table)

    @property
    def reasons(self) -> Reasons | None:
        """The policy's reasons; None if it gives none."""
        tell = traits(self.policy).reasons
        if tell is None:
            return None

        def marked(table: Candidates, chosen: int, rival: int) -> Mapping[str, float]:
            with self.crashes.inside(self.asked):
                return tell(table, chosen, rival)

        return marked
