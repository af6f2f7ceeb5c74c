"""What is said of nodes that cannot be used."""

from __future__ import annotations

from datetime import datetime

from scheduler.domain.nodes import Node, NodeState


def sentence(node: Node, jobs: int) -> str:
    """`node gpu-b is unreachable since 14:02; its 2 jobs go on there, …`; `jobs`: those on it."""
    text = f"node {node.name} is {node.state} since {_clock(node.since)}"
    if node.reason:
        text += f" ({node.reason})"
    if node.drained_by and node.state is NodeState.DRAINING:
        text += f"; `fulcrum nodes resume {node.name}` ends that"
    if not jobs:
        return text
    its = "its job" if jobs == 1 else f"its {jobs} jobs"
    goes = "goes" if jobs == 1 else "go"
    if node.state is NodeState.UNREACHABLE:
        text += f"; {its} may go on there"
        lost_at = None if node.facts is None else node.facts.lost_at
        if lost_at is not None:
            begins = "is" if jobs == 1 else "are"
            text += f", or {begins} started elsewhere at {_clock(lost_at)}"
        return text
    if node.state is NodeState.DRAINING:
        return f"{text}; {its} {goes} on there"
    return text


def _clock(moment: float) -> str:
    return datetime.fromtimestamp(moment).astimezone().strftime("%H:%M")
