"""Reads and writes the few parts of protocol buffers that ONNX files need."""

from __future__ import annotations

from collections.abc import Iterator

NUMBER, BYTES = 0, 2
"""Types of a field: a variable-length integer, and what has a length before it."""
_FIXED = {1: 8, 5: 4}
"""Types of a fixed size, in bytes."""


def fields(content: bytes) -> Iterator[tuple[int, int | bytes, int]]:
    """(number of the field, value, where it begins) of a message; fixed-size fields as bytes.

    Raises `IndexError` if the content ends within a field, or is no message.
    """
    at = 0
    while at < len(content):
        begin, (key, at) = at, number(content, at)
        kind = key & 7
        if kind == NUMBER:
            value, at = number(content, at)
            yield key >> 3, value, begin
            continue
        if kind == BYTES:
            size, at = number(content, at)
        elif kind in _FIXED:
            size = _FIXED[kind]
        else:
            raise IndexError(at)
        if at + size > len(content):
            raise IndexError(at)
        yield key >> 3, content[at : at + size], begin
        at += size


def number(content: bytes, at: int) -> tuple[int, int]:
    """A variable-length integer and the position behind it.

    Raises `IndexError` at the end of the content, or for more than 10 bytes.
    """
    value = 0
    for place, byte in enumerate(content[at : at + 10]):
        value |= (byte & 127) << 7 * place
        if byte < 128:
            return value, at + place + 1
    raise IndexError(at)


def field(field_number: int, content: bytes) -> bytes:
    """A length-delimited field; its number is below 16."""
    size, rest = bytearray(), len(content)
    while rest > 127:
        size.append(rest & 127 | 128)
        rest >>= 7
    return bytes([field_number << 3 | BYTES, *size, rest]) + content
