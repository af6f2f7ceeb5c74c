"""Questions to nodes about paths, which threads of the service ask and agents answer."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from scheduler.executors.cluster.links import NodeLinks
from scheduler.executors.cluster.node import TalkStage
from scheduler.executors.cluster.talk import Talk
from scheduler.executors.path_needs import PathFinding, PathNeed


@dataclass(slots=True)
class PathQuestion:
    """One question, and the answers so far."""

    nodes: Collection[str]
    needs: Sequence[PathNeed]
    limit_s: float
    """The agents have so long to answer."""
    answers: dict[str, Sequence[PathFinding]] = field(default_factory=dict)
    open: set[str] = field(default_factory=set)
    """Nodes that were asked and have not answered."""
    done: threading.Event = field(default_factory=threading.Event)

    def wait(self) -> Mapping[str, Sequence[PathFinding]]:
        """The answers when all nodes have answered, or when their time is over."""
        self.done.wait(self.limit_s)
        return dict(self.answers)

    def heard(self, node: str, answer: Sequence[PathFinding] | None) -> None:
        """Take in what a node says; None: nothing will come."""
        if answer is not None and len(answer) == len(self.needs):
            self.answers[node] = answer
        self.open.discard(node)
        if not self.open:
            self.done.set()


class PathQuestions:
    """Passes questions of any thread to the executor's thread."""

    def __init__(self, wake: Callable[[], None]) -> None:
        """`wake` makes that thread take its next turn now."""
        self._wake = wake
        self._asked: queue.SimpleQueue[PathQuestion] = queue.SimpleQueue()

    def ask(
        self, nodes: Collection[str], needs: Sequence[PathNeed], patience_s: float
    ) -> Mapping[str, Sequence[PathFinding]]:
        """What these nodes have, of those that answer within so many seconds; for any thread."""
        question = PathQuestion(nodes, needs, patience_s)
        self._asked.put(question)
        self._wake()
        return question.wait()

    def pass_on(self, links: NodeLinks, talk: Talk) -> None:
        """Ask the agents that can be asked now; belongs to the executor's thread."""
        while not self._asked.empty():
            question = self._asked.get()
            known = {link.name: link for link in links}
            asked = [
                known[name]
                for name in question.nodes
                if name in known and known[name].stage is not TalkStage.ABSENT
            ]
            question.open = {link.name for link in asked}
            for link in asked:
                talk.look(link, question.needs, question.limit_s, question.heard)
            if not asked:
                question.done.set()
