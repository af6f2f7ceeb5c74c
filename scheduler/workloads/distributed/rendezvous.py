"""Where the processes of an attempt meet: a store on the first part's node.

The first part opens a `TCPStore` at a port that the system chooses, and leaves its address in
`rendezvous.json` in the attempt's folder. The others wait for that file. No port is guessed, and
the store listens on one address only.
"""

from __future__ import annotations

import ipaddress
import json
import os
import socket
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import timedelta

import psutil
from torch.distributed import (  # type: ignore[attr-defined]  # torch exports them by `*`
    DistError,
    PrefixStore,
    Store,
    TCPStore,
)

from scheduler.executors.base import LaunchSpec
from scheduler.executors.environment import NODE_ADDRESS
from scheduler.files import regular, wait_for_space, write_text

FILE = "rendezvous.json"
WAIT_S = 90.0
"""How long a process waits for the others; less than the time after which a node counts as lost."""
ANSWER_S = 30.0
"""How long the store may take to answer; then it counts as gone."""
LOOPBACK = "127.0.0.1"
_LOOK_EVERY_S = 0.05
_LARGEST = 4096
_ELSEWHERE = "192.0.2.1"
"""Of no machine (RFC 5737); no packet is sent there."""


class RendezvousError(RuntimeError):
    """The processes of an attempt did not meet in time."""


@dataclass(frozen=True, slots=True)
class Meeting:
    """Where the store of an attempt is."""

    address: str
    port: int
    nonce: str
    """Of the attempt."""


def host(spec: LaunchSpec) -> tuple[Meeting, Store]:
    """Open the store and say where it is; for the first part. Raises `OSError`."""
    address = own_address(len(spec.parts))
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as listener:
        listener.bind((address, 0))
        listener.listen(socket.SOMAXCONN)
        meeting = Meeting(address, listener.getsockname()[1], spec.nonce)
        store = TCPStore(
            address,
            meeting.port,
            is_master=True,
            wait_for_workers=False,
            timeout=timedelta(seconds=ANSWER_S),
            master_listen_fd=listener.detach(),
        )
    text = json.dumps(asdict(meeting))
    wait_for_space(lambda: write_text(spec.folder / FILE, text, durable=False))
    return meeting, PrefixStore(spec.nonce, store)


def join(spec: LaunchSpec, limit_s: float = WAIT_S) -> tuple[Meeting, Store]:
    """Reach the store of the attempt. Raises `RendezvousError` after `limit_s` seconds."""
    deadline = time.monotonic() + limit_s
    while (meeting := _read(spec)) is None:
        if time.monotonic() >= deadline:
            raise RendezvousError(
                f"rank 0 on {spec.parts[0].node} did not say within {limit_s:g} s where to meet"
            )
        time.sleep(_LOOK_EVERY_S)
    store = _connect(spec, meeting, max(1.0, deadline - time.monotonic()))
    store.set_timeout(timedelta(seconds=ANSWER_S))
    return meeting, PrefixStore(spec.nonce, store)


def _connect(spec: LaunchSpec, meeting: Meeting, limit_s: float) -> Store:
    """In a thread, because the library waits for ever for a node that takes no part any more."""
    found: list[Store | DistError] = []

    def connect() -> None:
        timeout = timedelta(seconds=limit_s)
        where = (meeting.address, meeting.port)
        try:
            found.append(TCPStore(*where, is_master=False, wait_for_workers=False, timeout=timeout))
        except DistError as error:
            found.append(error)

    thread = threading.Thread(target=connect, name="rendezvous", daemon=True)
    thread.start()
    thread.join(limit_s)
    if found and not isinstance(found[0], DistError):
        return found[0]
    reason = str(found[0]).partition("\n")[0] if found else f"no answer within {limit_s:g} s"
    raise RendezvousError(
        f"rank 0 on {spec.parts[0].node} cannot be reached "
        f"at {meeting.address}:{meeting.port}: {reason}"
    )


def own_address(parts: int) -> str:
    """The address of this node at which the other parts reach it.

    The node's agent names it (`FULCRUM_NODE_ADDRESS`). Otherwise it is loopback for one part, and
    for several parts the address from which the machine reaches others.
    """
    if named := os.environ.get(NODE_ADDRESS):
        return named
    if parts == 1:
        return LOOPBACK
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, suppress(OSError):
        probe.connect((_ELSEWHERE, 9))
        return str(probe.getsockname()[0])
    return LOOPBACK


def interface(address: str) -> str | None:
    """The network interface with that address, or None: the libraries then choose."""
    wanted = ipaddress.ip_address(address)
    inside: str | None = None
    for name, addresses in psutil.net_if_addrs().items():
        for one in addresses:
            if one.family not in (socket.AF_INET, socket.AF_INET6):
                continue
            own = one.address.partition("%")[0]
            if ipaddress.ip_address(own) == wanted:
                return name
            if one.netmask and wanted.is_loopback and ipaddress.ip_address(own).is_loopback:
                inside = name  # 127.0.0.2 is an address of the interface of 127.0.0.1
    return inside


def use_interface(parts: int) -> None:
    """Let gloo and NCCL use the interface of this node's address, unless they are told another."""
    name = interface(own_address(parts))
    if name is not None:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", name)
        if name != interface(LOOPBACK):  # NCCL does without a network inside a machine
            os.environ.setdefault("NCCL_SOCKET_IFNAME", name)


def _read(spec: LaunchSpec) -> Meeting | None:
    """What the first part says; None if it has not said anything, or another attempt has."""
    try:
        with regular(spec.folder / FILE) as file:
            found = Meeting(**json.loads(file.read(_LARGEST)))
    except (OSError, ValueError, TypeError):
        return None
    return found if found.nonce == spec.nonce else None
