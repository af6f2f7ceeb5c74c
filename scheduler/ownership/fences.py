"""Fences: of all attempts of a job only the newest changes the job's folder.

A node that does not answer may still run an attempt that was given up. So each attempt writes its
number into the job's folder before it starts. Supervisors read it every second and end an attempt
that is not the newest; work reads it before each change that stays. This needs no clock and no
connection, only the folder.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from scheduler.files import regular, write_text

OWNER = "owner.json"
"""In a job's folder: the newest attempt that was launched."""
_LONGEST = 1000


class SupersededError(Exception):
    """A newer attempt of the same job was launched."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Which attempt may change a job's folder."""

    attempt: str
    """`17.2`."""
    nonce: str
    """See `Attempt.nonce`."""

    @property
    def number(self) -> int:
        """Of the attempt within its job; 0 if its name holds none."""
        last = self.attempt.rpartition(".")[2]
        return int(last) if last.isdecimal() else 0

    @property
    def content(self) -> str:
        """Of `OWNER`."""
        return json.dumps({"attempt": self.attempt, "nonce": self.nonce})

    def require_newest(self, found: Owner | None) -> None:
        """Raise `SupersededError` if `found`, a folder's owner, is newer than this attempt.

        Of two attempts with one number the later is of a database that was restored.
        """
        if found is not None and found.number > self.number:
            raise _superseded(found)

    def require_owner(self, found: Owner | None) -> None:
        """Raise `SupersededError` if `found` took the folder over from this attempt."""
        if found not in (None, self) and found.number >= self.number:
            raise _superseded(found)


def owner(shared: Path) -> Owner | None:
    """The owner of the job's folder `shared`; None if nothing legible says so."""
    try:
        with regular(shared / OWNER) as file:
            return owner_of(file.read(_LONGEST))
    except OSError:
        return None


def owner_of(data: bytes) -> Owner | None:
    """The owner that the content of `OWNER` names; None if it is not legible."""
    try:
        values = json.loads(data)
        attempt, nonce = values["attempt"], values["nonce"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    legible = isinstance(attempt, str) and isinstance(nonce, str)
    return Owner(attempt, nonce) if legible else None


def take(shared: Path, attempt: str, nonce: str) -> None:
    """Make the attempt the owner of the job's folder `shared`, before anything of it starts.

    Raises `SupersededError` if a newer attempt is the owner, `OSError` if nothing can be written.
    """
    mine, found = Owner(attempt, nonce), owner(shared)
    mine.require_newest(found)
    if found != mine:
        _write(shared, mine)


def check(shared: Path, attempt: str, nonce: str) -> None:
    """Raises `SupersededError` if another attempt took the job's folder `shared` over.

    An older attempt that wrote at the same moment as this one may have won; it is overruled.
    """
    mine, found = Owner(attempt, nonce), owner(shared)
    mine.require_owner(found)
    if found not in (None, mine):
        _write(shared, mine)


def _superseded(found: Owner) -> SupersededError:
    return SupersededError(f"attempt {found.number} took over")


def _write(shared: Path, mine: Owner) -> None:
    write_text(shared / OWNER, mine.content, durable=False)
