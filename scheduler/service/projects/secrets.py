"""Secrets of projects: encrypted in the store, readable by jobs alone.

The store has each value as Fernet makes it (AES-128-CBC and HMAC-SHA256); the key lies in the data
folder, in a file of its own (0600) that no backup holds.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scheduler.clock import Clock
from scheduler.domain.errors import InputError, MissingError
from scheduler.files import write_text
from scheduler.store.base import Store

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

KEY_FILE = "secrets.key"
SECRETS = "secrets"
"""The setting that keeps the encrypted values."""
_CHANGED = "secrets are changed"
MOST_BYTES = 16_384
"""Of one value, and of all values that one job gets."""


@dataclass(frozen=True, slots=True)
class SecretEntry:
    """A secret without its value."""

    project: str
    name: str
    set_at: float
    """Unix seconds."""
    set_by: str


class SecretVault:
    """The secrets of all projects. Thread-safe."""

    def __init__(
        self, store: Store, key_file: Path, clock: Clock, permit: Callable[[str], None]
    ) -> None:
        """`permit`: called before a change; raises `StateError` if another service leads."""
        self._store, self._key_file, self._clock = store, key_file, clock
        self._permit = permit
        self._lock = threading.Lock()

    def entries(self, project: str | None = None) -> list[SecretEntry]:
        """The secrets of one project or of all, by project and name."""
        return [
            SecretEntry(owner, name, value["set_at"], value["set_by"])
            for owner, found in sorted(self._kept().items())
            for name, value in sorted(found.items())
            if project in (None, owner)
        ]

    def set(self, project: str, name: str, value: str, *, actor: str) -> SecretEntry:
        """Keep a value, in place of an earlier one. Raises `InputError` if it is too long."""
        size = len(value.encode())
        if not 0 < size <= MOST_BYTES or "\0" in value:
            raise InputError(
                "the value cannot be a variable of a program",
                {"value": f"1 to {MOST_BYTES} bytes without a null character"},
            )
        self._permit(_CHANGED)
        now = self._clock.now()
        with self._lock:
            token = self._cipher().encrypt(value.encode()).decode()
            kept = self._kept()
            entry = {"value": token, "set_at": now, "set_by": actor}
            kept[project] = {**kept.get(project, {}), name: entry}
            self._store.set_settings({SECRETS: kept})
        return SecretEntry(project, name, now, actor)

    def remove(self, project: str, name: str) -> None:
        """Forget a secret. Raises `MissingError`."""
        self._permit(_CHANGED)
        with self._lock:
            kept = self._kept()
            if name not in kept.get(project, {}):
                raise self._missing(project, name)
            del kept[project][name]
            self._store.set_settings({SECRETS: kept})

    def check(self, project: str, wanted: Mapping[str, str], prefix: str = "") -> None:
        """Raise `InputError` for a secret that a job names and its project lacks."""
        known = self._kept().get(project, {}) if wanted else {}
        for name in wanted.values():
            if name not in known:
                error = self._missing(project, name)
                raise InputError(error.message, {f"{prefix}secrets": error.fields["name"]})

    def values(self, project: str, wanted: Mapping[str, str]) -> dict[str, str]:
        """Variable → value, for the launch of an attempt.

        `wanted`: variable → name of the secret. Raises `MissingError` for one that was removed or
        whose key is lost, `InputError` if they are too long together.
        """
        if not wanted:
            return {}
        from cryptography.fernet import InvalidToken

        kept, found = self._kept().get(project, {}), {}
        for variable, name in wanted.items():
            if name not in kept:
                raise self._missing(project, name)
            try:
                found[variable] = self._cipher().decrypt(kept[name]["value"]).decode()
            except InvalidToken:
                raise MissingError(
                    f"secret {name} of project {project} was encrypted with another key",
                    {"name": f"restore {self._key_file.name}, or set the secret again"},
                ) from None
        if sum(len(value.encode()) for value in found.values()) > MOST_BYTES:
            raise InputError(
                f"the secrets of the job are longer than {MOST_BYTES} bytes together",
                {"secrets": "fewer or shorter ones"},
            )
        return found

    def _missing(self, project: str, name: str) -> MissingError:
        known = ", ".join(sorted(self._kept().get(project, {}))) or "none is set"
        return MissingError(
            f"project {project} has no secret {name}",
            {"name": f"legal: {known} (`fulcrum secret set {name} --project {project}`)"},
        )

    def _kept(self) -> dict[str, dict[str, Any]]:
        return dict(self._store.setting(SECRETS) or {})

    def _cipher(self) -> Fernet:
        from cryptography.fernet import Fernet

        if not self._key_file.exists():
            self._key_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Two services that start at once agree on one key.
            write_text(self._key_file, Fernet.generate_key().decode(), private=True, replace=False)
        return Fernet(self._key_file.read_text(encoding="ascii").strip())
