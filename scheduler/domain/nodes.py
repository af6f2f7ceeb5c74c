"""Nodes: the machines that pools are made of, and their history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

LOCAL = "local"
"""Name of the node that the service itself runs on, where no other is configured."""
POOL_LABEL = "fulcrum/pool"
"""Label of a node that names its pool; without it the pool is named by model and number."""


NOT_HEARD_YET = "it was not heard yet"
"""Reason of a node of which the executor has heard nothing since it began."""
LEFT = "it has left the cluster"
"""Reason of a node that ended in order: nobody expects it back."""


class NodeState(StrEnum):
    """What a node can be used for."""

    OFF = "off"
    """It is not running; a placement boots it."""
    BOOTING = "booting"
    """It was asked for and is not ready yet."""
    UP = "up"
    """Jobs start on it."""
    DRAINING = "draining"
    """Its jobs go on; no job starts on it."""
    UNREACHABLE = "unreachable"
    """It does not answer; its jobs may go on."""
    DOWN = "down"
    """It does not answer, and its jobs were given up."""


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """What an executor knows of a node."""

    name: str
    """Stable over restarts and rejoins."""
    state: NodeState = NodeState.UP
    since: float = 0.0
    """Unix seconds at which the state began."""
    reason: str = ""
    """Why it is in that state, for people; empty where nothing has to be said."""
    address: str = ""
    boot_id: str = ""
    """Changes whenever the machine restarts."""
    engine_id: str = ""
    """How the engine that runs it calls it; changes whenever the node rejoins."""
    labels: Mapping[str, str] = field(default_factory=dict)
    cpus: tuple[str, ...] = ()
    """CPU numbers that jobs may use."""
    cpu_model: str = ""
    gpus: tuple[tuple[str, str, int], ...] = ()
    """(identifier, model, bytes of memory) of each GPU."""
    memory_bytes: int = 0
    """Host memory that jobs may use; 0: not known."""
    clock_offset_s: float = 0.0
    """Seconds by which the node's clock is ahead of the service's."""
    lost_at: float | None = None
    """Unix seconds at which the attempts of an unreachable node are given up."""
    digest: str = ""
    """Of the node's Fulcrum code; a node of other code is not used."""
    elastic: bool = False
    """Whether a placement boots it when it is off."""


@dataclass(frozen=True, slots=True)
class Node:
    """A node as the store keeps it."""

    name: str
    state: NodeState
    since: float
    """Unix seconds at which the state began."""
    reason: str = ""
    """Why it is in that state."""
    places: Mapping[str, int] = field(default_factory=dict)
    """Pool → which of the pool's nodes it is, from 0."""
    drained_by: str = ""
    """Who wants that no job starts on it; empty: nobody."""
    seen_at: float = 0.0
    """Unix seconds at which it was last known to answer."""
    facts: NodeFacts | None = None
    """The newest that it told."""

    @property
    def usable(self) -> bool:
        """Whether jobs may be placed on it; they wait for a boot where that is needed."""
        if self.drained_by:
            return False
        return self.state in (NodeState.UP, NodeState.OFF) or self.boots

    @property
    def boots(self) -> bool:
        """Whether it was asked for, and will be ready after its boot."""
        elastic = self.facts is not None and self.facts.elastic
        return elastic and self.state is NodeState.BOOTING


class NodeEventName(StrEnum):
    """What happens to nodes."""

    JOINED = "joined"
    BOOTING = "booting"
    UP = "up"
    DRAINING = "draining"
    UNREACHABLE = "unreachable"
    DOWN = "down"
    OFF = "off"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class NodeEvent:
    """One row of the history of nodes."""

    node: str
    name: NodeEventName
    time: float
    """Unix seconds."""
    actor: str
    """Who: a user, or `executor`."""
    reason: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    seq: int = 0
    """Position in the history of all nodes; the store gives it, strictly rising."""
