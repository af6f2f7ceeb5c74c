"""The constants of an ONNX model, read without ONNX Runtime."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agents.serving.protobuf import fields, number

_GRAPH = 7
"""Number of the field `graph` of `ModelProto` in onnx.proto; below: of `GraphProto`, `TensorProto`.
"""
_INITIALIZER = 5
_DIMS, _DATA_TYPE, _NAME, _RAW_DATA = 1, 2, 8, 9
_FLOAT = 1


def constants(model: bytes) -> dict[str, NDArray[np.float32]]:
    """Name → values of the constants of single precision; nothing of a damaged model."""
    found: dict[str, NDArray[np.float32]] = {}
    try:
        for name, graph, _ in fields(model):
            if name == _GRAPH and isinstance(graph, bytes):
                for part, tensor, _ in fields(graph):
                    if part == _INITIALIZER and isinstance(tensor, bytes):
                        found.update(_tensor(tensor))
    except (IndexError, UnicodeDecodeError, ValueError):
        return {}
    return found


def _tensor(content: bytes) -> dict[str, NDArray[np.float32]]:
    dims: list[int] = []
    name, kind, raw = "", 0, b""
    for part, value, _ in fields(content):
        if part == _DIMS:
            dims += [value] if isinstance(value, int) else _numbers(value)
        elif part == _DATA_TYPE and isinstance(value, int):
            kind = value
        elif part == _NAME and isinstance(value, bytes):
            name = value.decode()
        elif part == _RAW_DATA and isinstance(value, bytes):
            raw = value
    if kind != _FLOAT or not raw:
        return {}
    return {name: np.frombuffer(raw, dtype="<f4").reshape(dims).astype(np.float32)}


def _numbers(content: bytes) -> list[int]:
    """A packed list."""
    found, at = [], 0
    while at < len(content):
        value, at = number(content, at)
        found.append(value)
    return found
