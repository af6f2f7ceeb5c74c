"""Where the head is that a service has started, so that its next start finds it."""

from __future__ import annotations

from pathlib import Path

from scheduler.files import write_text

FILE = Path("ray") / "head"
"""In the data folder: HOST:PORT."""


def read(data_dir: Path) -> tuple[str, int] | None:
    """Host and port; None if the last start had no head."""
    try:
        host, _, port = (data_dir / FILE).read_text().strip().rpartition(":")
    except OSError:
        return None
    return (host, int(port)) if host and port.isdecimal() else None


def write(data_dir: Path, address: str) -> None:
    """Keep HOST:PORT of the head."""
    write_text(data_dir / FILE, address, private=True)


def forget(data_dir: Path) -> None:
    """The service runs jobs on its own machine from now on."""
    (data_dir / FILE).unlink(missing_ok=True)
