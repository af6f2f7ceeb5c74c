"""Messages between service and bridge: four bytes of length, then a JSON object."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Mapping
from typing import Any

_HEAD = struct.Struct(">I")
_LONGEST = 256 << 20


class Frames:
    """Both ends of the connection use it; any thread may send, one receives."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lock = threading.Lock()

    def send(self, message: Mapping[str, Any]) -> None:
        """Raises `OSError` if the other end is gone."""
        data = json.dumps(message).encode()
        with self._lock:
            self._connection.sendall(_HEAD.pack(len(data)) + data)

    def receive(self) -> dict[str, Any] | None:
        """The next message; None at the end of the connection. Raises `OSError`, `ValueError`."""
        head = self._read(_HEAD.size)
        if head is None:
            return None
        (length,) = _HEAD.unpack(head)
        if length > _LONGEST:
            raise ValueError(f"a message of {length} bytes is too long")
        data = self._read(length)
        if data is None:
            return None
        message = json.loads(data)
        if not isinstance(message, dict):
            raise TypeError("a message is a JSON object")
        return message

    def close(self) -> None:
        """The other end receives None."""
        self._connection.close()

    def _read(self, length: int) -> bytes | None:
        parts = bytearray()
        while len(parts) < length:
            part = self._connection.recv(min(length - len(parts), 1 << 20))
            if not part:
                return None
            parts += part
        return bytes(parts)
