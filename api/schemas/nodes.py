"""Questions and answers about the nodes of the cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from api.schemas.answer import Answer
from scheduler.domain.nodes import NodeEventName, NodeFacts, NodeState

if TYPE_CHECKING:
    from scheduler.service.queries.views import NodeView


class DrainIn(BaseModel):
    """Why no job shall start on a node."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reason: Annotated[str, Field(max_length=500)] = Field(
        default="", description="Shown to those whose jobs wait."
    )


class NodeOut(Answer):
    """A machine that runs jobs."""

    name: str
    state: NodeState
    since: AwareDatetime = Field(description="Begin of the state.")
    reason: str = Field(description="Why it is in that state.")
    pools: Mapping[str, int] = Field(description="Pool to which of its nodes it is, from 0.")
    drained_by: str = Field(description="Who wants that no job starts on it; empty: nobody.")
    seen_at: AwareDatetime = Field(description="When it was last known to answer.")
    address: str = ""
    labels: Mapping[str, str] = Field(default_factory=dict)
    cpus: int = Field(default=0, description="CPUs that jobs may use; 0: not known.")
    gpus: tuple[str, ...] = Field(default=(), description="Model of each GPU.")
    memory_bytes: int = Field(default=0, description="Of the host, for jobs; 0: not known.")
    jobs: tuple[int, ...] = Field(description="Jobs with an attempt on it.")

    @classmethod
    def of(cls, view: NodeView) -> Self:
        """From the service's value."""
        node = view.node
        facts = node.facts or NodeFacts(node.name)
        return cls.from_values(
            node,
            facts,
            pools=node.places,
            cpus=len(facts.cpus),
            gpus=tuple(model for _, model, _ in facts.gpus),
            jobs=tuple(view.jobs),
        )


class NodesOut(Answer):
    """All nodes, by name."""

    nodes: tuple[NodeOut, ...]


class NodeEventOut(Answer):
    """Something that happened to a node."""

    seq: int = Field(description="Position in the history of all nodes; rises.")
    node: str
    name: NodeEventName
    time: AwareDatetime
    actor: str = Field(description="Who: a user, or `executor`.")
    reason: str
    data: Mapping[str, Any]


class NodeEventPage(Answer):
    """What happened to nodes, oldest first."""

    events: tuple[NodeEventOut, ...]
    next_after: int = Field(description="`after` for what follows.")
