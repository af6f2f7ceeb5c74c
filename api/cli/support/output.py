"""Where commands print: tables for people, JSON for programs, errors on stderr."""

from __future__ import annotations

import json
import math
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.segment import Segment

from api.cli.support.tables import WIDE, FittingTable
from api.cli.support.text_format import escaped

_SPACES = re.compile(r" +(?=\n)")


class SafeConsole(Console):
    """A console that obeys no terminal code in a text, and writes no spaces at the end of a line.

    Names, reasons and arguments of jobs come from other people. Their control characters would
    move the cursor, set the title or clear the screen of the person who reads them.
    """

    def _render_buffer(self, buffer: Iterable[Segment]) -> str:
        return super()._render_buffer(_safe(buffer))


def out() -> Console:
    """The console of stdout; plain and uncut when piped. rich honours NO_COLOR."""
    return _console(stderr=False)


def err() -> Console:
    """The console of stderr."""
    return _console(stderr=True)


def table(
    *columns: str,
    title: str | None = None,
    drop: Sequence[str] = (),
    least: Mapping[str, int] | None = None,
) -> FittingTable:
    """An empty table in the common style; `FittingTable` tells what the arguments mean."""
    return FittingTable(columns, title=title, drop=drop, least=least)


def facts(title: str | None = None) -> FittingTable:
    """An empty table of names and values."""
    return FittingTable(("!", ""), title=title)


def print_json(value: Any) -> None:
    """Print one JSON document on stdout; infinite numbers become null."""
    print(json.dumps(_finite(value), indent=2, ensure_ascii=False))


def print_line(value: Any) -> None:
    """Print one JSON value on one line and flush it."""
    print(json.dumps(_finite(value), ensure_ascii=False), flush=True)


def print_error(message: str, fields: Mapping[str, str] | None = None, hint: str = "") -> None:
    """Print what is wrong, the field, and what is legal."""
    console = err()
    console.print(f"[bold red]error:[/] {escape(message)}", soft_wrap=True)
    for name, advice in (fields or {}).items():
        # The sentence may already say this about this field.
        if f"{name}: {advice}" not in message and (advice not in message or len(fields or {}) > 1):
            console.print(f"  [bold]{escape(name)}[/]: {escape(advice)}", soft_wrap=True)
    if hint:
        console.print(f"  [dim]{escape(hint)}[/]", soft_wrap=True)


def print_continues(what: str, numbers: Sequence[str], cancel: str) -> None:
    """Print that these jobs or sweeps go on after Ctrl-C, and how to stop them."""
    several = len(numbers) > 1
    words = (
        f"{what}s {', '.join(numbers)} continue" if several else f"{what} {numbers[0]} continues"
    )
    stop = f"to stop {'them' if several else 'it'}: {cancel} {' '.join(numbers)}"
    err().print(escape(f"{words}; {stop}"), style="dim", soft_wrap=True)


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or os.environ.get("COLUMNS") else WIDE
    return SafeConsole(stderr=stderr, width=width, highlight=False, emoji=False)


def _safe(segments: Iterable[Segment]) -> list[Segment]:
    """Segments of the same text without control characters, and without spaces before line ends."""
    result: list[Segment] = []
    ends = False  # whether a line ends after this segment
    for segment in reversed(list(segments)):
        text, style, control = segment
        if not control:
            text = _SPACES.sub("", escaped(text))
            text = text.rstrip(" ") if ends else text
            ends = text.startswith("\n") if text else ends
        result.append(Segment(text, style, control))
    return result[::-1]


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
