"""From the history of jobs to messages, and from messages to those who get them."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from scheduler.clock import Clock
from scheduler.domain.events import Event
from scheduler.domain.jobs import Job
from scheduler.domain.notifications import BUDGET_SHARE, OCCASIONS, Occasion, without_path
from scheduler.domain.units import money
from scheduler.service.notifications.channels import Channels, DeliveryError
from scheduler.service.notifications.outbox import MessageOutbox, PendingMessage, without
from scheduler.store.base import Store

_log = logging.getLogger(__name__)

LOOK_S = 2.0
"""Seconds between two looks at the history."""
_PAGE = 1000
_MOST_AT_ONCE = 50
"""Messages that are tried in one look."""


@dataclass(slots=True)
class Notifier:
    """Makes messages of events and sends them; `look` is called by one thread."""

    store: Store
    channels: Channels
    clock: Clock
    spent: Callable[[], Mapping[int, float]]
    """Dollars of live jobs that have a budget, by number."""
    job: Callable[[int], Job]
    outbox: MessageOutbox = field(init=False)

    def __post_init__(self) -> None:
        self.outbox = MessageOutbox(self.store)

    def look(self) -> None:
        """Make messages of what has happened, and try those that are due."""
        self._read_history()
        self._look_at_budgets()
        self._deliver()

    def pending(self) -> tuple[PendingMessage, ...]:
        """The messages that have not arrived yet; any thread may ask."""
        return MessageOutbox(self.store).read(self.clock.now()).pending

    def _read_history(self) -> None:
        held = self.outbox.read(self.clock.now())
        while events := self.store.events(after=held.cursor, limit=_PAGE):
            made = [one for event in events for one in self._of_event(event, held.since)]
            held = replace(held, cursor=events[-1].seq, pending=(*held.pending, *made))
            self.outbox.write(held)

    def _of_event(self, event: Event, since: float) -> Iterator[PendingMessage]:
        occasion = OCCASIONS.get(event.name)
        if occasion is None or event.time < since:
            return
        job = self.store.job(event.job)
        lost = occasion is Occasion.LOST
        what = "has lost its attempt and queues again" if lost else occasion
        text = f"{_called(job)} {what}: {event.reason}"
        yield from self._messages(job, occasion, f"event-{event.seq}", event.time, text)

    def _look_at_budgets(self) -> None:
        now = self.clock.now()
        held = self.outbox.read(now)
        spent = self.spent()
        warned = {number for number in held.warned if number in spent}
        made: list[PendingMessage] = []
        for number, dollars in spent.items():
            job = self.job(number)
            budget = job.spec.budget or 0.0
            if number not in warned and dollars >= BUDGET_SHARE * budget:
                warned.add(number)
                text = f"{_called(job)} has spent {money(dollars)} of its {money(budget)}"
                made += self._messages(job, Occasion.BUDGET, f"budget-{number}", now, text)
        pending = (*held.pending, *made)
        self.outbox.write(replace(held, pending=pending, warned=tuple(sorted(warned))))

    def _messages(
        self, job: Job, occasion: Occasion, name: str, time: float, text: str
    ) -> Iterator[PendingMessage]:
        recipients = (
            *job.spec.notify.recipients(occasion),
            *self.channels.everybody.recipients(occasion),
        )
        for to in dict.fromkeys(recipients):
            mark = hashlib.sha256(to.encode()).hexdigest()[:12]
            message = {
                "id": f"{name}-{mark}",
                "event": f"job.{occasion}",
                "text": text,
                "time": datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds"),
                "job": _facts(job),
            }
            yield PendingMessage(to, message, self.clock.now())

    def _deliver(self) -> None:
        now = self.clock.now()
        held = self.outbox.read(now)
        unreachable: set[str] = set()
        for one in _due(held.pending, now):
            again = None
            if one.to in unreachable:
                again = one.failed(now)
            else:
                try:
                    self.channels.send(one.to, one.message)
                except DeliveryError as error:
                    unreachable.add(one.to)
                    again = one.failed(now)
                    what = "is tried again" if again else "is given up"
                    where = without_path(one.to)
                    _log.warning("message %s to %s %s: %s", one.message["id"], where, what, error)
            held = replace(held, pending=without(held.pending, one, again))
            self.outbox.write(held)


def _due(pending: Iterable[PendingMessage], now: float) -> list[PendingMessage]:
    return sorted((one for one in pending if one.due <= now), key=lambda one: one.due)[
        :_MOST_AT_ONCE
    ]


def _called(job: Job) -> str:
    return f"job {job.id} ({job.spec.name})" if job.spec.name else f"job {job.id}"


def _facts(job: Job) -> dict[str, Any]:
    spec = job.spec
    return {
        "id": job.id,
        "name": spec.name,
        "kind": str(spec.kind),
        "user": spec.user,
        "project": spec.project,
        "state": str(job.state),
        "reason": job.reason,
        "attempts": job.attempts,
    }
