"""Lines of a log: only a newline ends one, whatever else a job writes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

MOST = 64 * 1024
"""Bytes of one line; a longer one comes in pieces."""


def split(blocks: Iterable[bytes]) -> Iterator[str]:
    """The lines in `blocks`, without their ends (newline, or carriage return and newline)."""
    rest = b""
    for block in blocks:
        *ended, rest = (rest + block).split(b"\n")
        for line in ended:
            yield from _pieces(line.removesuffix(b"\r"))
        while len(rest) > MOST:
            end = whole(rest, MOST)
            yield text(rest[:end])
            rest = rest[end:]
    if rest:
        yield text(rest)


def whole(block: bytes, end: int) -> int:
    """The greatest position up to `end` that splits no UTF-8 character of `block`."""
    cut = end
    while cut > max(end - 4, 0) and cut < len(block) and block[cut] & 0xC0 == 0x80:
        cut -= 1
    return cut if cut > max(end - 4, 0) else end


def text(line: bytes) -> str:
    """The line for people: bytes that are not UTF-8 become U+FFFD."""
    return line.decode("utf-8", "replace")


def _pieces(line: bytes) -> Iterator[str]:
    while len(line) > MOST:
        end = whole(line, MOST)
        yield text(line[:end])
        line = line[end:]
    yield text(line)
