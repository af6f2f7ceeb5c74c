"""Tables that fit the terminal: columns are left out, and no figure is ever cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace
from typing import NamedTuple

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

WIDE = 10_000
"""Characters of a line when the output is no terminal: nothing is cut off in a pipe."""
GAP = 2
"""Characters between two columns."""
LEAST = 10
"""Characters that a column of text keeps beside others."""
WORD = 24
"""A longer word may be broken."""
FIGURE, NAME, TEXT = ">", "!", "~"
"""Marks of columns, see `FittingTable`."""


class _Need(NamedTuple):
    """Characters that a column takes."""

    least: int
    whole: int
    """On one line."""


class FittingTable(Table):
    """A table that leaves out columns where the terminal is too narrow for all of them.

    The first character of a column's name says what happens to its cells:

    - `>`: a figure; on the right, on one line, never cut;
    - `!`: a name, a state or a time; on one line, never cut;
    - `~`: text on one line, which ends in … where it is too long;
    - else: text that takes as many lines as it needs; no word of up to 24 characters is broken.

    Headers may break between words. `drop`: columns that are left out first, the least important
    one first. If that is not enough, the last columns go too, and a line below the table names
    them. `least`: characters that a column of text keeps beside others, if not 10.
    """

    def __init__(
        self,
        columns: Sequence[str],
        *,
        title: str | None = None,
        drop: Sequence[str] = (),
        least: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__(
            box=None,
            pad_edge=False,
            padding=(0, GAP, 0, 0),
            header_style="bold",
            show_header=any(name.lstrip(FIGURE + NAME + TEXT) for name in columns),
        )
        self._heading = title
        self._drop = drop
        self._least = least or {}
        self._marks: dict[int, str] = {}
        for place, name in enumerate(columns):
            mark = name[:1] if name[:1] in (FIGURE, NAME, TEXT) else ""
            self._marks[place] = mark
            self.add_column(
                name.removeprefix(mark),
                justify="right" if mark == FIGURE else "left",
                no_wrap=mark == TEXT,
                overflow="ellipsis" if mark == TEXT else "fold",
            )

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if self._heading:
            yield Text.from_markup(self._heading, style="bold")
        room = options.max_width
        needs = {place: self._need(place, console, options) for place in self._marks}
        missing = self._left_out(needs, room)
        shown = [place for place in needs if place not in missing]
        widths = _shared([needs[place] for place in shown], room - GAP * (len(shown) - 1))
        fitted = copy(self)
        fitted.columns = [
            replace(self.columns[place], width=width, _index=index)
            for index, (place, width) in enumerate(zip(shown, widths, strict=True))
        ]
        yield from Table.__rich_console__(fitted, console, options)
        unexpected = [
            str(self.columns[place].header)
            for place in sorted(missing)
            if self.columns[place].header not in self._drop
        ]
        if unexpected:
            yield Text(f"no room for {', '.join(unexpected)}; --json has all", style="dim")

    def _need(self, place: int, console: Console, options: ConsoleOptions) -> _Need:
        column, mark = self.columns[place], self._marks[place]
        sizes = [_size(cell, console, options) for cell in column.cells]
        header = _size(column.header, console, options) if self.show_header else Measurement(0, 0)
        line = max((size.maximum for size in sizes), default=0)
        whole = max(header.maximum, line)
        least = self._least.get(str(column.header), LEAST)
        if mark == TEXT:
            return _Need(min(whole, max(header.maximum, least)), whole)
        if mark:
            return _Need(max(header.minimum, line), whole)
        word = max((size.minimum for size in sizes), default=0)
        return _Need(max(header.minimum, min(line, max(least, min(word, WORD)))), whole)

    def _left_out(self, needs: dict[int, _Need], room: int) -> set[int]:
        """The columns for which there is no room."""
        by_name = {str(column.header): place for place, column in enumerate(self.columns)}
        first = [by_name[name] for name in self._drop if name in by_name]
        victims = [*first, *(place for place in reversed(needs) if place and place not in first)]
        missing: set[int] = set()
        for victim in victims:
            taken = [need.least for place, need in needs.items() if place not in missing]
            if sum(taken) + GAP * (len(taken) - 1) <= room:
                break
            missing.add(victim)
        return missing


def _size(cell: RenderableType, console: Console, options: ConsoleOptions) -> Measurement:
    """The longest word of a cell, and its longest line."""
    return Measurement.get(console, options.update(max_width=WIDE), cell)


def _shared(needs: Sequence[_Need], room: int) -> list[int]:
    """Widths of columns: what is left beside the least goes to all alike, to each what it needs."""
    widths = [need.least for need in needs]
    spare = max(0, room - sum(widths))
    order = sorted(range(len(needs)), key=lambda place: needs[place].whole - needs[place].least)
    for rank, place in enumerate(order):
        more = min(needs[place].whole - needs[place].least, spare // (len(order) - rank))
        widths[place] += more
        spare -= more
    return [min(width, room) if len(needs) == 1 else width for width in widths]
