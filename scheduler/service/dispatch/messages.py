"""The messages that the dispatcher handles, and its inbox."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from scheduler.domain.errors import OutageError
from scheduler.domain.jobs import Job, JobSpec
from scheduler.executors.base import ExecutorEvent, NodesChanged

ANSWER_S = 30.0
"""Seconds that a caller waits for a change to become durable."""


class NodeChange(StrEnum):
    """What people do with nodes."""

    DRAIN = "drain"
    """No job starts on it any more."""
    RESUME = "resume"
    """Jobs start on it again."""
    RETIRE = "retire"
    """It is gone for good, and forgotten."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """Jobs were stored."""

    jobs: Sequence[Job]


@dataclass(frozen=True, slots=True)
class Cancel:
    """Somebody wants a job stopped."""

    job: int
    actor: str
    reason: str
    answer: Future[None] = field(default_factory=Future)
    """Set when the request is durable, or refused."""


@dataclass(frozen=True, slots=True)
class Update:
    """Somebody wants a waiting job to be more or less important, urgent or fast."""

    job: int
    changes: Mapping[str, Any]
    """New values of `domain.jobs.CHANGEABLE` fields."""
    actor: str
    answer: Future[None] = field(default_factory=Future)
    """Set when the change is durable, or refused."""


@dataclass(frozen=True, slots=True)
class Reestimate:
    """Estimates, preferences or the policy changed: look again at the chosen queued jobs."""

    chosen: Callable[[JobSpec], bool]


@dataclass(frozen=True, slots=True)
class Preempt:
    """Somebody wants a running job to save its work, free its devices and queue again."""

    job: int
    actor: str
    reason: str
    answer: Future[None] = field(default_factory=Future)
    """Set when the request is durable, or refused."""


@dataclass(frozen=True, slots=True)
class ChangeNode:
    """Somebody wants a node drained, used again, or forgotten."""

    node: str
    change: NodeChange
    actor: str
    reason: str = ""
    answer: Future[None] = field(default_factory=Future)
    """Set when the change is durable, or refused."""


Request = Cancel | Update | Preempt
"""Messages whose sender waits for the answer."""
Message = Admitted | Request | Reestimate | ChangeNode | ExecutorEvent


class Inbox:
    """Messages in the order in which they arrive, for one reader. Thread-safe."""

    def __init__(self) -> None:
        self._messages: list[Message] = []
        self._arrived = threading.Condition()
        self._closed = threading.Event()

    def __len__(self) -> int:
        return len(self._messages)

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed.is_set()

    def post(self, *messages: Message) -> None:
        """Add messages; returns at once. A closed inbox refuses requests."""
        with self._arrived:
            if self.closed:
                refuse(messages)
                messages = tuple(
                    one for one in messages if not isinstance(one, Request | ChangeNode)
                )
            self._messages += messages
            self._arrived.notify()

    def take(self) -> list[Message]:
        """Remove and return all messages."""
        with self._arrived:
            messages, self._messages = self._messages, []
        return messages

    def wait(self, timeout: float | None) -> None:
        """Return when there is a message, the inbox is closed, or `timeout` seconds are over."""
        with self._arrived:
            self._arrived.wait_for(lambda: self._messages or self.closed, timeout)

    def wait_closed(self, timeout: float) -> None:
        """Return when the inbox is closed, or `timeout` seconds are over."""
        self._closed.wait(timeout)

    def close(self) -> None:
        """Refuse requests from now on, and wake the reader."""
        with self._arrived:
            self._closed.set()
            self._arrived.notify()


def refuse(messages: Sequence[Message]) -> None:
    """Answer the requests among the messages with `OutageError`."""
    for message in messages:
        if isinstance(message, Request | ChangeNode):
            error = OutageError("the service is stopping; ask again later")
            message.answer.set_exception(error)


def confirm(answer: Future[None], what: str) -> None:
    """Wait until a request is durable; `what` names it in the error. Raises its refusal.

    `OutageError` if it is not confirmed after `ANSWER_S` seconds; it may take effect later.
    """
    try:
        answer.result(ANSWER_S)
    except TimeoutError:
        raise OutageError(f"{what} is not confirmed yet; ask for its state later") from None


def subject(message: Message) -> int | None:
    """The number of the one job that a message changes; None: none, or several."""
    match message:
        case Cancel() | Update() | Preempt():
            return message.job
        case Admitted() | Reestimate() | NodesChanged() | ChangeNode():
            return None
        case _:
            return int(message.attempt.partition(".")[0])
