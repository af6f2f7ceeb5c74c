"""Unix sockets in the run folder: one message is one JSON object.

- that of a fork server (`Setup.socket`): launches and pings go in, one `hello`, pongs and
  refusals come out.
- `service.sock`: the service's; supervisors and workers tell it at once what happened. A message
  lost here is no harm, the executor's files of the attempt say the same.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

SERVICE = "service.sock"
LIMIT = 65536
"""Longest message (bytes)."""
_INT = struct.calcsize("i")


def listen(path: Path) -> socket.socket:
    """A fork server's socket, in place of one that an earlier server left."""
    return _bound(socket.SOCK_SEQPACKET, path, backlog=8)


def connect(path: Path) -> socket.socket:
    """Connect to a fork server. Raises `OSError` if none listens, or its queue is full."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.setblocking(False)
    try:
        with _address(path) as address:
            connection.connect(address)
    except BaseException:
        connection.close()
        raise
    return connection


def peer(connection: socket.socket) -> int:
    """The pid of the process at the other end, as the kernel noted it."""
    noted = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 3 * _INT)
    return int.from_bytes(noted[:_INT], sys.byteorder)


def mailbox(folder: Path) -> socket.socket:
    """Where the service receives notices, in place of an earlier service's."""
    box = _bound(socket.SOCK_DGRAM, folder / SERVICE)
    box.setblocking(False)
    return box


def notify(folder: Path, message: Mapping[str, Any], *, patience_s: float = 0.0) -> bool:
    """Tell the service, if one is there; waits at most `patience_s` while its mailbox is full."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.settimeout(patience_s)
        try:
            with _address(folder / SERVICE) as address:
                sender.sendto(encode(message), address)
        except OSError:
            return False
    return True


def waits(folder: Path, attempt: str, error: OSError) -> None:
    """Tell the service that the attempt cannot record how far it is."""
    notify(folder, {"waits": attempt, "error": str(error)})


def receive(receiver: socket.socket) -> dict[str, Any] | None:
    """The next message; None at the end of the connection. Raises `BlockingIOError`.

    What is no message, which any program of this user may send, is an empty one.
    """
    try:
        data = receiver.recv(LIMIT)
    except ConnectionError:
        return None
    if not data:
        return None
    try:
        message = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return message if isinstance(message, dict) else {}


def encode(message: Mapping[str, Any]) -> bytes:
    """A message as it travels."""
    return json.dumps(message).encode()


def _bound(kind: socket.SocketKind, path: Path, backlog: int | None = None) -> socket.socket:
    path.unlink(missing_ok=True)
    bound = socket.socket(socket.AF_UNIX, kind)
    try:
        with _address(path) as address:
            bound.bind(address)
        if backlog is not None:
            bound.listen(backlog)
    except BaseException:
        bound.close()
        raise
    return bound


@contextlib.contextmanager
def _address(path: Path) -> Iterator[str]:
    """A short name of `path`: an address holds 107 bytes only, folders may be deeper."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
