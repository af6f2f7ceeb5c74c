"""The command line of benchmarks that take one file or folder."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path


def parser(doc: str | None, name: str) -> argparse.ArgumentParser:
    """A parser whose help is a module's docstring. `name`: of the module in `benchmarks`."""
    return argparse.ArgumentParser(
        description=doc,
        prog=f"python -m benchmarks.{name}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def path(doc: str | None, name: str, default: Path, given: Sequence[str] | None = None) -> Path:
    """The one argument of a benchmark, a path that may be left out."""
    own = parser(doc, name)
    own.add_argument("path", nargs="?", type=Path, default=default, help=f"default: {default}")
    chosen: Path = own.parse_args(given).path
    return chosen
