"""Lines of a job's log on a terminal: its colours stay, and it gets no other control of it."""

from __future__ import annotations

import re

from rich.console import Console
from rich.text import Text

from api.cli.support.text_format import escaped

_COLOUR = re.compile(r"(\x1b\[[0-9;:]*m)")
"""Select Graphic Rendition (ECMA-48): colours, bold, underlined."""


def print_log_line(line: str, console: Console) -> None:
    """Print one line of a log; a pipe or a file gets it as it is."""
    if console.is_terminal:
        console.print(shown(line), soft_wrap=True)
    else:
        print(line, file=console.file, flush=True)


def shown(line: str) -> Text:
    r"""Return the line with its colours, and all other control characters as `\x1b`.

    Of a line that was written over, as by a progress bar, the last state is shown.
    """
    newest = line.rstrip("\r").rpartition("\r")[2]
    parts = _COLOUR.split(newest)  # text and colours by turns
    return Text.from_ansi(
        "".join(part if place % 2 else escaped(part) for place, part in enumerate(parts))
    )
