"""Tables for a terminal and for a page, out of the same cells."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.markup import escape

from agents.evaluation.statistics import Interval
from agents.report.format import NONE
from api.cli.support.output import table


@dataclass(frozen=True, slots=True)
class Table:
    """Cells are texts; a column named `>x` is right-aligned."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""
    folded: bool = False
    """Whether a page shows it only when asked."""

    def show(self, console: Console) -> None:
        """Print it."""
        made = table(*self.columns, title=self.title)
        for row in self.rows:
            made.add_row(*map(escape, row))
        console.print(made)
        if self.note:
            console.print(f"[dim]{escape(self.note)}[/]", soft_wrap=True)
        console.print()

    def markdown(self) -> str:
        """For a page; ends without a line break."""
        names = [column.removeprefix(">") for column in self.columns]
        sides = ["--:" if column.startswith(">") else "---" for column in self.columns]
        lines = [_line(names), _line(sides), *(_line(row) for row in self.rows)]
        text = "\n".join(lines) + (f"\n\n{self.note}" if self.note else "")
        if self.folded:
            return f"<details><summary>{self.title}</summary>\n\n{text}\n\n</details>"
        return f"**{self.title}**\n\n{text}"


@dataclass(frozen=True, slots=True)
class Section:
    """What a part has to say."""

    title: str
    text: str
    tables: Sequence[Table]
    plots: Sequence[tuple[str, str]] = field(default=())
    """(file below docs/results/, what it shows)."""


def signed(difference: Interval, *, less: bool = True, digits: int = 1) -> str:
    """`−4.1 % [−5.0, −3.2] ✓` of a relative difference; ✓ better, ✗ worse, nothing: open.

    `less`: whether less is better.
    """
    if not math.isfinite(difference.mean):
        return NONE
    text = f"{_percent(difference.mean, digits)} %"
    if math.isfinite(difference.low):
        low, high = _percent(difference.low, digits), _percent(difference.high, digits)
        text += f" [{low}, {high}]"
    if not difference.significant:
        return text
    return f"{text} {'✓' if (difference.mean < 0) is less else '✗'}"


def number(value: float, digits: int = 3) -> str:
    """With so many digits that say something; `–` for what is no number."""
    if not math.isfinite(value):
        return NONE
    decimals = max(digits - 1 - math.floor(math.log10(abs(value))), 0) if value else 0
    return f"{value:,.{decimals}f}".replace(",", "\u2009").replace("-", "−")


def _percent(share: float, digits: int) -> str:
    text = f"{100 * share:+.{digits}f}".replace("-", "−")
    return text if text.strip("+−0.") else f"{0:.{digits}f}"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
