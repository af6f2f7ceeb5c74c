"""The command line of benchmarks that take one file or folder."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from scheduler.files import write_text

PRINTED = Path("-")
"""In place of a file."""


def parser(doc: str | None, name: str) -> argparse.ArgumentParser:
    """A parser whose help is a module's docstring. `name`: of the module in `benchmarks`."""
    return argparse.ArgumentParser(
        description=doc,
        prog=f"python -m benchmarks.{name}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_json(own: argparse.ArgumentParser) -> None:
    """Add `--json [FILE]`: figures as JSON into a file, or printed without one."""
    own.add_argument(
        "--json",
        nargs="?",
        type=Path,
        const=PRINTED,
        metavar="FILE",
        help="write the figures as JSON into FILE, or print them without one",
    )


def write_json(content: object, where: Path) -> None:
    """Write what `--json` asked for. The file is whole or not written."""
    text = json.dumps(content)
    if where == PRINTED:
        print(text)
    else:
        where.parent.mkdir(parents=True, exist_ok=True)
        write_text(where, text + "\n")


def path(doc: str | None, name: str, default: Path, given: Sequence[str] | None = None) -> Path:
    """The one argument of a benchmark, a path that may be left out."""
    own = parser(doc, name)
    own.add_argument("path", nargs="?", type=Path, default=default, help=f"default: {default}")
    chosen: Path = own.parse_args(given).path
    return chosen
