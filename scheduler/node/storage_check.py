"""Whether a node reaches the service's storage: an object there that both must read alike."""

from __future__ import annotations

import os
import threading

from scheduler.domain.errors import StateError
from scheduler.storage.objects import ObjectStorage

MARK = "storage.mark"
EVERY_S = 10.0
"""Between two looks."""


def mark(storage: ObjectStorage) -> str:
    """The text of the storage's mark, which is made when it is missing. Raises `StateError`."""
    try:
        found = storage.get(MARK)
        if found is None:
            found = os.urandom(16).hex().encode()
            storage.put(MARK, found)
    except OSError as error:
        raise StateError(
            f"the storage {storage.url} cannot be used: {error}",
            {"storage": "a URL that this machine may read and write"},
        ) from None
    return found.decode("ascii", "replace")


class StorageCheck:
    """Looks again and again, in a thread of its own, as a storage may hang."""

    def __init__(self, storage: ObjectStorage, expected: str) -> None:
        self._storage = storage
        self._expected = expected
        self.problem = f"it has not reached the storage {storage.url} yet"
        """Why this machine cannot use it; empty: it can."""
        threading.Thread(target=self._run, name="storage-check", daemon=True).start()

    def _run(self) -> None:
        pause = threading.Event()
        while True:
            self.problem = problem(self._storage, self._expected)
            pause.wait(EVERY_S)


def problem(storage: ObjectStorage, expected: str) -> str:
    """Why this machine cannot use the storage whose mark is `expected`; empty: it can."""
    try:
        found = storage.get(MARK)
    except OSError as error:
        return f"it cannot use the storage {storage.url}: {error}"
    if found is None:
        return f"it does not see the service's storage {storage.url}"
    same = found.decode("ascii", "replace") == expected
    return "" if same else f"{storage.url} is another storage there than on the service"
