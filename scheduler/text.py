"""How any text is shown, names of files that are no UTF-8 included."""

from __future__ import annotations


def shown(text: str) -> str:
    r"""`text` as it can be stored and sent: a lone surrogate becomes an escape (`\udcff`)."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
