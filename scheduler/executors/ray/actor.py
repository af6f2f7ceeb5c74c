"""The actor that wraps a node's agent. Only Ray's own processes import this."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import ray

from scheduler.executors.cluster.agent import NodeAgent

_LOOK_S = 1.0


class AgentActor:
    """One per node. Calls that change something are carried out one after another."""

    def __init__(self, opener: str, values: Mapping[str, Any]) -> None:
        _leave_ray()
        module, _, function = opener.partition(":")
        opened: Callable[[Mapping[str, Any]], NodeAgent]
        opened = getattr(importlib.import_module(module), function)
        self._agent = opened(values)
        threading.Thread(target=self._end_when_deserted, daemon=True).start()

    @ray.method(concurrency_group="control")
    def control(self, method: str, arguments: str) -> str:
        """See `NodeAgent.call`; arguments and answer are JSON texts."""
        return json.dumps(self._agent.call(method, json.loads(arguments)))

    @ray.method(concurrency_group="poll")
    def poll(self, method: str, arguments: str) -> str:
        """The same beside other calls."""
        return json.dumps(self._agent.call(method, json.loads(arguments)))

    @ray.method(concurrency_group="look")
    def look(self, method: str, arguments: str) -> str:
        """The same beside other calls and polls: a disk may hang for minutes."""
        return json.dumps(self._agent.call(method, json.loads(arguments)))

    def _end_when_deserted(self) -> None:
        while not self._agent.deserted:
            time.sleep(_LOOK_S)
        self._agent.close()
        actor = ray.get_runtime_context().current_actor
        ray.kill(actor, no_restart=True)


def _leave_ray() -> None:
    """What Ray gives to its workers must not reach attempts."""
    private = (f"{os.sep}ray{os.sep}_private", f"{os.sep}ray{os.sep}thirdparty_files")
    sys.path[:] = [entry for entry in sys.path if not any(part in entry for part in private)]
    if os.environ.get("CUDA_VISIBLE_DEVICES") == "":
        del os.environ["CUDA_VISIBLE_DEVICES"]  # Ray hides all GPUs from those that ask it for none
    # Ray's workers are the kernel's first choice when memory runs out; supervisors must not be.
    # Only root may lower it: `fulcrum node join` starts Ray such that it is 0 already.
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("0")
