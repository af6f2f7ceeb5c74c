"""Boots and shuts down the nodes of elastic pools, as the attempts on them need."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from scheduler.domain.elastic_pools import ElasticPool, device
from scheduler.domain.nodes import NodeFacts
from scheduler.executors.cluster.attempt import LAUNCH, AttemptPart, ClusterAttempt
from scheduler.executors.cluster.base import NodeMembers
from scheduler.executors.cluster.links import NodeLinks
from scheduler.executors.cluster.node import NodeLink
from scheduler.executors.cluster.provider import NodeProvider
from scheduler.executors.elastic_nodes import REST_S, ElasticNode, ElasticNodes

GONE = "its machine is gone"


class ElasticLinks:
    """The nodes of elastic pools as the executor of many nodes uses them."""

    def __init__(self, pools: Sequence[ElasticPool], provider: NodeProvider | None) -> None:
        self._nodes = ElasticNodes(pools)
        self._provider = provider
        self._known = False
        """Whether the machines that were booted before are known."""

    def connected(self) -> None:
        """The transport hears again: nobody could hear of boots until now."""
        self._nodes.restart_boots(time.monotonic())

    def look(self, links: NodeLinks) -> Iterator[tuple[NodeLink, str]]:
        """Do what is due; each node that is off although attempts were placed on it, with why."""
        now = time.monotonic()
        if links.members is None or not links.connection.connected:
            return
        if not self._known:
            self._adopt(links, links.members, now)
        before = self._nodes.wanted().keys()
        for node in self._nodes.all():
            self._look_at(node, links.get(node.name), now)
        for node in self._nodes.boot_least(now):
            links.get(node.name).boot()
        for node in self._nodes.end_idle_times(now):
            links.get(node.name).shut_down()
        for node in self._nodes.all():
            link = links.get(node.name)
            if not node.on and link.ranks:
                yield link, f"node {node.name} {_failure(node)}"
        wanted = self._nodes.wanted()
        if self._provider is not None and (wanted.keys() != before or not self._known):
            self._provider.provide(wanted)
        self._known = True

    def _adopt(self, links: NodeLinks, members: NodeMembers, now: float) -> None:
        """Take over the machines that are on since an earlier service."""
        for node in self._nodes.all():
            link = links.get(node.name)
            link.elastic = node
            link.forget_devices()
            if node.name in members.engine_ids or node.name in members.problems:
                self._nodes.switch_on(node, now)
                self._nodes.leave(node, now)

    def _look_at(self, node: ElasticNode, link: NodeLink, now: float) -> None:
        launching = any(rank.launching for _, rank in link.ranks.values())
        if not node.on and launching and node.rests_until < now:
            self._nodes.switch_on(node, now)
            link.boot()
        if not node.on:
            return
        if bool(link.ranks) != node.busy:
            if link.ranks:
                self._nodes.occupy(node)
            else:
                self._nodes.leave(node, now)
        if node.booting and link.ready:
            self._nodes.ready(node)
        if link.unfit or now >= node.boots_until:
            self._fail(node, link, now)
        elif link.given_up:
            self._shut_down(node, link, f"it was not heard for {link.lost.limit_s:g} s")
        elif not link.ranks and link.leaving:
            self._shut_down(node, link, link.leaving)
        elif not link.ranks and node.up and not link.seen:
            self._shut_down(node, link, GONE)

    def _fail(self, node: ElasticNode, link: NodeLink, now: float) -> None:
        said = link.unfit or link.problem or link.refused
        why = f"its boot failed: {said}" if said else "its boot failed"
        if not link.unfit:
            why = f"it was not ready within {node.pool.boot_timeout_s:g} s"
            why += f": {said}" if said else ""
        self._nodes.switch_off(node, why, now, rest_s=REST_S)
        link.shut_down()

    def _shut_down(self, node: ElasticNode, link: NodeLink, why: str) -> None:
        self._nodes.switch_off(node, why, time.monotonic())
        link.shut_down()


def _failure(node: ElasticNode) -> str:
    return f"is off: {node.reason}" if node.reason else "is off"


def launchable(attempt: ClusterAttempt, rank: AttemptPart, links: NodeLinks) -> bool:
    """Whether the launch of a part may be sent, which then names the devices that nodes have.

    The parts of an attempt start together, when all its nodes are up.
    """
    if any(links.get(other.node).booting for other in attempt.running):
        return False
    spec = rank.todo[0][1]["spec"]
    parts = [_with_devices(part, links.get(part["node"]).facts) for part in spec["parts"]]
    rank.todo[0] = LAUNCH, {"spec": {**spec, "parts": parts}}
    return True


def _with_devices(part: Mapping[str, Any], facts: NodeFacts) -> dict[str, Any]:
    return {**part, "devices": [device(facts, name) for name in part["devices"]]}
