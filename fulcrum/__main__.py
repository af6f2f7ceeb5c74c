"""`python -m fulcrum`: the command line."""

from __future__ import annotations

import sys

from fulcrum.packages import check


def main() -> None:
    """Run the `fulcrum` command; it ends the process with an exit code of docs/cli.md."""
    try:
        check()
    except ImportError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(7)
    # httpx also imports its command line, which takes half of its import time. None: not installed.
    sys.modules["httpx._main"] = None  # type: ignore[assignment]
    from api.cli.main import main as command

    command()


if __name__ == "__main__":
    main()
