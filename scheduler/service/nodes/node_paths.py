"""Which nodes have what jobs name by its path: datasets, programs, weights.

Nodes are asked when a job is submitted, when a node joins, and again each minute while jobs wait.
A pool runs a job only if each of its nodes that jobs may start on has all that the job names:
decisions choose pools, whose nodes are equal to them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from scheduler.domain.jobs import JobSpec
from scheduler.domain.nodes import Node, NodeState
from scheduler.domain.resources import Request
from scheduler.executors.path_needs import PathFinding, PathNeed
from scheduler.service.nodes.cluster_nodes import ClusterNodes
from scheduler.workloads.spec.paths import MachineLook, PathLook, needs

Ask = Callable[[Collection[str], Sequence[PathNeed], float], Mapping[str, Sequence[PathFinding]]]
"""(nodes, needs, seconds) → what each node that answered in time has, in the order of the needs."""
PATIENCE_S = 5.0
"""For the answers of nodes to one request."""
AGAIN_S = 60.0
"""What a node has said is asked again after so long."""
LOOK_S = 2.0
"""Between two looks for what has to be asked."""


@dataclass(frozen=True, slots=True)
class _Known:
    finding: PathFinding
    at: float
    """Monotonic seconds."""
    machine: str
    """Which machine had the node's name then."""


