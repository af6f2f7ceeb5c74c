"""A cluster inside this process: agents over executors of this machine, and ways to break it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from scheduler.domain.elastic_pools import ElasticPool
from scheduler.domain.nodes import NodeFacts
from scheduler.executors.cluster.agent import NodeAgent, NodeExecutor
from scheduler.executors.cluster.base import (
    AgentAnswer,
    AgentFailure,
    Departure,
    EngineConnection,
    Hearer,
    NodeMembers,
)
from scheduler.executors.path_needs import PathFinding, PathNeed

DIGEST = "in-process"
"""Of the code that all agents of an `InProcessCluster` claim to run."""
_UNANSWERED_S = 0.1


class InProcessNode:
    """One node: its folder, its agent, and whether anybody can reach it."""

    def __init__(
        self,
        name: str,
        folder: Path,
        open_executor: Callable[[Path], NodeExecutor],
        cpus: int = 1,
    ) -> None:
        self.name = name
        self._cpus = tuple(map(str, range(cpus)))
        self.folder = folder
        self.reachable = True
        self.obstacle = ""
        """Why no job can run there."""
        self.paths: set[str] = set()
        """What there is of what jobs name."""
        self.member = True
        self.generation = 0
        self._open = open_executor
        self.agent = self._agent()

    @property
    def engine_id(self) -> str:
        """Another one after each start."""
        return f"{self.name}-{self.generation}"

    def restart(self) -> None:
        """As if the agent's process had ended and begun again."""
        self.agent.close()
        self.generation += 1
        self.agent = self._agent()

    def _agent(self) -> NodeAgent:
        facts = NodeFacts(self.name, digest=DIGEST, cpus=self._cpus)
        return NodeAgent(
            lambda: self._open(self.folder),
            facts,
            linger_s=3600.0,
            obstacle=lambda: self.obstacle,
            look=self._look,
        )

    def _look(self, needs: Sequence[PathNeed]) -> list[PathFinding]:
        missing = [need.path not in self.paths for need in needs]
        return [PathFinding("is not there" if none else "") for none in missing]


class InProcessCluster:
    """Nodes that outlive the services of a test.

    `open_executor` makes the executor of a node from its folder; `destroy` kills what runs there.
    """

    def __init__(
        self,
        root: Path,
        names: tuple[str, ...],
        open_executor: Callable[[Path], NodeExecutor],
        destroy: Callable[[Path], None],
    ) -> None:
        self._destroy = destroy
        self.nodes = {name: InProcessNode(name, root / name, open_executor) for name in names}
        self._transports: list[InProcessTransport] = []
        self._open = open_executor
        self._root = root
        self.boots = True
        """Whether machines that are asked for boot at once; if not, `boot` lets them."""
        self.wanted: dict[str, ElasticPool] = {}
        """Nodes of elastic pools that a service wants."""
        self.departures: dict[str, Departure] = {}

    def transport(self) -> InProcessTransport:
        """A new service's way to the nodes."""
        made = InProcessTransport(self)
        self._transports.append(made)
        return made

    def provide(self, wanted: Mapping[str, ElasticPool]) -> None:
        """Have machines for these nodes, and take away those of others that were wanted."""
        released = self.wanted.keys() - wanted.keys()
        self.wanted = dict(wanted)
        for name in released & self.nodes.keys():
            self.kill_node(name)
            del self.nodes[name]
        for name in wanted if self.boots else ():
            self.boot(name)

    def boot(self, name: str, cpus: int = 1) -> None:
        """Have a machine for the node, unless it has one; `cpus`: how many it has."""
        if name not in self.nodes:
            machine = self._root / f"{name}-{len(list(self._root.glob(f'{name}-*')))}"
            self.nodes[name] = InProcessNode(name, machine, self._open, cpus)
            self.tell()

    def notice(self, name: str, departure: Departure) -> None:
        """Say that the node's machine will be taken away."""
        self.departures[name] = departure
        self.tell()

    def cut(self, name: str) -> None:
        """Let nothing through to the node or from it; what runs there goes on."""
        self.nodes[name].reachable = False

    def heal(self, name: str) -> None:
        """Let everything through again."""
        self.nodes[name].reachable = True

    def kill_node(self, name: str) -> None:
        """End all processes of the node, and let nothing through to it."""
        node = self.nodes[name]
        node.reachable = node.member = False
        node.agent.close()
        self._destroy(node.folder)
        self.tell()

    def restart_engine(self, *, pause_s: float = 0.0) -> None:
        """All agents end, nobody is connected for `pause_s` seconds, and other agents begin."""
        for transport in self._transports:
            transport.connect(connected=False)
        time.sleep(pause_s)
        for node in self.nodes.values():
            node.restart()
        for transport in self._transports:
            transport.connect(connected=True)

    def tell(self) -> None:
        """Tell all services which nodes there are."""
        for transport in self._transports:
            transport.tell()

    def close(self) -> None:
        """End the agents, then what they left."""
        for node in self.nodes.values():
            node.agent.close()
            self._destroy(node.folder)


class InProcessTransport:
    """One service's calls to the agents of an `InProcessCluster`."""

    def __init__(self, cluster: InProcessCluster) -> None:
        self._cluster = cluster
        self._connected = True
        self._hear: Hearer | None = None
        self._control = {name: ThreadPoolExecutor(1) for name in cluster.nodes}
        self._lock = threading.Lock()

    def start(self, hear: Hearer) -> None:
        """Tell of the connection and the members."""
        self._hear = hear
        self.connect(connected=True)

    def connect(self, *, connected: bool) -> None:
        """Be or be not connected."""
        self._connected = connected
        if self._hear is not None:
            self._hear(EngineConnection(connected, "" if connected else "the engine is away"))
            self.tell()

    def tell(self) -> None:
        """Tell which nodes there are."""
        if self._hear is not None and self._connected:
            nodes = list(self._cluster.nodes.values())
            members = {node.name: node.engine_id for node in nodes if node.member}
            self._hear(NodeMembers(members, {}, dict(self._cluster.departures)))

    def provide(self, wanted: Mapping[str, ElasticPool]) -> None:
        """Be told which machines a service wants."""
        self._cluster.provide(wanted)

    def call(
        self, number: int, node: str, method: str, arguments: Mapping[str, Any], limit_s: float
    ) -> None:
        """Call the agent in a thread of this process."""

        def carry_out() -> None:
            found = self._cluster.nodes.get(node)
            if found is None or not self._reaches(node):
                time.sleep(_UNANSWERED_S)
                return self._answer(AgentFailure(number, "no answer"))
            try:
                value = found.agent.call(method, arguments)
            except Exception as error:
                return self._answer(AgentFailure(number, repr(error)))
            if not self._reaches(node):
                return self._answer(AgentFailure(number, "no answer"))
            return self._answer(AgentAnswer(number, value))

        if method == "poll":
            threading.Thread(target=carry_out, daemon=True).start()
        else:
            with self._lock:
                control = self._control.setdefault(node, ThreadPoolExecutor(1))
            control.submit(carry_out)

    def close(self) -> None:
        """Tell nothing more."""
        self._hear = None
        for control in self._control.values():
            control.shutdown(wait=False)

    def _reaches(self, node: str) -> bool:
        found = self._cluster.nodes.get(node)
        return self._connected and found is not None and found.reachable

    def _answer(self, heard: AgentAnswer | AgentFailure) -> None:
        hear = self._hear
        if hear is not None:
            hear(heard)
