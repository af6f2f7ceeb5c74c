"""What happened to the policies of a registry: one small file, whole or not at all."""

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
"""Part of the name of the list, so that no version takes another's events for its own."""


class Action(StrEnum):
    """What was done."""

    REGISTERED = "registered"
    PROMOTED = "promoted"
    REFUSED = "refused"
    """Its promotion was."""


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """Something that was done to one version of a policy."""

    at: str
    """ISO 8601, UTC."""
    deed: Action
    name: str
    digest: str
    """`shipped` for those of the package."""
    by: str
    """User of this machine."""
    command: str
    forced: bool = False
    """Promoted in spite of what the test said, or without one."""
    trial: dict[str, Any] | None = None
    """As of `agents.evaluation.promotion.PromotionTest`; None without a test."""

    @classmethod
    def now(
        cls,
        deed: Action,
        name: str,
        digest: str,
        command: str,
        forced: bool = False,
        trial: dict[str, Any] | None = None,
    ) -> Self:
        """By this user, at this moment."""
        at = datetime.now(UTC).isoformat(timespec="seconds")
        return cls(at, deed, name, digest, _user(), command, forced, trial)


class AuditLog:
    """Events in their order. Any number of processes may write."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / FILE

    def events(self) -> tuple[AuditEvent, ...]:
        """Oldest first. Raises `InputError` if the file is damaged."""
        try:
            content = json.loads(self._path.read_text(encoding="utf-8"))
            return tuple(
                AuditEvent(**{**event, "deed": Action(event["deed"])})
                for event in content[f"events-{FORMAT}"]
            )
        except FileNotFoundError:
            return ()
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise InputError(
                f"{self._path} is damaged: {error}",
                {"policies": "an undamaged file; without it nothing counts as promoted"},
            ) from error

    def write(
        self, event: AuditEvent, may: Callable[[Sequence[AuditEvent]], None] = lambda _: None
    ) -> None:
        """Append an event; readers see the file before or after it.

        `may` raises, and then nothing is written, if the events so far rule this one out.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self.locked():
            events = self.events()
            may(events)
            plain = [asdict(one) for one in (*events, event)]
            write_text(self._path, json.dumps({f"events-{FORMAT}": plain}, indent=1) + "\n")

    def locked(self) -> AbstractContextManager[int | None]:
        """Hold the folder's lock inside the block; waits for it."""
        return locked(self._folder / LOCK)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return str(os.getuid())
