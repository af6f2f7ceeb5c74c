"""Messages that have to be sent, in the store: none is lost when the service dies.

They are one stored setting, written together with the place in the history up to which messages
were made. So after a crash each event leads to its messages once. A message that arrived just
before a crash is sent a second time, with the same id.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from scheduler.store.base import Store

SETTING = "notifications"
FIRST_PAUSE_S, MOST_PAUSE_S = 5.0, 3600.0
"""Between two tries of a message; each pause is twice as long as the one before."""
GIVE_UP_S = 86_400.0
"""After so long a message is given up."""


@dataclass(frozen=True, slots=True)
class PendingMessage:
    """A message on its way to one address."""

    to: str
    message: dict[str, Any]
    since: float
    """Unix seconds."""
    tries: int = 0
    due: float = 0.0
    """Unix seconds of the next try."""

    @property
    def event(self) -> str:
        """What happened: `job.failed`."""
        return str(self.message["event"])

    @property
    def text(self) -> str:
        """The same as a sentence."""
        return str(self.message["text"])

    def failed(self, now: float) -> PendingMessage | None:
        """After a try that failed; None: it is given up."""
        if now - self.since >= GIVE_UP_S:
            return None
        pause = min(MOST_PAUSE_S, FIRST_PAUSE_S * 2**self.tries)
        return replace(self, tries=self.tries + 1, due=now + pause)


@dataclass(frozen=True, slots=True)
class StoredOutbox:
    """What is stored."""

    since: float
    """Unix seconds: what happened before is told to nobody."""
    cursor: int = 0
    """Number of the last event that was looked at."""
    pending: tuple[PendingMessage, ...] = ()
    warned: tuple[int, ...] = ()
    """Live jobs of whose budget people were told."""


@dataclass(slots=True)
class MessageOutbox:
    """Reads and writes what is stored; for one thread."""

    store: Store
    _held: StoredOutbox | None = field(default=None, init=False)

    def read(self, now: float) -> StoredOutbox:
        """What is stored; a new one that begins `now` (Unix seconds)."""
        if self._held is None:
            found = self.store.setting(SETTING)
            self._held = StoredOutbox(now) if found is None else _read(found)
        return self._held

    def write(self, outbox: StoredOutbox) -> None:
        """Store it, durably. What fails to be stored did not happen: it is read again."""
        if outbox == self._held:
            return
        self._held = None
        self.store.set_settings({SETTING: asdict(outbox)})
        self._held = outbox


def without(
    pending: Iterable[PendingMessage], done: PendingMessage, again: PendingMessage | None
) -> tuple[PendingMessage, ...]:
    """The messages with `again` in the place of `done`; None: without it."""
    kept = [one for one in pending if one != done]
    return tuple(kept if again is None else [*kept, again])


def _read(found: dict[str, Any]) -> StoredOutbox:
    pending = tuple(PendingMessage(**one) for one in found["pending"])
    return StoredOutbox(**{**found, "pending": pending, "warned": tuple(found["warned"])})
