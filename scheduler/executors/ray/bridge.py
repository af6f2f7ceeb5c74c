"""The bridge: a child process of the service, the only driver of Ray.

Its parameters come on the command line (`BridgeConfig`), the number of its end of the connection
before. It ends when the service does, and Ray ends it when the head is away for a minute.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import ray
from ray.exceptions import ActorDiedError
from ray.util import list_named_actors

from scheduler.executors.ray import agent_names
from scheduler.executors.ray.actor import AgentActor
from scheduler.executors.ray.config import NODE_LABEL, BridgeConfig
from scheduler.executors.ray.frames import Frames
from scheduler.executors.ray.leases import Leases

_LOOK_S = 0.5
_STALE_S = 5.0
"""Without a list of nodes for so long the head is away."""
_FOREIGN_S = 10.0
"""Between two looks for agents of other services."""
_NAMED = f"its machine has a name of its own, by the label {NODE_LABEL}"
_IN_ORDER = 1
"""Why a node of Ray ended: EXPECTED_TERMINATION of its `NodeDeathInfo`."""
_GROUPS = {"control": 1, "poll": 4, "look": 2}


def main() -> None:
    """Entry point of the process."""
    frames = Frames(socket.socket(fileno=int(sys.argv[1])))
    config = BridgeConfig(**json.loads(sys.argv[2]))
    bridge = Bridge(frames, config)
    threading.Thread(target=bridge.serve, daemon=True).start()
    threading.Thread(target=bridge.beat, daemon=True).start()
    try:
        ray.init(
            address=config.address,
            namespace=config.namespace,
            log_to_driver=False,
            configure_logging=False,
        )
    except Exception as error:
        frames.send({"connected": False, "problem": f"Ray at {config.address}: {_line(error)}"})
        os._exit(1)
    bridge.watch()


class Bridge:
    """Passes calls on to agents, and tells which nodes there are."""

    def __init__(self, frames: Frames, config: BridgeConfig) -> None:
        self._frames = frames
        self._config = config
        self._lock = threading.Lock()
        self._agents: dict[str, tuple[str, Any]] = {}
        """Node → id of the Ray node, and the actor there."""
        self._labels: Mapping[str, Mapping[str, str]] = {}
        """Id of a Ray node → its labels."""
        self._pending: dict[int, float] = {}
        """Call → monotonic seconds by which it must be answered."""
        self._foreign: Mapping[str, list[str]] = {}
        """Namespace of another service → the nodes that its agents are on."""
        self._foreign_due = 0.0
        self._left: list[str] = []
        """Nodes whose Ray was ended in order."""
        self._same_name: list[str] = []
        """Names that several machines have."""
        self._heard_at = 0.0
        self._told: dict[str, Any] = {}
        self._leases = Leases()
        self._connected = False

    def serve(self) -> None:
        """Take in calls until the service ends."""
        while True:
            try:
                message = self._frames.receive()
            except (OSError, ValueError):
                message = None
            if message is None:
                os._exit(0)
            if "provide" in message:
                self._leases.provide(message["provide"])
            else:
                self._call(message)

    def beat(self) -> None:
        """Say each second that the process lives, what it knows of the head, what is overdue."""
        while True:
            now = time.monotonic()
            connected = now - self._heard_at < _STALE_S and bool(self._heard_at)
            if connected != self._connected:
                self._connected = connected
                problem = "" if connected else "the head of the cluster does not answer"
                self._tell({"connected": connected, "problem": problem})
            self._tell({"beat": True})
            with self._lock:
                overdue = [number for number, limit in self._pending.items() if now >= limit]
            for number in overdue:
                self._finish(number, {"failed": number, "error": "no answer in time"})
            time.sleep(_LOOK_S)

    def watch(self) -> None:
        """Keep an agent on each node with a name, for as long as the process lives."""
        recovered = False
        while True:
            try:
                if not recovered:
                    self._leases.recover()
                    recovered = True
                everything = ray.nodes()
                rows = [row for row in everything if row["Alive"]]
                self._left = _left(everything)
                self._look_for_foreign(row["NodeID"] for row in rows)
                self._labels = {row["NodeID"]: row["Labels"] for row in rows}
                leased, released = self._leases.look(row["NodeID"] for row in rows)
                for name in released:
                    self._end_agents(name)
                named = self._named(rows)
                twice = {name for name, machine in leased.items() if machine in named.values()}
                for name in twice:
                    del leased[name]
                known = {*named.values(), *leased.values()}
                workers = [row for row in rows if row["Resources"].get("CPU", 0) > 0]
                unnamed = sum(row["NodeID"] not in known and not _name(row) for row in workers)
                self._update(named | leased, dict.fromkeys(twice, _NAMED), unnamed)
                self._heard_at = time.monotonic()
            except Exception as error:
                print(f"the nodes cannot be listed: {_line(error)}", flush=True)
            time.sleep(_LOOK_S)

    def _named(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
        """Name → id of its Ray node; of several machines with a name the one of before counts."""
        machines: dict[str, list[str]] = {}
        for row in rows:
            if name := _name(row):
                machines.setdefault(name, []).append(row["NodeID"])
        self._same_name = sorted(name for name, found in machines.items() if len(found) > 1)
        before = {name: self._agents.get(name, ("",))[0] for name in machines}
        return {
            name: before[name] if before[name] in found else found[0]
            for name, found in machines.items()
        }

    def _update(self, nodes: Mapping[str, str], problems: dict[str, str], unnamed: int) -> None:
        """Keep an agent on each of these nodes; `problems`: why others have none."""
        for name, node_id in nodes.items():
            if self._agents.get(name, ("",))[0] == node_id:
                continue
            try:
                actor = self._agent(name, node_id)
            except Exception as error:
                problems[name] = f"its agent does not start: {_line(error)}"
            else:
                with self._lock:
                    self._agents[name] = node_id, actor
        members = {name: node_id for name, node_id in nodes.items() if name not in problems}
        told = {
            "members": members,
            "problems": problems,
            "leaving": _leaving(nodes),
            "unnamed": unnamed,
            "foreign": self._foreign,
            "same_name": self._same_name,
            "left": self._left,
        }
        if told != self._told or not self._connected:
            self._told = told
            self._tell(told)

    def _look_for_foreign(self, node_ids: Iterable[str]) -> None:
        if time.monotonic() < self._foreign_due:
            return
        self._foreign_due = time.monotonic() + _FOREIGN_S
        try:
            actors = list_named_actors(all_namespaces=True)
        except Exception as error:  # nothing depends on it
            print(f"agents of other services cannot be listed: {_line(error)}", flush=True)
        else:
            self._foreign = agent_names.foreign(actors, self._config.namespace, node_ids)

    def _agent(self, name: str, node_id: str) -> Any:
        """The node's agent, found or begun; agents that it replaces are ended."""
        own = agent_names.agent_name(name, node_id, self._config.version)
        self._end_agents(name, kept=own)
        remote = ray.remote(concurrency_groups=_GROUPS)(AgentActor)
        return remote.options(
            name=own,
            lifetime="detached",
            get_if_exists=True,
            max_restarts=-1,
            max_task_retries=0,
            num_cpus=0,
            # By its id: on a node that is gone this fails; by our own label it would wait for ever.
            label_selector={"ray.io/node-id": node_id},
        ).remote(
            self._config.opener,
            {**self._config.agent, "name": name, "labels": dict(self._labels.get(node_id) or {})},
        )

    def _end_agents(self, name: str, kept: str = "") -> None:
        """End the agents of a node, but `kept`."""
        for other in list_named_actors():
            if other.startswith(agent_names.prefix(name)) and other != kept:
                ray.kill(ray.get_actor(other), no_restart=True)
        if not kept:
            with self._lock:
                self._agents.pop(name, None)

    def _call(self, message: Mapping[str, Any]) -> None:
        number, node, method = message["call"], message["node"], message["method"]
        with self._lock:
            _, actor = self._agents.get(node, ("", None))
            self._pending[number] = time.monotonic() + message["limit_s"]
        if actor is None:
            self._finish(number, {"failed": number, "error": "the node has no agent"})
            return
        try:
            remote = getattr(actor, method if method in ("poll", "look") else "control")
            future = remote.remote(method, json.dumps(message["arguments"])).future()
        except Exception as error:
            self._finish(number, {"failed": number, "error": _line(error)})
            return
        future.add_done_callback(lambda done: self._answered(number, node, actor, done))

    def _answered(self, number: int, node: str, actor: Any, done: Any) -> None:
        error = done.exception()
        if error is None:
            self._finish(number, {"answer": number, "value": json.loads(done.result())})
            return
        if isinstance(error, ActorDiedError):
            with self._lock:
                if self._agents.get(node, ("", None))[1] is actor:
                    del self._agents[node]  # it is found or begun again at the next look
        self._finish(number, {"failed": number, "error": _line(error)})

    def _finish(self, number: int, message: Mapping[str, Any]) -> None:
        with self._lock:
            pending = self._pending.pop(number, None)
        if pending is not None:
            self._tell(message)

    def _tell(self, message: Mapping[str, Any]) -> None:
        try:
            self._frames.send(message)
        except OSError:
            os._exit(0)


def _leaving(nodes: Mapping[str, str]) -> dict[str, float | None]:
    """Node → Unix seconds at which Ray will have drained its machine; None: it does not say."""
    # Ray Serve asks the same; there is no public way.
    draining = ray._private.state.state.get_draining_nodes()
    return {
        name: draining[node_id] / 1000 or None
        for name, node_id in nodes.items()
        if node_id in draining
    }


def _left(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Names that no machine has, and whose machines have all told the head that they end."""
    orderly: dict[str, bool] = {}
    for row in rows:
        if name := _name(row):
            ended = not row["Alive"] and row.get("DeathReason") == _IN_ORDER
            orderly[name] = orderly.get(name, True) and ended
    return sorted(name for name, ended in orderly.items() if ended)


def _name(row: Mapping[str, Any]) -> str:
    return str((row.get("Labels") or {}).get(NODE_LABEL, ""))


def _line(error: BaseException) -> str:
    text = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {text}"


if __name__ == "__main__":
    main()
