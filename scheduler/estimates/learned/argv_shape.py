"""The shape of a command line: what is left when numbers may be any."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

_ID = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"  # a UUID
    r"|(?=[0-9a-f]*[0-9])(?=[0-9a-f]*[a-f])[0-9a-f]{8,}"  # a hexadecimal digest
    r")(?![A-Za-z0-9])"
)
_NUMBER = re.compile(r"(?<![A-Za-z0-9])[+-]?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?")
_SEPARATOR = "\x1f"
"""Stands between arguments: no shell passes it by accident."""


def shape_of(argv: Sequence[str], cwd: str = "") -> str:
    """Arguments and folder with `#` in place of every number, UUID and hexadecimal digest.

    A number begins after a character that is neither a letter nor a digit, so words with digits
    stay: `train.py --lr 0.1 --model resnet18` and `train.py --lr 3e-4 --model resnet18` have one
    shape, `--model resnet50` has another. A unit after a number stays: `10m` gives `#m`.
    """
    return _shape((*argv, cwd))


@lru_cache(maxsize=20_000)
def _shape(words: tuple[str, ...]) -> str:
    return _SEPARATOR.join(_NUMBER.sub("#", _ID.sub("#", word)) for word in words)
