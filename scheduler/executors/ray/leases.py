"""Machines of elastic pools: a lease is an actor that takes the devices of one machine.

While a lease waits for a machine with its pool's label, Ray's autoscaler boots one. While it has
one, Ray takes the machine for busy. Once it is gone, nothing keeps the machine from being idle, so
the autoscaler ends it.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Mapping
from typing import Any

import ray
from ray.util import list_named_actors

from scheduler.domain.nodes import POOL_LABEL

_PREFIX = "lease:"
_RECOVERY_S = 10.0


class LeaseActor:
    """Takes devices of a machine for as long as it lives.

    Its calls wait beside each other: each bridge that ever was holds it.
    """

    async def node_id(self) -> str:
        """The machine's id."""
        return str(ray.get_runtime_context().get_node_id())

    async def hold(self) -> None:
        """Never ends, so that the caller hears of the actor's end."""
        await asyncio.Event().wait()


class Leases:
    """The leases of a namespace, by the names of nodes. `provide` is for any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wanted: dict[str, Mapping[str, Any]] | None = None
        self._dropped: set[str] = set()
        self._actors: dict[str, Any] = {}
        self._asked: dict[str, Any] = {}
        """Node → the call that is under way: which machine it has, then `hold`."""
        self._machines: dict[str, str] = {}
        """Node → id of its machine."""

    def provide(self, wanted: Mapping[str, Mapping[str, Any]]) -> None:
        """Want these nodes and no others; each with `pool`, `kind` and `devices`."""
        with self._lock:
            self._dropped |= (self._wanted or {}).keys() - wanted.keys()
            self._wanted = dict(wanted)

    def recover(self) -> None:
        """Find the leases that another process has begun; those that wait for a machine too."""
        for name in list_named_actors():
            if name.startswith(_PREFIX):
                node = name.removeprefix(_PREFIX)
                self._actors[node] = ray.get_actor(name)
                self._asked[node] = self._actors[node].node_id.remote()
        if self._asked:
            ray.wait([*self._asked.values()], num_returns=len(self._asked), timeout=_RECOVERY_S)

    def look(self, alive: Iterable[str]) -> tuple[dict[str, str], set[str]]:
        """Do what is due; node → id of its machine, and the nodes that were released.

        `alive`: ids of the machines that there are.
        """
        with self._lock:
            wanted, dropped = self._wanted, self._dropped
            self._dropped = set()
        released = set(dropped)
        if wanted is not None:
            released |= self._actors.keys() - wanted.keys()
        for node in released:
            self._release(node)
        self._take_in(frozenset(alive))
        for node in (wanted or {}).keys() - self._actors.keys():
            self._lease(node, (wanted or {})[node], {POOL_LABEL: (wanted or {})[node]["pool"]})
        return dict(self._machines), released

    def _take_in(self, alive: frozenset[str]) -> None:
        """What leases say, and which machines are gone.

        A machine that is gone is not replaced before its node was dropped: whoever wants it
        decides on that.
        """
        for node, call in list(self._asked.items()):
            done, _ = ray.wait([call], timeout=0)
            if not done:
                continue
            del self._asked[node]
            try:
                answer = ray.get(call)
            except ray.exceptions.RayActorError:
                self._renew(node, alive)
            else:
                self._machines[node] = answer
                self._asked[node] = self._actors[node].hold.remote()
        for node, machine in list(self._machines.items()):
            if machine not in alive:
                del self._machines[node]

    def _renew(self, node: str, alive: frozenset[str]) -> None:
        """The lease ended by itself: take the machine again, if it is still there."""
        machine, wish = self._machines.get(node), (self._wanted or {}).get(node)
        if machine in alive and wish is not None:
            self._lease(node, wish, {"ray.io/node-id": str(machine)})

    def _lease(self, node: str, wish: Mapping[str, Any], labels: Mapping[str, str]) -> None:
        devices = float(wish["devices"])
        needs = {"num_gpus": devices} if wish["kind"] == "cuda" else {"num_cpus": devices}
        actor = (
            ray.remote(LeaseActor)
            .options(
                name=f"{_PREFIX}{node}",
                lifetime="detached",
                get_if_exists=True,
                max_restarts=0,
                label_selector=dict(labels),
                **{"num_cpus": 0, **needs},
            )
            .remote()
        )
        self._actors[node], self._asked[node] = actor, actor.node_id.remote()

    def _release(self, node: str) -> None:
        actor = self._actors.pop(node, None)
        self._asked.pop(node, None)
        self._machines.pop(node, None)
        if actor is not None:
            ray.kill(actor, no_restart=True)
