"""Where commands print: tables for people, JSON for programs, errors on stderr."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

WIDE = 400
"""Columns of a line when the output is no terminal: nothing is cut off in a pipe."""


def out() -> Console:
    """The console of stdout; plain and uncut when piped. rich honours NO_COLOR."""
    return _console(stderr=False)


def err() -> Console:
    """The console of stderr."""
    return _console(stderr=True)


def table(*columns: str, title: str | None = None, **options: Any) -> Table:
    """An empty table in the common style; a column named `>x` is right-aligned."""
    result = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=None,
        pad_edge=False,
        padding=(0, 2, 0, 0),
        header_style="bold",
        **options,
    )
    for column in columns:
        right = column.startswith(">")
        result.add_column(
            column.removeprefix(">"),
            justify="right" if right else "left",
            no_wrap=right,
            overflow="fold",
        )
    return result


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
    return Console(stderr=stderr, width=width, highlight=False, emoji=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
