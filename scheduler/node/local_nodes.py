"""The nodes and heads of Ray on this machine that Fulcrum started, and how they end."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

import psutil

from scheduler.executors.local.records import claim
from scheduler.executors.ray.config import HEAD_LABEL, NODE_LABEL

_RAYLET = "raylet"
_GRACE_S = 10.0


@dataclass(frozen=True, slots=True)
class LocalNode:
    """One of Ray's nodes on this machine: its raylet, and what Ray started with it."""

    name: str
    """Of the node; empty for a head, which runs no jobs."""
    address: str
    """Of the head of its cluster, HOST:PORT."""
    raylet: psutil.Process
    session: str
    """The name that Ray gave to the run of its cluster; its processes here have it as option."""

    def belongs_to(self, address: str) -> bool:
        """Whether the head of its cluster is there: one on this machine has several addresses."""
        (own, _, port), (host, _, asked) = self.address.rpartition(":"), address.rpartition(":")
        return port == asked and (own == host or (not why_not_own(own) and not why_not_own(host)))

    @property
    def attempts(self) -> list[str]:
        """The attempts that run here as this node's, whichever service started them."""
        folders = (folder.parts for folder in claim.supervisors())
        # Agents have their executor's files below NAMESPACE/NODE/run/attempts.
        found = [parts[-1] for parts in folders if parts[-4:-1] == (self.name, "run", "attempts")]
        return sorted(name.rpartition("-")[0] for name in found)

    def end(self) -> None:
        """End Ray's processes of this node; attempts go on, for they are not Ray's.

        A head ends all that Ray has here of its cluster: of nodes that were killed, too.
        """
        others = list(self._others())
        with suppress(psutil.NoSuchProcess):
            self.raylet.terminate()  # it ends its workers, and tells the head
            psutil.wait_procs([self.raylet], timeout=_GRACE_S)
        for process in [self.raylet, *others]:
            with suppress(psutil.Error):  # ended by itself, or another user's
                process.kill()

    def _others(self) -> Iterator[psutil.Process]:
        """What the same `ray start` began for this cluster: agents end with their raylet."""
        with suppress(psutil.Error, OSError):
            began = os.getsid(self.raylet.pid)
            for process in psutil.process_iter():
                with suppress(psutil.Error, OSError):
                    beside = not self.name or os.getsid(process.pid) == began
                    if beside and any(self.session in word for word in process.cmdline()):
                        yield process


def local_nodes() -> list[LocalNode]:
    """Those of this user, heads last: nodes leave before their head ends."""
    found: list[LocalNode] = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.name() == _RAYLET and process.uids().real == os.getuid():
                found += _nodes(process)
    return sorted(found, key=lambda node: (not node.name, node.name))


def _nodes(raylet: psutil.Process) -> Iterator[LocalNode]:
    options = dict(_options(raylet.cmdline()))
    labels = _labels(options.get("labels", ""))
    if NODE_LABEL in labels or HEAD_LABEL in labels:
        yield LocalNode(
            labels.get(NODE_LABEL, ""), options["gcs-address"], raylet, options["session-name"]
        )


def why_not_own(host: str) -> str:
    """Why the host is no address of this machine; empty if it is."""
    try:
        family, *_, address = socket.getaddrinfo(host.strip("[]"), 0, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.bind(address)
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _options(words: list[str]) -> Iterator[tuple[str, str]]:
    for word in words:
        name, is_option, value = word.partition("=")
        if is_option:
            yield name.lstrip("-").replace("_", "-"), value


def _labels(text: str) -> Mapping[str, str]:
    try:
        labels = json.loads(text)
    except ValueError:
        return {}
    return labels if isinstance(labels, dict) else {}
