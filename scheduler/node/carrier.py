"""Carries the files of one attempt between the node's disk and the storage."""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from scheduler.executors.base import Exited
from scheduler.executors.local.records.folder import LOG
from scheduler.files import write_bytes
from scheduler.logs import of_attempt
from scheduler.node.carried_attempts import ARTIFACTS, CHECKPOINTS, CarriedAttempt
from scheduler.ownership import fences, marks
from scheduler.ownership.fences import SupersededError
from scheduler.storage.growing_files import GrowingFile
from scheduler.storage.job_storage import JOBS
from scheduler.storage.objects import ObjectStorage
from scheduler.storage.stored_folders import FolderWriter, fetch

METRICS = "metrics.jsonl"
MEETING = "rendezvous.json"
"""In an attempt's folder: where its ranks meet, as rank 0 says it."""
EVERY_S = 1.0
"""Between two looks at what is new."""
_log = logging.getLogger(__name__)


class Carrier:
    """One attempt's files. `ended` gets the attempt's end once all its files are in the storage.

    The log and the metrics have one thread, checkpoints and artifacts, which may be large,
    another; only rank 0 carries these. If a newer attempt owns the job in the storage, its mark is
    copied to the job's folder here: there the supervisor finds it, and ends this attempt. Nothing
    is carried then.
    """

    def __init__(
        self, storage: ObjectStorage, carried: CarriedAttempt, ended: Callable[[Exited], None]
    ) -> None:
        self.carried = carried
        self._troubles: dict[str, str] = {}
        self._storage = storage
        self._job = carried.within(storage)
        self._ended = ended
        self._exit: Exited | None = None
        self._done = threading.Event()
        """The attempt has ended: what is left is carried once more."""
        self._closed = threading.Event()
        self._superseded = False
        self._threads: list[threading.Thread] = []
        self._growing = [
            GrowingFile(storage, f"{self._run}/{name}", carried.part / name)
            for name in (LOG, METRICS)
        ]
        self._folders = [
            FolderWriter(
                storage,
                self._job.name(name),
                carried.owner.number,
                carried.shared / name,
                carried.place / f"spare-{name}",
            )
            for name in (() if carried.rank else (CHECKPOINTS, ARTIFACTS))
        ]
        self._met = False

    @property
    def trouble(self) -> str:
        """What keeps its files from being carried; empty: nothing."""
        return next(iter(list(self._troubles.values())), "")

    def fetch(self, inputs: Mapping[str, Path]) -> None:
        """Own the job, and bring what it has so far and what the attempt reads of other jobs.

        `inputs`: see `CarriedAttempt.inputs`. Raises `SupersededError` if a newer attempt was
        launched, `OSError`.
        """
        carried = self.carried
        carried.write()
        self._job.take()
        marks.claim(carried.shared, carried.job_nonce)
        for name in (CHECKPOINTS, ARTIFACTS):
            fetch(self._storage, self._job.name(name), carried.shared / name)
        for folder in self._folders:
            folder.fetched()
        for name, target in inputs.items():
            fetch(self._storage, f"{JOBS}/{name}", target)

    def start(self) -> None:
        """Begin to carry what changes."""
        for name, work in (("log", self._carry_log), ("files", self._carry_folders)):
            title = f"carry-{name}-{self.carried.attempt}"
            thread = threading.Thread(target=self._again, args=(name, work), name=title)
            thread.daemon = True
            thread.start()
            self._threads.append(thread)

    def finish(self, exit_: Exited) -> None:
        """The attempt has ended; returns at once."""
        if self._exit is None:
            self._exit = exit_
            self._done.set()
            threading.Thread(target=self._finish, daemon=True).start()

    def close(self) -> None:
        """Carry nothing more; a later carrier goes on."""
        self._closed.set()
        self._done.set()

    def _finish(self) -> None:
        for thread in self._threads:
            thread.join()
        steps = {"log": self._carry_log, "files": self._carry_folders}
        while steps and not self._superseded:
            if self._closed.is_set():
                return
            for name, work in list(steps.items()):
                with self._noting(name):
                    if work():
                        del steps[name]
            if steps:
                self._closed.wait(EVERY_S)
        if self._closed.is_set():
            return
        assert self._exit is not None
        self._ended(self._exit)
        shutil.rmtree(self.carried.place, ignore_errors=True)

    def _again(self, name: str, work: Callable[[], bool]) -> None:
        while not self._done.wait(EVERY_S) and not self._superseded:
            with self._noting(name):
                work()

    @contextmanager
    def _noting(self, name: str) -> Iterator[None]:
        """Remember what goes wrong, until it goes well."""
        try:
            yield
        except SupersededError:
            self._give_way()
        except OSError as error:
            said = error.strerror or str(error)
            if name not in self._troubles:
                _log.warning(
                    "files of attempt %s cannot be carried to the storage: %s",
                    self.carried.attempt,
                    error,
                    extra=of_attempt(self.carried.attempt),
                )
            self._troubles[name] = f"its files cannot be carried to the storage: {said}"
        else:
            self._troubles.pop(name, None)

    def _give_way(self) -> None:
        """Let the supervisor find that a newer attempt works elsewhere."""
        owner = self._job.owner()
        if owner is not None:
            write_bytes(self.carried.shared / fences.OWNER, owner.content.encode(), durable=False)
        self._superseded = True

    @property
    def _run(self) -> str:
        """Name of this rank's folder in the storage."""
        part = self.carried.part.relative_to(self.carried.place)
        return f"{JOBS}/{part.as_posix()}"

    def _carry_log(self) -> bool:
        self._job.check()
        self._meet()
        for file in self._growing:
            file.send()
        return True

    def _carry_folders(self) -> bool:
        rest = [folder for folder in self._folders if not folder.save(self._job.check)]
        return not rest

    def _meet(self) -> None:
        """Let ranks on several nodes find each other: the storage stands for their folder."""
        name = f"{JOBS}/{self.carried.run}/{MEETING}"
        path = self.carried.own / MEETING
        if self._met:
            return
        if not self.carried.rank:
            if path.is_file():
                self._storage.put(name, path.read_bytes())
                self._met = True
        elif (said := self._storage.get(name)) is not None:
            write_bytes(path, said, durable=False)
            self._met = True
