"""The service's end of the storage: logs and metrics as local files, and what else is stored.

The service reads and follows logs and metrics as files in its data folder, where nodes write them
themselves if they share it. Here they are brought from the storage while attempts run. Artifacts
and checkpoints stay in the storage; the job's folder says which there are.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from scheduler.domain.nodes import NodeFacts
from scheduler.executors.base import (
    AttemptKey,
    Executor,
    ExecutorEvent,
    Exited,
    LaunchSpec,
    Sink,
    Unknown,
)
from scheduler.executors.outbox import Outbox
from scheduler.logs import of_attempt
from scheduler.node.carried_attempts import ARTIFACTS, CHECKPOINTS
from scheduler.storage.growing_files import pieces, receive
from scheduler.storage.job_storage import JOBS
from scheduler.storage.objects import ObjectStorage
from scheduler.storage.stored_folders import newest, write_stub

FIRST_PAUSE_S, LAST_PAUSE_S = 1.0, 8.0
"""Between two looks for the log of one attempt: doubles while nothing comes. Looks cost money."""
FOLDERS_S = 10.0
"""Between two looks for its checkpoints and artifacts."""
_WORKERS = 8
_TURN_S = 0.2
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Mirrored:
    """An attempt whose files are brought."""

    folder: Path
    """Of the attempt, on the service."""
    exit: Exited | None = None
    """How it ended; told once all its files are here."""
    due: float = 0.0
    """Monotonic seconds of the next look."""
    folders_due: float = 0.0
    """The same for checkpoints and artifacts."""
    pause_s: float = FIRST_PAUSE_S
    busy: bool = False
    trouble: str = ""


class MirroringExecutor:
    """Runs attempts by `inner`; the end of one is told once what it left can be read here.

    `root` is the service's folder of jobs.
    """

    def __init__(self, inner: Executor, storage: ObjectStorage, root: Path) -> None:
        self._inner = inner
        self._storage = storage
        self._root = root
        self._lock = threading.Lock()
        self._attempts: dict[str, _Mirrored] = {}
        self._outbox = Outbox()
        self._woken = threading.Event()
        self._closing = False
        self._pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="mirror")
        self._thread = threading.Thread(target=self._run, name="mirror", daemon=True)
        self._sink: Sink

    def start(self, sink: Sink) -> None:
        """Begin to deliver events to `sink`."""
        self._sink = sink
        self._thread.start()
        self._inner.start(self._hear)

    def launch(self, spec: LaunchSpec) -> None:
        """See `Executor`."""
        self._watch(spec.attempt, spec.folder)
        self._inner.launch(spec)

    def cancel(self, attempt: str, *, grace_s: float = 5.0) -> None:
        """See `Executor`."""
        self._inner.cancel(attempt, grace_s=grace_s)

    def preempt(self, attempt: str, *, grace_s: float) -> None:
        """See `Executor`."""
        self._inner.preempt(attempt, grace_s=grace_s)

    def alive(self, keys: Iterable[AttemptKey]) -> Mapping[str, int | Unknown | None]:
        """See `Executor`."""
        known = list(keys)
        for key in known:
            self._watch(key.attempt, key.folder)
        found = self._inner.alive(known)
        with self._lock:
            for key in known:
                if key.attempt not in found:
                    self._attempts.pop(key.attempt, None)
        return found

    def nodes(self) -> Mapping[str, NodeFacts]:
        """See `Executor`."""
        return self._inner.nodes()

    def health(self) -> tuple[str, ...]:
        """What is wrong, with the storage too."""
        with self._lock:
            troubles = sorted({one.trouble for one in self._attempts.values() if one.trouble})
        return (*self._inner.health(), *troubles)

    def stop_others(self, keys: Iterable[AttemptKey]) -> int:
        """See `Executor`."""
        return self._inner.stop_others(keys)

    def close(self) -> None:
        """Stop watching; running attempts go on."""
        self._inner.close()
        self._closing = True
        self._woken.set()
        if self._thread.ident is not None:
            self._thread.join()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _watch(self, attempt: str, folder: Path) -> None:
        with self._lock:
            self._attempts.setdefault(attempt, _Mirrored(folder))

    def _hear(self, event: ExecutorEvent) -> None:
        if isinstance(event, Exited):
            with self._lock:
                found = self._attempts.get(event.attempt)
                if found is not None:
                    found.exit, found.due = event, 0.0
            if found is not None:
                self._woken.set()
                return
        self._outbox.put(event)
        self._woken.set()

    def _run(self) -> None:
        while not self._closing:
            self._woken.wait(_TURN_S)
            self._woken.clear()
            now = time.monotonic()
            with self._lock:
                due = [
                    (name, one)
                    for name, one in self._attempts.items()
                    if not one.busy and now >= one.due
                ]
                for _, one in due:
                    one.busy = True
            for name, one in due:
                self._pool.submit(self._bring, name, one)
            self._outbox.deliver(self._sink)

    def _bring(self, attempt: str, one: _Mirrored) -> None:
        exit_ = one.exit  # before the look: what was carried before the end is found by it then
        try:
            news = self._bring_growing(one.folder)
            if exit_ is not None or time.monotonic() >= one.folders_due:
                self._list_folders(one.folder)
                one.folders_due = time.monotonic() + FOLDERS_S
            one.pause_s = FIRST_PAUSE_S if news else min(2 * one.pause_s, LAST_PAUSE_S)
        except (OSError, ValueError, KeyError) as error:
            if not one.trouble:
                _log.warning("the storage cannot be read: %s", error, extra=of_attempt(attempt))
            one.trouble = f"the storage cannot be read: {error}"
        else:
            one.trouble = ""
            if exit_ is not None:
                with self._lock:
                    self._attempts.pop(attempt, None)
                self._outbox.put(exit_)
                self._woken.set()
        finally:
            with self._lock:  # an end that came meanwhile is looked after at once
                one.due = 0.0 if one.exit is not exit_ else time.monotonic() + one.pause_s
                one.busy = False

    def _bring_growing(self, folder: Path) -> bool:
        """Logs and metrics of all ranks; whether there was anything new."""
        name = f"{JOBS}/{folder.relative_to(self._root).as_posix()}"
        found = pieces(self._storage.sizes(name))
        news = [
            receive(self._storage, f"{name}/{file}", sizes, folder / file)
            for file, sizes in found.items()
        ]
        return any(news)

    def _list_folders(self, folder: Path) -> None:
        """What there is of checkpoints and artifacts."""
        run = folder.relative_to(self._root)
        for kind in (CHECKPOINTS, ARTIFACTS):
            own, files = newest(self._storage, f"{JOBS}/{run.parent.as_posix()}/{kind}")
            if files or (folder.parent / kind).is_dir():
                write_stub(folder.parent / kind, own, files)
