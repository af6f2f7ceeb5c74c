"""Where the service is and how to be let in: arguments, environment, the data folder."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

ADDRESS_FILE = "address"
"""In the data folder, written by `fulcrum serve` (0600): the URL it listens on."""
TOKEN_FILE = "token"
"""In the data folder (0600): the token that was made on first start."""

LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Connection:
    """A service's address and the token for it."""

    url: str
    """Without a slash at its end."""
    token: str | None = field(repr=False)
    """None: none was found."""
    origin: str
    """Where the URL comes from, for messages."""


def find(
    url: str | None = None, token: str | None = None, data_dir: str | Path | None = None
) -> Connection:
    """The connection in force.

    The URL is the argument, else $FULCRUM_URL, else what `fulcrum serve` left in the data
    folder, else the default port on this machine. The token is the argument, else
    $FULCRUM_TOKEN, else the file in the data folder; the file's token is only ever sent to the
    service of that data folder. Raises `ValueError` for a URL that is not http(s).
    """
    folder: Path | None = None
    if url := url or os.environ.get("FULCRUM_URL"):
        origin = "given"
    else:
        folder = data_folder(data_dir)
        url, origin = _local_address(folder)
    url = url.rstrip("/")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{url!r} is not the URL of a service, such as http://127.0.0.1:8470")
    token = token or os.environ.get("FULCRUM_TOKEN") or None
    if token is None:
        folder = folder or data_folder(data_dir)
        if origin != "given" or _same(url, _local_address(folder)[0]):
            token = _content(folder / TOKEN_FILE)
    return Connection(url, token, origin)


def data_folder(data_dir: str | Path | None = None) -> Path:
    """The service's data folder as its own settings name it."""
    if data_dir is not None:
        return Path(data_dir).expanduser().absolute()
    if named := os.environ.get("FULCRUM_DATA_DIR"):
        return Path(named).expanduser().absolute()
    from scheduler.settings import load

    return load().data_dir


def _local_address(folder: Path) -> tuple[str, str]:
    if address := _content(folder / ADDRESS_FILE):
        return address, f"from {folder / ADDRESS_FILE}"
    return "http://127.0.0.1:8470", "the default"


def _content(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8").strip() or None
    except OSError:
        return None


def _same(left: str, right: str) -> bool:
    def key(url: str) -> tuple[str, str | None, int | None]:
        parts = urlsplit(url)
        host = "loopback" if parts.hostname in LOOPBACK else parts.hostname
        return parts.scheme, host, parts.port

    return key(left) == key(right)