class NodePaths:
    """What nodes have said, and asking them. Thread-safe.

    `ask` None: jobs run on the service's own machine, which is looked at directly. `changed` is
    called with a filter of jobs whose pools may be others now.
    """

    def __init__(
        self,
        nodes: ClusterNodes,
        ask: Ask | None,
        changed: Callable[[Callable[[JobSpec], bool]], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._nodes = nodes
        self._ask = ask
        self._changed = changed
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[tuple[str, PathNeed], _Known] = {}
        self._mute: dict[str, float] = {}
        """Nodes that did not answer in time → when; no request waits for them for a while."""
        self._usable: frozenset[str] = frozenset()
        self._news = 0
        """Counts changes of what is known."""
        self._obstacles: dict[tuple[bool, tuple[tuple[str, PathNeed], ...]], dict[str, str]] = {}
        """What was answered since nodes, or what is known of them, changed."""
        self._answered_at = (0, 0)

    def looks(self) -> Callable[[Request], PathLook]:
        """What a request sees of the machines that could run a job, by what the job asks for."""
        if self._ask is None:
            machine = MachineLook()
            return lambda _: machine
        budget = TimeBudget(PATIENCE_S)
        return lambda request: NodesLook(self, request, budget)

    def look(self, request: Request) -> PathLook:
        """What is seen of the machines that could run one job."""
        return self.looks()(request)

    def learn(self, wanted: Iterable[PathNeed], patience_s: float) -> None:
        """Ask the nodes that answer for what they have not said yet, for at most so long."""
        if self._ask is None:
            return
        with self._lock:
            since = self._clock() - AGAIN_S
            open_ = {
                need: [
                    node.name
                    for node in self._answering()
                    if self._of(node, need) is None and self._mute.get(node.name, since) <= since
                ]
                for need in dict.fromkeys(wanted)
            }
        self._learn({need: names for need, names in open_.items() if names}, patience_s)

    def findings(
        self, need: PathNeed, request: Request
    ) -> Iterator[tuple[Node, PathFinding | None]]:
        """What the nodes that could run a job have there; None: such a node has not said so."""
        nodes = {node.name: node for node in self._nodes.all()}
        inventory = self._nodes.inventory
        names = dict.fromkeys(
            name
            for pool in inventory.present
            if pool.suits(request)
            for name in inventory.nodes.get(pool.name, ())
            if name in nodes and nodes[name].usable
        )
        with self._lock:
            for name in names:
                found = self._of(nodes[name], need)
                yield nodes[name], None if found is None else found.finding

    def obstacles(self, spec: JobSpec, *, sure: bool = False) -> dict[str, str]:
        """Pool → why it cannot run the job, for pools with a node that lacks what it names.

        With `sure`, a node that has said nothing yet is believed to have all.
        """
        if self._ask is None or not (named := needs(spec.work)):
            return {}
        now, asked = (self._nodes.changes, self._news), (sure, tuple(named.items()))
        with self._lock:
            if now != self._answered_at:
                self._obstacles, self._answered_at = {}, now
            if (before := self._obstacles.get(asked)) is not None:
                return before
        found = self._found_obstacles(named, sure=sure)
        with self._lock:
            if now == self._answered_at:
                self._obstacles[asked] = found
        return found

    def refresh(self, specs: Iterable[JobSpec]) -> None:
        """Ask for what waiting jobs name, where that is not known or was told long ago."""
        if self._ask is None:
            return
        wanted = {need for spec in specs for need in needs(spec.work).values()}
        now = self._clock()
        with self._lock:
            answering = self._answering()
            usable = frozenset(node.name for node in self._nodes.all() if node.usable)
            moved, self._usable = usable != self._usable, usable
            self._known = {
                key: known
                for key, known in self._known.items()
                if key[1] in wanted or now - known.at < AGAIN_S
            }
            open_: dict[PathNeed, list[str]] = {}
            for need in wanted:
                for node in answering:
                    known = self._of(node, need)
                    if known is None or now - known.at >= AGAIN_S:
                        open_.setdefault(need, []).append(node.name)
        learned = self._learn(open_, PATIENCE_S)
        if moved:
            self._changed(lambda spec: bool(needs(spec.work)))
        elif learned:
            self._changed(lambda spec: not learned.isdisjoint(needs(spec.work).values()))

    def _found_obstacles(self, named: Mapping[str, PathNeed], *, sure: bool) -> dict[str, str]:
        nodes = {node.name: node for node in self._nodes.all()}
        inventory, found = self._nodes.inventory, {}
        for pool in inventory.present:
            usable = [
                nodes[name]
                for name in inventory.nodes.get(pool.name, ())
                if name in nodes and nodes[name].usable
            ]
            if why := self._lacking(usable, named, sure=sure):
                found[pool.name] = why
        return found

    def _learn(self, open_: Mapping[PathNeed, Sequence[str]], patience_s: float) -> set[PathNeed]:
        """Ask; returns the needs of which something new was said."""
        if not open_ or self._ask is None:
            return set()
        names = {name for each in open_.values() for name in each}
        asked = list(open_)
        answers = self._ask(names, asked, patience_s)
        nodes = {node.name: node for node in self._nodes.all()}
        news, now = set(), self._clock()
        with self._lock:
            self._mute |= dict.fromkeys(names - answers.keys(), now)
            for name, findings in answers.items():
                self._mute.pop(name, None)
                machine = _machine(nodes[name]) if name in nodes else ""
                self._news += 1
                for need, finding in zip(asked, findings, strict=True):
                    before = self._known.get((name, need))
                    if before is None or before.finding != finding or before.machine != machine:
                        news.add(need)
                    self._known[name, need] = _Known(finding, now, machine)
        return news

    def _answering(self) -> list[Node]:
        return [
            node for node in self._nodes.all() if node.state in (NodeState.UP, NodeState.DRAINING)
        ]

    def _of(self, node: Node, need: PathNeed) -> _Known | None:
        known = self._known.get((node.name, need))
        return known if known is not None and known.machine == _machine(node) else None

    def _lacking(self, nodes: Sequence[Node], named: Mapping[str, PathNeed], *, sure: bool) -> str:
        """Which of the nodes lack what, for people; empty: none does."""
        said: dict[str, list[str]] = {}
        with self._lock:
            for node in nodes:
                for field, need in named.items():
                    known = self._of(node, need)
                    if known is not None and known.finding.problem:
                        said.setdefault(f"{field}: {known.finding.problem}", []).append(node.name)
                    elif known is None and not sure and node.state is NodeState.UP:
                        text = f"it is not known yet whether {need.path} is there"
                        said.setdefault(text, []).append(node.name)
        return "; ".join(f"on {', '.join(names)}: {text}" for text, names in said.items())


@dataclass(slots=True)
class TimeBudget:
    """How long one request still waits for nodes, all its questions together."""

    left_s: float


class NodesLook:
    """What one request sees of the nodes that could run its job.

    What no node could say in time is believed; it is asked again before the job starts.
    """

    def __init__(self, paths: NodePaths, request: Request, budget: TimeBudget) -> None:
        self._paths = paths
        self._request = request
        self._budget = budget

    def find(self, need: PathNeed) -> PathFinding:
        """What one of the nodes has; a problem if none of them has it."""
        begun = time.monotonic()
        self._paths.learn([need], max(0.0, self._budget.left_s))
        self._budget.left_s -= time.monotonic() - begun
        found = list(self._paths.findings(need, self._request))
        for _, finding in found:
            if finding is not None and not finding.problem:
                return finding
        lacking: dict[str, list[str]] = {}
        for node, finding in found:
            if finding is None:
                return _BELIEVED
            lacking.setdefault(finding.problem, []).append(node.name)
        if not lacking:
            return _BELIEVED
        said = "; ".join(f"{text} ({', '.join(names)})" for text, names in lacking.items())
        return PathFinding(f"no node that could run the job has it: {said}")


_BELIEVED = PathFinding(images=1)


def _machine(node: Node) -> str:
    return "" if node.facts is None else f"{node.facts.boot_id} {node.facts.engine_id}"
