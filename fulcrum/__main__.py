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
    from api.cli.main import main as command

    command()


if __name__ == "__main__":
    main()
