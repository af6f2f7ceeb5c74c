"""The executor of a node that shares no folder with the service: jobs work on its own disk."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from scheduler.domain.nodes import NodeFacts
from scheduler.executors.base import (
    AttemptKey,
    ExecutorEvent,
    Exited,
    LaunchSpec,
    Sink,
    Unknown,
)
from scheduler.executors.cluster.agent import NodeExecutor
from scheduler.logs import of_attempt
from scheduler.node.carried_attempts import CarriedAttempt
from scheduler.node.carrier import Carrier
from scheduler.ownership.fences import SupersededError
from scheduler.storage.objects import ObjectStorage

_RETRY_S = 2.0
_log = logging.getLogger(__name__)


class CarryingExecutor:
    """Runs attempts by `inner` in folders below `home`; a `Carrier` each carries their files.

    Before a start it brings the job's checkpoints and artifacts, and those of jobs that it builds
    on. An attempt has ended once all its files are in the storage. `root` is the service's folder
    of jobs, as specs name it.
    """

    def __init__(self, inner: NodeExecutor, storage: ObjectStorage, root: Path, home: Path) -> None:
        self._inner = inner
        self._storage = storage
        self._root, self._home = root, home
        self._lock = threading.Lock()
        self._carriers: dict[str, Carrier] = {}
        self._fetching: dict[str, str] = {}
        """Attempts that wait for their files → why they wait in vain so far."""
        self._closed = threading.Event()
        self._sink: Sink

    @property
    def ready(self) -> threading.Event:
        """See `NodeExecutor`."""
        return self._inner.ready

    def start(self, sink: Sink) -> None:
        """Begin to deliver events to `sink`, by several threads."""
        self._sink = sink
        self._inner.start(self._hear)

    def launch(self, spec: LaunchSpec) -> None:
        """Bring its files, then start it; returns at once."""
        with self._lock:
            if spec.attempt in self._carriers or spec.attempt in self._fetching:
                return
            self._fetching[spec.attempt] = ""
        threading.Thread(target=self._begin, args=(spec,), daemon=True).start()

    def cancel(self, attempt: str, *, grace_s: float = 5.0) -> None:
        """See `Executor`; an attempt whose files are being brought ends at once."""
        if not self._withdraw(attempt, "cancelled"):
            self._inner.cancel(attempt, grace_s=grace_s)

    def preempt(self, attempt: str, *, grace_s: float) -> None:
        """See `Executor`; an attempt whose files are being brought ends at once."""
        if not self._withdraw(attempt, "preempted"):
            self._inner.preempt(attempt, grace_s=grace_s)

    def alive(self, keys: Iterable[AttemptKey]) -> Mapping[str, int | Unknown | None]:
        """See `Executor`; the files of these attempts are carried from now on."""
        moved = []
        for key in keys:
            carried = CarriedAttempt.read(self._place(key))
            if carried is not None:
                with self._lock:
                    if key.attempt not in self._carriers:
                        self._carriers[key.attempt] = self._carrier(carried)
                        self._carriers[key.attempt].start()
            moved.append(key if carried is None else replace(key, folder=carried.own))
        found = self._inner.alive(moved)
        with self._lock:
            asked = {key.attempt for key in moved}
            waiting = asked & self._fetching.keys()
            for name in asked - found.keys() - waiting:
                if (carrier := self._carriers.pop(name, None)) is not None:
                    carrier.close()
            return {**dict.fromkeys(waiting), **found}

    def nodes(self) -> Mapping[str, NodeFacts]:
        """See `Executor`."""
        return self._inner.nodes()

    def health(self) -> tuple[str, ...]:
        """What is wrong, with the storage too."""
        carriers, fetching = list(self._carriers.values()), dict(self._fetching)
        waits = {one.carried.attempt: one.trouble for one in carriers} | fetching
        own = [f"attempt {name}: {text}" for name, text in waits.items() if text]
        return (*self._inner.health(), *own)

    def stop_others(self, keys: Iterable[AttemptKey]) -> int:
        """See `Executor`; their folders are removed."""
        known = list(keys)
        stopped = self._inner.stop_others(known)
        kept = {self._place(key) for key in known}
        with self._lock:
            kept |= {carrier.carried.place for carrier in self._carriers.values()}
        for folder in self._home.iterdir() if self._home.is_dir() else ():
            if folder not in kept:
                shutil.rmtree(folder, ignore_errors=True)
        return stopped

    def close(self) -> None:
        """Stop watching and carrying; running attempts go on."""
        self._closed.set()
        with self._lock:
            carriers = list(self._carriers.values())
        for carrier in carriers:
            carrier.close()
        self._inner.close()

    def _begin(self, spec: LaunchSpec) -> None:
        carried = CarriedAttempt.of(spec, self._root, self._home)
        carrier = self._carrier(carried)
        while not self._closed.is_set():
            try:
                carrier.fetch(carried.inputs(spec, self._root))
            except SupersededError as error:
                self._withdraw(spec.attempt, f"lost: {error}")
                return
            except OSError as error:
                _log.warning(
                    "files of attempt %s cannot be fetched yet: %s",
                    spec.attempt,
                    error,
                    extra=of_attempt(spec.attempt),
                )
                with self._lock:
                    if spec.attempt not in self._fetching:
                        break
                    why = f"its files cannot be fetched from the storage: {error}"
                    self._fetching[spec.attempt] = why
                self._closed.wait(_RETRY_S)
                continue
            with self._lock:
                if self._closed.is_set() or self._fetching.pop(spec.attempt, None) is None:
                    break
                self._carriers[spec.attempt] = carrier
                self._inner.launch(carried.relocated(spec, self._root))
            carrier.start()
            return
        shutil.rmtree(carried.place, ignore_errors=True)

    def _withdraw(self, attempt: str, reason: str) -> bool:
        """End an attempt whose files are still being brought; whether it is one."""
        with self._lock:
            if self._fetching.pop(attempt, None) is None:
                return False
        lost, preempted = reason.startswith("lost: "), reason == "preempted"
        self._sink(
            Exited(attempt, time.time(), reason, success=False, lost=lost, preempted=preempted)
        )
        return True

    def _hear(self, event: ExecutorEvent) -> None:
        carrier = self._carriers.get(event.attempt) if isinstance(event, Exited) else None
        if carrier is None or not isinstance(event, Exited):
            self._sink(event)
        else:
            carrier.finish(event)

    def _carrier(self, carried: CarriedAttempt) -> Carrier:
        return Carrier(self._storage, carried, self._ended)

    def _ended(self, event: Exited) -> None:
        with self._lock:
            self._carriers.pop(event.attempt, None)
        self._sink(event)

    def _place(self, key: AttemptKey) -> Path:
        return self._home / f"{key.attempt}-{key.nonce}"
