"""All nodes as the executor of many nodes sees them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from scheduler.domain.nodes import NOT_HEARD_YET, NodeFacts, NodeState
from scheduler.domain.units import counted
from scheduler.executors.cluster.base import EngineConnection, NodeMembers
from scheduler.executors.cluster.node import NodeLink
from scheduler.executors.silence import SilenceLimit


class NodeLinks:
    """A link for each node that was ever heard of, or that an attempt was placed on."""

    def __init__(self, digest: str, *, unreachable_after_s: float, lost_after_s: float) -> None:
        """See `ClusterExecutor`."""
        self._digest = digest
        self._unreachable_after_s = unreachable_after_s
        self._lost_after_s = lost_after_s
        self._links: dict[str, NodeLink] = {}
        self.connection = EngineConnection(connected=False)
        """Whether the transport hears."""
        self.members: NodeMembers | None = None
        """The newest; None: none were told of yet."""

    def __iter__(self) -> Iterator[NodeLink]:
        return iter(list(self._links.values()))

    def get(self, name: str) -> NodeLink:
        """The link of that node, which is begun if it is new."""
        link = self._links.get(name)
        if link is None:
            facts = NodeFacts(name, NodeState.BOOTING, since=time.time(), reason=NOT_HEARD_YET)
            unreachable = SilenceLimit(self._unreachable_after_s)
            link = NodeLink(name, unreachable, SilenceLimit(self._lost_after_s), facts)
            self._links[name] = link
        return link

    def connect(self, connection: EngineConnection) -> bool:
        """Take in whether the transport hears; returns whether that is new."""
        changed = connection.connected != self.connection.connected
        if changed:
            for link in self:
                link.renew()
        self.connection = connection
        return changed

    def take_in(self, members: NodeMembers) -> None:
        """Take in which nodes there are."""
        self.members = members
        for name in (*members.engine_ids, *members.problems):
            self.get(name)
        for link in self:
            link.take_in(members)

    def refresh(self) -> bool:
        """Bring all facts up to date; whether anything that matters has changed."""
        connection = self.connection
        problem = "" if connection.connected else connection.problem or "not connected yet"
        ids = {} if self.members is None else self.members.engine_ids
        changed = [link.refresh(self._digest, problem, ids) for link in self]
        return any(changed)

    def facts(self) -> Mapping[str, NodeFacts]:
        """What is known of all nodes, by name."""
        return {link.name: link.facts for link in self}

    def health(self) -> tuple[str, ...]:
        """Why the cluster is not heard, or what nodes say of themselves."""
        if self.connection.problem:
            return (self.connection.problem,)
        if self.members is not None and self.members.unnamed and not self.members.engine_ids:
            nodes = counted(self.members.unnamed, "node")
            return (f"none of {nodes} has a name: see `fulcrum node join`",)
        return tuple(f"node {link.name}: {text}" for link in self for text in link.health)
