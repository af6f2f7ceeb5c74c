"""The port of a store that several services share: one leads, the others follow.

The leader alone decides and launches. A follower reads, submits, and passes other changes on as
requests, which the leader answers. Each leader has an epoch, higher than that of every leader
before it. A leader whose epoch is no longer the highest writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from scheduler.domain.errors import FulcrumError
from scheduler.store.base import Store

RequestName = Literal["cancel", "preempt", "update"]


@dataclass(frozen=True, slots=True)
class Leader:
    """The service that leads."""

    holder: str
    """Machine and process, for a person."""
    address: str
    """Its URL; empty until it listens."""
    epoch: int
    """1 for the first leader of a database; one more for each that follows."""
    left_s: float
    """Seconds until its lease ends unless it is renewed; below 0: it has ended."""


@dataclass(frozen=True, slots=True)
class ChangeRequest:
    """A change of a job that a follower passes on to the leader."""

    name: RequestName
    job: int
    actor: str
    data: Mapping[str, Any]
    """`reason` of a cancellation or preemption, `changes` of an update."""


class Listening(Protocol):
    """A thread that listens for what other services write."""

    def close(self) -> None:
        """End within a second."""


class SharedStore(Store, Protocol):
    """A store that several services use at the same time."""

    def leader(self) -> Leader | None:
        """The leader as the store knows it; None: there has never been one."""

    def lead(self) -> bool:
        """Become the leader if there is none, or if its lease has ended; whether this one leads.

        The sessions of the leader before are ended. From now on the lease is renewed, and each
        write makes sure that this store still leads. Raises `OutageError`.
        """

    @property
    def epoch(self) -> int | None:
        """The epoch of this store while it leads; None if it follows."""

    @property
    def displaced(self) -> bool:
        """Whether the leader before was still there, and hung, when this one took its place."""

    def announce(self, address: str) -> None:
        """Tell the URL of this service to the others, once it leads."""

    def when_deposed(self, act: Callable[[str], None]) -> None:
        """Call `act` with a sentence, once, when another service leads in place of this one."""

    def resign(self) -> None:
        """Let another service lead; no effect if this one does not."""

    def listen(self, act: Callable[[], None]) -> Listening:
        """Call `act` now, after writes of the other role, and every few seconds.

        A leader hears followers, and a follower hears the leader. Calls come from one thread;
        what `act` raises is logged, and it is called again.
        """

    def ask(self, requests: Sequence[ChangeRequest]) -> list[int]:
        """Store requests for the leader; their ids, in order."""

    def asked(self) -> Mapping[int, ChangeRequest]:
        """Requests without an answer by id, oldest first."""

    def answer(self, answers: Mapping[int, FulcrumError | None]) -> None:
        """Answer requests: None, or why one was refused."""

    def answered(self, ids: Collection[int]) -> Mapping[int, FulcrumError | None]:
        """The answers to those requests that have one."""
