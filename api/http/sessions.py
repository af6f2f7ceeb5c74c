"""Sessions of the web page: a cookie that stands for a token.

A browser keeps the cookie where no script can read it. The service keeps the SHA-256 of each
session's secret in `<data>/sessions.json` (0600), so that a restart signs nobody out and a stolen
file opens nothing. A session ends when its time is over, when its user signs out, or as soon as its
token is revoked.
"""

from __future__ import annotations

import json
import logging
import secrets
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from api.client import proof
from api.http.auth import Caller, TokenAuthenticator
from scheduler.clock import Clock
from scheduler.files import write_text

FILE = "sessions.json"
LIFETIME_S = 14 * 86_400.0
MOST = 1000
"""Sessions at the same time; beyond that the one that ends first is ended."""
SAFE = ("GET", "HEAD")
"""Methods that change nothing."""
HEADER = "fulcrum-page"
"""A request that changes something must have this header beside the cookie. No form of another
site can send it, and no script of another origin may."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Session:
    """One sign-in."""

    token_sha256: str
    until: float
    """Unix seconds."""


class Sessions:
    """Signs in and out, and tells whose a session is. Thread-safe."""

    def __init__(self, data_dir: Path, authenticator: TokenAuthenticator, clock: Clock) -> None:
        self._file = data_dir / FILE
        self._authenticator = authenticator
        self._clock = clock
        self._lock = threading.Lock()
        self._sessions = dict(self._read())

    def begin(self, token: str) -> tuple[str, Caller] | None:
        """A new session's secret and its user; None if the token is not valid."""
        caller = self._authenticator.identify(f"Bearer {token}")
        if caller is None:
            return None
        secret, now = secrets.token_urlsafe(32), self._clock.now()
        with self._lock:
            live = {key: one for key, one in self._sessions.items() if one.until > now}
            while len(live) >= MOST:
                del live[min(live, key=lambda key: live[key].until)]
            live[proof.digest(secret)] = Session(proof.digest(token.strip()), now + LIFETIME_S)
            self._save(live)
        return secret, caller

    def caller(self, secret: str) -> Caller | None:
        """Whose session it is; None if it has ended."""
        session = self._sessions.get(proof.digest(secret))
        if session is None or session.until <= self._clock.now():
            return None
        return self._authenticator.owner(session.token_sha256)

    def end(self, secret: str) -> None:
        """Forget a session."""
        with self._lock:
            left = dict(self._sessions)
            if left.pop(proof.digest(secret), None) is not None:
                self._save(left)

    def _save(self, sessions: dict[str, Session]) -> None:
        text = json.dumps({key: asdict(one) for key, one in sessions.items()}, indent=1)
        write_text(self._file, text, private=True)
        self._sessions = sessions

    def _read(self) -> Mapping[str, Session]:
        """The stored sessions; none if there are none or their file is damaged."""
        try:
            entries = json.loads(self._file.read_text(encoding="utf-8"))
            return {key: Session(**entry) for key, entry in entries.items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, AttributeError) as error:
            _log.error("everybody must sign in again, %s cannot be read: %s", self._file, error)
            return {}


def cookie_name(port: int) -> str:
    """The cookie's name; cookies of services on other ports of the same host are not replaced."""
    return f"fulcrum-session-{port}"


def secret_of(cookies: str, port: int) -> str | None:
    """The session's secret in a Cookie header."""
    name = cookie_name(port)
    for part in cookies.split(";"):
        key, _, value = part.strip().partition("=")
        if key == name and value:
            return value
    return None
