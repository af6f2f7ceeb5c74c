"""The end of a file that a job writes, found by reading blocks backwards.

Memory is bounded by a few blocks per request; the work by `BACK`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from scheduler.files import regular

BLOCK = 64 * 1024
"""Bytes read at a time."""
LINE = 64 * 1024
"""Bytes shown of a line; of a longer one the last, behind a mark."""
MARK = b"[the start of this line is left out] "
BACK = 64 * 1024**2
"""Bytes looked at from the end of a file; lines before them count as not there."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of a file that are shown."""

    start: int
    end: int
    cut: bool = False
    """Whether its first line begins before it."""


def starts(file: BinaryIO, end: int, back: int = BACK) -> Iterator[int]:
    """Where the lines before `end` begin, last first; `back` may cut the earliest."""
    floor = max(0, end - back)
    position = end
    while position > floor:
        start = max(floor, position - BLOCK)
        file.seek(start)
        block = file.read(position - start)
        at = len(block)
        while (at := block.rfind(b"\n", 0, at)) >= 0:
            # The newline that ends the file begins no line.
            if start + at + 1 < end:
                yield start + at + 1
        position = start
    if end > floor:
        yield floor


def tail(path: Path, lines: int, back: int = BACK) -> list[Piece]:
    """The last `lines` lines of a file, in order; none if it does not exist."""
    found: list[Piece] = []
    try:
        file = regular(path)
    except FileNotFoundError:
        return found
    with file:
        end = stop = file.seek(0, 2)
        for start in islice(starts(file, end, back), lines):
            shown = max(start, stop - LINE)
            cut = shown > start or start == end - back
            # What follows without a gap is one piece with it: a million lines cost no memory.
            joined = bool(found) and not found[-1].cut
            found.append(Piece(shown, found.pop().end if joined else stop, cut))
            stop = start
    return found[::-1]


def read(path: Path, pieces: list[Piece]) -> Iterator[bytes]:
    """The bytes of `pieces`, block by block."""
    with regular(path) as file:
        for piece in pieces:
            if piece.cut:
                yield MARK
            file.seek(piece.start)
            left = piece.end - piece.start
            while left > 0 and (block := file.read(min(left, BLOCK))):
                yield block
                left -= len(block)


def blocks(parts: Iterable[bytes]) -> Iterator[bytes]:
    """`parts` joined to blocks worth sending."""
    held: list[bytes] = []
    size = 0
    for part in parts:
        held.append(part)
        size += len(part)
        if size >= BLOCK:
            yield b"".join(held)
            held, size = [], 0
    yield b"".join(held)
