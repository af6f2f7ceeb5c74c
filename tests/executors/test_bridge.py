"""The service's end of the bridge, without Ray."""

from __future__ import annotations

import json
import socket
import sys
import time
from pathlib import Path

from scheduler.domain.elastic_pools import ElasticPool
from scheduler.domain.resources import DeviceKind
from scheduler.executors.cluster.base import AgentFailure, EngineConnection, Heard, NodeMembers
from scheduler.executors.ray import RayTransport, agent_names, transport
from scheduler.executors.ray.config import BridgeConfig
from scheduler.executors.ray.frames import Frames
from tests.support.waiting import PATIENCE_S

CONFIG = BridgeConfig("127.0.0.2:1", "test", "a:b", "digest")


def test_messages_arrive_whole_and_in_order() -> None:
    one, other = (Frames(end) for end in socket.socketpair())
    sent = [{"number": number, "text": "é" * number} for number in range(50)]
    for message in sent:
        one.send(message)
    one.close()
    assert [other.receive() for _ in sent] == sent
    assert other.receive() is None
    other.close()


def test_a_bridge_that_ends_is_replaced_and_nothing_waits_for_it(
    tmp_path: Path, monkeypatch
) -> None:
    ending = tmp_path / "ending"
    ending.write_text("#!/bin/sh\necho no module named ray >&2\nexit 1\n")
    ending.chmod(0o755)
    monkeypatch.setattr(transport.sys, "executable", str(ending))
    monkeypatch.setattr(transport, "_RETRY_S", 0.05)
    heard: list[Heard] = []
    made = RayTransport(CONFIG, tmp_path / "bridge.log")
    made.start(heard.append)
    made.call(1, "gpu-a", "poll", {}, 10.0)
    _until(lambda: len([one for one in heard if isinstance(one, EngineConnection)]) > 1)
    _until(lambda: any(isinstance(one, AgentFailure) and one.number == 1 for one in heard))
    problem = "the connection to Ray was lost: no module named ray"
    assert EngineConnection(connected=False, problem=problem) in heard
    made.close()


def test_a_bridge_that_hangs_is_replaced(tmp_path: Path, monkeypatch) -> None:
    hanging = tmp_path / "hanging"
    hanging.write_text("#!/bin/sh\nexec sleep 600\n")
    hanging.chmod(0o755)
    monkeypatch.setattr(transport.sys, "executable", str(hanging))
    monkeypatch.setattr(transport, "_LOOK_S", 0.05)
    made = RayTransport(CONFIG, tmp_path / "bridge.log", patience_s=0.3)
    made.start(lambda _: None)
    _until(lambda: made.bridge_pid is not None)
    first = made.bridge_pid
    _until(lambda: made.bridge_pid not in (None, first))
    made.close()
    assert made.bridge_pid is None


def test_each_bridge_is_told_first_which_machines_are_wanted(tmp_path: Path, monkeypatch) -> None:
    told = tmp_path / "told"
    ending = tmp_path / "ending"
    ending.write_text(_TAKES_ONE_MESSAGE.format(python=sys.executable, told=told))
    ending.chmod(0o755)
    made = RayTransport(CONFIG, tmp_path / "bridge.log")
    monkeypatch.setattr(transport.sys, "executable", str(ending))
    monkeypatch.setattr(transport, "_RETRY_S", 0.05)
    made.provide({"spot-0": ElasticPool("spot", DeviceKind.CUDA, "NVIDIA A10", 2, 1)})
    made.start(lambda _: None)
    _until(lambda: told.exists() and len(told.read_text().splitlines()) > 1)
    made.close()
    first, second = (json.loads(line) for line in told.read_text().splitlines()[:2])
    wish = {"pool": "spot", "kind": "cuda", "devices": 2}
    assert first == second == {"provide": {"spot-0": wish}}


def test_agents_of_other_services_are_known_by_their_names() -> None:
    here, gone = "a1" * 28, "b2" * 28

    def actor(name: str, namespace: str) -> dict[str, str]:
        return {"name": name, "namespace": namespace}

    actors = [
        actor(agent_names.agent_name("gpu-a", here, "v1"), "own"),
        actor(agent_names.agent_name("gpu-a", here, "v1"), "other"),
        actor(agent_names.agent_name("gpu-a", here, "v2"), "other"),
        actor(agent_names.agent_name("gpu-b", here, "v1"), "other"),
        actor(agent_names.agent_name("gpu-c", gone, "v1"), "other"),
        actor("lease:spot-0", "other"),
        actor("agent:planner", "of another program"),
        actor("agent", "of another program"),
    ]
    assert agent_names.foreign(actors, "own", [here]) == {"other": ["gpu-a", "gpu-b"]}


def test_the_bridge_tells_of_other_services_while_it_lives(tmp_path: Path, monkeypatch) -> None:
    ending = tmp_path / "ending"
    ending.write_text(_TELLS_OF_OTHERS.format(python=sys.executable, ended=tmp_path / "ended"))
    ending.chmod(0o755)
    monkeypatch.setattr(transport.sys, "executable", str(ending))
    made = RayTransport(CONFIG, tmp_path / "bridge.log")
    heard: list[object] = []
    made.start(heard.append)
    assert made.foreign_agents() == {}
    _until(lambda: made.foreign_agents() == {"other": ["gpu-a"]})
    assert list(made.same_names()) == ["b"]
    members = [one for one in heard if isinstance(one, NodeMembers)]
    assert members[0].left == {"c"}
    (tmp_path / "ended").touch()
    _until(lambda: made.foreign_agents() == {})
    made.close()


_TELLS_OF_OTHERS = """#!{python}
import pathlib, socket, sys, time
from scheduler.executors.ray.frames import Frames
frames = Frames(socket.socket(fileno=int(sys.argv[4])))
told = dict(
    members={{}}, problems={{}}, leaving={{}}, unnamed=0, left=["c"], same_name=["b"],
    foreign={{"other": ["gpu-a"]}},
)
while not pathlib.Path("{ended}").exists():
    frames.send(told)
    time.sleep(0.05)
"""
_TAKES_ONE_MESSAGE = """#!{python}
import json, socket, sys
from scheduler.executors.ray.frames import Frames
message = Frames(socket.socket(fileno=int(sys.argv[4]))).receive()
with open("{told}", "a") as file:
    print(json.dumps(message), file=file)
"""


def _until(condition) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
