"""The service's address and token: from arguments, the environment or the data folder."""

from __future__ import annotations

import os
import re
import socket
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

ADDRESS_FILE = "address"
"""In the data folder, written by `fulcrum serve` (0600): the URL it listens on."""
TOKEN_FILE = "token"
"""In the data folder (0600): the token that was made on first start."""

DEFAULT_PORT = 8470
_TOKEN = re.compile(r"[\x21-\x7e]*")
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
    proves: bool = False
    """The token was found in the data folder: the service must prove that it knows it."""


class AddressError(ValueError):
    """An address or a token is impossible; `field` is where it was given."""

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field


def find(
    url: str | None = None, token: str | None = None, data_dir: str | Path | None = None
) -> Connection:
    """The connection in force.

    The URL is the argument, else $FULCRUM_URL, else what `fulcrum serve` left in the data
    folder, else the default port on this machine. The token is the argument, else
    $FULCRUM_TOKEN, else the file in the data folder; the file's token is only ever sent to the
    service of that data folder, once it has proved that it is. Raises `AddressError` for a URL
    that is not http(s), and for a token that cannot be one (which is not repeated).
    """
    folder: Path | None = None
    if url := url or os.environ.get("FULCRUM_URL"):
        origin = "given"
    else:
        folder = data_folder(data_dir)
        url, origin = _local_address(folder)
    url = url.rstrip("/")
    if not _usable(url):
        raise AddressError(
            f"{url!r} is not the URL of a service, such as http://127.0.0.1:8470", "--url"
        )
    field = "token" if token else "FULCRUM_TOKEN"
    if given := _sendable(token or os.environ.get("FULCRUM_TOKEN"), field):
        return Connection(url, given, origin)
    folder = folder or data_folder(data_dir)
    if origin == "given" and not _same(url, _local_address(folder)[0]):
        return Connection(url, None, origin)
    file = folder / TOKEN_FILE
    return Connection(url, _sendable(_content(file), str(file)), origin, proves=True)


def _usable(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # half an IPv6 address, a port that is no number
        return False


def reachable(host: str, port: int) -> str:
    """The URL by which this machine reaches a service that listens on `host` and `port`."""
    here = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{here}]:{port}" if ":" in here else f"http://{here}:{port}"


def reachable_elsewhere(host: str, port: int) -> str:
    """The URL by which other machines reach a service that listens on `host` and `port`.

    One that listens on every address of its machine goes by the machine's name.
    """
    name = socket.gethostname() if host in {"0.0.0.0", "::"} else host
    return reachable(name, port)


def _sendable(token: str | None, field: str) -> str | None:
    """The token without the spaces and line ends around it; None: there is none."""
    token = (token or "").strip()
    if not _TOKEN.fullmatch(token):
        raise AddressError(
            f"what is in {field} is no token: it has spaces or other characters than visible "
            "ASCII ones inside",
            field,
        )
    return token or None


def data_folder(data_dir: str | Path | None = None) -> Path:
    """The service's data folder as its own settings name it."""
    if named := data_dir or os.environ.get("FULCRUM_DATA_DIR"):
        from scheduler.files import expanded

        return expanded(named).absolute()
    from scheduler.settings_file import default_data_dir, find_file

    if find_file() is None:
        return default_data_dir()
    from scheduler.settings import load  # takes several times as long to import

    return load().data_dir


def _local_address(folder: Path) -> tuple[str, str]:
    if address := _content(folder / ADDRESS_FILE):
        return address, f"from {folder / ADDRESS_FILE}"
    from scheduler.settings import load

    settings = load()
    return reachable(settings.host, settings.port or DEFAULT_PORT), "where the settings say"


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
