"""Bearer tokens. Only their digests are stored, so that a stolen file gives no access.

The first token is made when a service starts in an empty data folder, and kept as it is in
`<data>/token` (0600) for the CLI and the SDK on this machine. Further ones are shown once;
`<data>/tokens.json` (0600) holds their SHA-256 only, which is enough for 256 random bits.
"""

from __future__ import annotations

import getpass
import hmac
import json
import logging
import secrets
import threading
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from api.client import proof
from scheduler.domain.errors import InputError, MissingError, StateError
from scheduler.files import write_text
from scheduler.locks import locked

_log = logging.getLogger(__name__)

ADMIN_FILE = "token"
TOKENS_FILE = "tokens.json"
MAX_TOKEN = 512
"""Characters; longer ones are refused unread."""


class Role(StrEnum):
    """What a token allows."""

    ADMIN = "admin"
    """Everything."""
    USER = "user"
    """See everything, submit, cancel and retry own jobs."""
    VIEWER = "viewer"
    """See everything."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request."""

    user: str
    role: Role


@dataclass(frozen=True, slots=True)
class Token:
    """A further token, without its secret text."""

    id: str
    """Public name, for revoking."""
    user: str
    role: Role
    sha256: str
    created_at: float
    """Unix seconds."""


def admin_token(data_dir: Path) -> str:
    """The token of the data folder's owner; made on the first call, then always the same.

    Raises `InputError` if the file exists and holds no token.
    """
    path = data_dir / ADMIN_FILE
    if not path.exists():
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Two services that start at once agree on one token.
        write_text(path, f"{secrets.token_urlsafe(32)}\n", private=True, replace=False)
    if path.stat().st_mode & 0o077:
        path.chmod(0o600)
    token = path.read_text(encoding="ascii").strip()
    if len(token) < 16:
        raise InputError(
            f"{path} holds no token", {"token": "delete the file and a new one is made"}
        )
    return token


def create_token(data_dir: Path, user: str, role: Role | str = Role.USER) -> tuple[str, Token]:
    """A new token for `user`: its text, to be shown once, and its entry.

    A running service honours it at once. Raises `InputError` for a user or role that cannot be.
    """
    if not user or not user.isprintable() or len(user) > 100:
        raise InputError(f"{user!r} is no user", {"user": "1 to 100 printable characters"})
    try:
        role = Role(role)
    except ValueError:
        raise InputError(f"unknown role {role!r}", {"role": ", ".join(Role)}) from None
    text = secrets.token_urlsafe(32)
    token = Token(secrets.token_hex(4), user, role, proof.digest(text), time.time())
    with _locked(data_dir):
        _save(data_dir, [*list_tokens(data_dir), token])
    return text, token


def list_tokens(data_dir: Path) -> list[Token]:
    """The further tokens, oldest first. Raises `InputError` if their file is damaged."""
    path = data_dir / TOKENS_FILE
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))["tokens"]
        return [Token(**{**entry, "role": Role(entry["role"])}) for entry in entries]
    except FileNotFoundError:
        return []
    except (ValueError, KeyError, TypeError):
        raise InputError(f"{path} is damaged", {"tokens": "restore it, or delete it"}) from None


def revoke_token(data_dir: Path, token_id: str) -> Token:
    """Forget a token, by its id or by its user; a running service refuses it at once.

    Raises `MissingError`, and `StateError` if the user has several.
    """
    with _locked(data_dir):
        tokens = list_tokens(data_dir)
        found = [token for token in tokens if token.id == token_id]
        found = found or [token for token in tokens if token.user == token_id]
        if not found:
            known = ", ".join(token.id for token in tokens) or "none"
            raise MissingError(
                f"there is no token {token_id!r}, and no user with one", {"id": f"one of: {known}"}
            )
        if len(found) > 1:
            ids = ", ".join(token.id for token in found)
            raise StateError(f"{token_id} has {len(found)} tokens", {"id": f"one of: {ids}"})
        (gone,) = found
        _save(data_dir, [token for token in tokens if token is not gone])
    return gone


class TokenAuthenticator:
    """Tells who sent a request from its Authorization header. Thread-safe."""

    def __init__(self, data_dir: Path, owner: str | None = None) -> None:
        self._data_dir = data_dir
        self._file = data_dir / TOKENS_FILE
        self._admin = Caller(owner or _os_user(), Role.ADMIN)
        self._admin_digest = proof.digest(admin_token(data_dir))
        self._lock = threading.Lock()
        self._seen: tuple[int, int, int] | None = None
        self._known: Sequence[tuple[str, Caller]] = ()

    def identify(self, header: str | None) -> Caller | None:
        """The owner of the bearer token in `header`, or None.

        All tokens are compared, each in constant time, whichever matches.
        """
        scheme, _, text = (header or "").partition(" ")
        if scheme.lower() != "bearer" or not 0 < len(text) <= MAX_TOKEN:
            return None
        return self.owner(proof.digest(text.strip()))

    def owner(self, digest: str) -> Caller | None:
        """The owner of the token with this SHA-256, or None."""
        found = self._admin if hmac.compare_digest(digest, self._admin_digest) else None
        for known, identity in self._others():
            if hmac.compare_digest(digest, known):
                found = found or identity
        return found

    def proof(self, challenge: str, port: int) -> str:
        """Proof that this service, on `port`, knows the token of its data folder."""
        return proof.proof(self._admin_digest, challenge, port)

    def _others(self) -> Sequence[tuple[str, Caller]]:
        """The further tokens; read again when their file has changed."""
        try:
            stat = self._file.stat()
        except FileNotFoundError:
            return ()
        stamp = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        with self._lock:
            if stamp != self._seen:
                tokens = self._read()
                self._known = [(token.sha256, Caller(token.user, token.role)) for token in tokens]
                self._seen = stamp
            return self._known

    def _read(self) -> Sequence[Token]:
        """The further tokens; none, and a line in the log, while their file cannot be read."""
        try:
            return list_tokens(self._data_dir)
        except (InputError, OSError) as error:
            _log.error("no token but the owner's is honoured: %s", error)
            return ()


def _os_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no entry for this user id, as in some containers
        return "admin"


def _locked(data_dir: Path) -> AbstractContextManager[int | None]:
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    return locked(data_dir / f"{TOKENS_FILE}.lock")


def _save(data_dir: Path, tokens: Sequence[Token]) -> None:
    text = json.dumps({"tokens": [asdict(token) for token in tokens]}, indent=1)
    write_text(data_dir / TOKENS_FILE, text, private=True)
