"""The help page of a group as typer prints it, without its Markdown and traceback printers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.columns import Columns
from rich.console import Console
from rich.highlighter import RegexHighlighter
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text
from rich.theme import Theme
from typer.core import TyperOption

if TYPE_CHECKING:
    from typer.core import TyperGroup

_STYLES = {
    "option": "bold cyan",
    "switch": "bold green",
    "types": "bold yellow",
    "types_sep": "dim",
    "usage": "yellow",
}


class _Options(RegexHighlighter):
    highlights = [  # noqa: RUF012 - as the base class has it
        r"(^|\W)(?P<switch>\-\w+)(?![a-zA-Z0-9])",
        r"(^|\W)(?P<option>\-\-[\w\-]+)(?![a-zA-Z0-9])",
        r"(?P<types>\<[^\>]+\>)",
        r"(?P<usage>Usage: )",
    ]


class _Types(RegexHighlighter):
    highlights = [r"^(?P<types_sep><)", r"(?P<types_sep>>)$"]  # noqa: RUF012 - as above


def show(group: TyperGroup, ctx: Any) -> None:
    """Print usage, options, and the commands by panel."""
    mark, types = _Options(), _Types()
    console = Console(theme=Theme(_STYLES), highlighter=mark)
    console.print(Padding(mark(group.get_usage(ctx)), 1), style="bold")
    console.print(Padding(mark(Text(group.help or "")), (0, 1, 1, 1)))
    options = _table()
    for option in group.get_params(ctx):
        if isinstance(option, TyperOption) and not option.hidden:
            long = ",".join(name for name in option.opts if name.startswith("--"))
            short = ",".join(name for name in option.opts if not name.startswith("--"))
            kind = types(Text(option.display_type_rich(ctx=ctx) or "", style="bold yellow"))
            text = Columns([mark(Text(option.help or ""))])
            options.add_row(mark(long), mark(short), "", "", kind, text)
    console.print(_panel(options, "Options"))
    panels: dict[str, Table] = {}
    width = max(map(len, group.commands))
    for name, command in group.commands.items():
        title = getattr(command, "rich_help_panel", None) or "Commands"
        if title not in panels:
            panels[title] = _table()
            panels[title].add_column(style="bold cyan", no_wrap=True, width=width)
            panels[title].add_column(ratio=10)
        panels[title].add_row(Text(name), mark(Text(command.help or "")))
    for title, table in panels.items():
        console.print(_panel(table, title))
    if group.epilog:
        console.print(Padding(mark(Text(group.epilog)), 1))


def _table() -> Table:
    return Table(show_header=False, expand=True, box=None, pad_edge=False, padding=(0, 1))


def _panel(table: Table, title: str) -> Panel:
    return Panel(table, border_style="dim", title=title, title_align="left")
