"""The transport's port: which nodes there are, and calls to their agents.

Obligations of every implementation:

- **Named.** A node keeps its name when it leaves and joins again; its engine id changes.
- **Answered.** Each call gets one `AgentAnswer` or `AgentFailure`, at the latest shortly after
  its limit. After a failure the call may have been carried out all the same: agents' methods
  are idempotent, so the caller repeats it.
- **Ordered.** Calls of one node that are no polls are carried out in the order they were made.
- **Thread-safe.** `call` may be called by any thread and returns at once; what is heard is
  delivered from threads of the transport.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class EngineConnection:
    """Whether the transport itself can hear: the nodes' silence means nothing while it cannot."""

    connected: bool
    problem: str = ""
    """Why not, for people."""


@dataclass(frozen=True, slots=True)
class Departure:
    """A machine will be taken away, as spot machines are: a notice of it."""

    reason: str
    """For people."""
    at: float | None = None
    """Unix seconds; None: nobody says when."""


@dataclass(frozen=True, slots=True)
class NodeMembers:
    """The nodes that have an agent, or are getting one."""

    engine_ids: Mapping[str, str]
    """By name; see `NodeFacts.engine_id`."""
    problems: Mapping[str, str]
    """Node → why its agent does not start; only nodes with such a problem."""
    leaving: Mapping[str, Departure] = field(default_factory=dict)
    """Only nodes with a notice."""
    unnamed: int = 0
    """Nodes that are not used because nobody has given them a name."""
    left: Collection[str] = ()
    """Names of nodes that ended in order, and are not there."""


@dataclass(frozen=True, slots=True)
class AgentAnswer:
    """What an agent said to a call."""

    number: int
    value: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AgentFailure:
    """A call that nothing is known of: it may have been carried out."""

    number: int
    error: str


Heard = EngineConnection | NodeMembers | AgentAnswer | AgentFailure
Hearer = Callable[[Heard], None]


class AgentTransport(Protocol):
    """Carries calls to agents. `start` is called once, before anything else."""

    def start(self, hear: Hearer) -> None:
        """Begin to tell `hear` of the connection and the members."""

    def call(
        self, number: int, node: str, method: str, arguments: Mapping[str, Any], limit_s: float
    ) -> None:
        """Call a method of the node's agent, see `NodeAgent`; `number` names the answer.

        Arguments and answers are JSON objects.
        """

    def close(self) -> None:
        """Tell nothing more; agents go on."""
