"""Where the head is that a service has started, so that its next start finds it."""

from __future__ import annotations

from pathlib import Path

from scheduler.files import write_text
from scheduler.settings import Settings

FILE = Path("ray") / "head"
"""In the data folder: HOST:PORT."""


def read(data_dir: Path) -> tuple[str, int] | None:
    """Host and port; None if the last start had no head."""
    try:
        host, _, port = (data_dir / FILE).read_text().strip().rpartition(":")
    except OSError:
        return None
    return (host, int(port)) if host and port.isdecimal() else None


def remembered(settings: Settings) -> str | None:
    """HOST:PORT of the head that `fulcrum serve` uses without an option; None: it uses none.

    Settings that name an executor take precedence over the last start.
    """
    found = read(settings.data_dir)
    if found is None or "kind" in settings.executor.model_fields_set:
        return None
    return f"{found[0]}:{found[1]}"


def keep(data_dir: Path, address: str | None) -> None:
    """Keep HOST:PORT of the head; None: the service runs jobs without one from now on."""
    if address is None:
        (data_dir / FILE).unlink(missing_ok=True)
    else:
        write_text(data_dir / FILE, address, private=True)
