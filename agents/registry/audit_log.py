"""The audit log of a registry: registrations, promotions and refusals, in one small file."""

from __future__ import annotations

import getpass
import json
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from scheduler.domain.errors import InputError
from scheduler.files import write_text
from scheduler.locks import locked

FILE, LOCK = "ledger.json", ".lock"
FORMAT = 1
"""Part of the list's key, so that no version reads events of another format."""


class AuditAction(StrEnum):
    """What was done to a policy."""

    REGISTERED = "registered"
    PROMOTED = "promoted"
    REFUSED = "refused"
    """A promotion was refused."""


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One action on one version of a policy."""

    at: str
    """ISO 8601, UTC."""
    action: AuditAction
    name: str
    digest: str
    """`shipped` for a policy of the package."""
    by: str
    """User of this machine."""
    command: str
    forced: bool = False
    """Whether it was promoted without a test that it passed."""
    trial: dict[str, Any] | None = None
    """JSON of an `agents.evaluation.promotion.PromotionTest`; None without a test."""

    @classmethod
    def now(
        cls,
        action: AuditAction,
        name: str,
        digest: str,
        command: str,
        forced: bool = False,
        trial: dict[str, Any] | None = None,
    ) -> Self:
        """An event by this user, at this moment."""
        at = datetime.now(UTC).isoformat(timespec="seconds")
        return cls(at, action, name, digest, _user(), command, forced, trial)

    def plain(self) -> dict[str, Any]:
        """JSON of the event, as in the file; the action has the key `deed` there."""
        values = asdict(self)
        return {"at": values.pop("at"), "deed": values.pop("action"), **values}


class AuditLog:
    """Events, oldest first. Any number of processes may write."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / FILE

    def events(self) -> tuple[AuditEvent, ...]:
        """All events, oldest first. Raises `InputError` if the file is damaged."""
        try:
            content = json.loads(self._path.read_text(encoding="utf-8"))
            return tuple(
                AuditEvent(action=AuditAction(event.pop("deed")), **event)
                for event in content[f"events-{FORMAT}"]
            )
        except FileNotFoundError:
            return ()
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise InputError(
                f"{self._path} is damaged: {error}",
                {"policies": "an undamaged file; without the file, no policy counts as promoted"},
            ) from error

    def write(
        self, event: AuditEvent, may: Callable[[Sequence[AuditEvent]], None] = lambda _: None
    ) -> None:
        """Append an event; readers see the file without it or with it.

        `may` is called with the events so far; if it raises, nothing is written.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self.locked():
            events = self.events()
            may(events)
            plain = [one.plain() for one in (*events, event)]
            write_text(self._path, json.dumps({f"events-{FORMAT}": plain}, indent=1) + "\n")

    def locked(self) -> AbstractContextManager[int | None]:
        """Hold the folder's lock inside the block; waits for it."""
        return locked(self._folder / LOCK)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return str(os.getuid())
