"""Text from outside: what may be stored, how any text is shown, and hints for unknown names."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

LEGAL = "text of whole Unicode characters, without zero bytes"

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def storable(text: str) -> str:
    r"""`text` itself. Raises `ValueError` if it holds a zero byte or half a character.

    Half a character (a lone surrogate) comes from JSON (`"\ud83d"`) and from names of files that
    are not UTF-8. UTF-8 cannot hold it, so no database, no JSON answer and no terminal can.
    """
    found = _UNSTORABLE.search(text)
    if found is None:
        return text
    what = "a zero byte" if found[0] == "\0" else f"half a character ({ascii(found[0])[1:-1]})"
    raise ValueError(f"holds {what} at position {found.start()}; legal: {LEGAL}")


def unstorable(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """(field, what is wrong) for each text inside `value` that cannot be stored.

    `path` is the field that holds `value`; below it, keys and positions follow with dots.
    """
    if isinstance(value, str):
        try:
            storable(value)
        except ValueError as error:
            yield path, str(error)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            below = f"{path}.{shown(str(key))}"
            yield from unstorable(str(key), below)
            yield from unstorable(item, below)
    elif isinstance(value, list | tuple):
        for position, item in enumerate(value):
            yield from unstorable(item, f"{path}.{position}")


def shown(text: str) -> str:
    r"""`text` with escapes (`\udcff`, `\x00`) for what can be neither stored nor sent."""
    if _UNSTORABLE.search(text) is None:
        return text
    return text.replace("\0", r"\x00").encode("utf-8", "backslashreplace").decode("utf-8")


def unknown(what: str, name: str, legal: Iterable[str]) -> str:
    """`unknown WHAT; did you mean 'epochs'? legal: epochs, …`, the hint if a name is close."""
    names = [str(each) for each in legal]
    close = difflib.get_close_matches(name, names, n=1)
    hint = f" did you mean {close[0]!r}?" if close else ""
    return f"unknown {what};{hint} legal: {', '.join(names)}"
