"""The executor of a service that follows: it runs nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NoReturn

from scheduler.domain.errors import StateError
from scheduler.domain.nodes import NodeFacts
from scheduler.executors.base import AttemptKey, LaunchSpec, Sink


class AbsentExecutor:
    """Refuses to run anything with `StateError`."""

    def start(self, sink: Sink) -> None:
        """Refuse."""
        self._refuse()

    def launch(self, spec: LaunchSpec) -> None:
        """Refuse."""
        self._refuse()

    def cancel(self, attempt: str, *, grace_s: float = 5.0) -> None:
        """Refuse."""
        self._refuse()

    def preempt(self, attempt: str, *, grace_s: float) -> None:
        """Refuse."""
        self._refuse()

    def alive(self, keys: Iterable[AttemptKey]) -> Mapping[str, int | None]:
        """Refuse: what runs is not known here."""
        self._refuse()

    def nodes(self) -> Mapping[str, NodeFacts]:
        """No node: what the leader knows of them lies in the store."""
        return {}

    def stop_others(self, keys: Iterable[AttemptKey]) -> int:
        """Refuse."""
        self._refuse()

    def health(self) -> tuple[str, ...]:
        """Report no problem."""
        return ()

    def close(self) -> None:
        """Do nothing."""

    def _refuse(self) -> NoReturn:
        raise StateError("this service follows: the leader runs the attempts")
