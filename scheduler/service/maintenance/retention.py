"""Retention of the files of jobs that have ended. Rows and events stay for ever."""

from __future__ import annotations

import json
import logging
import os
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scheduler import problems
from scheduler.clock import Clock
from scheduler.domain.errors import MissingError
from scheduler.domain.jobs import Job, JobKind
from scheduler.domain.lifecycle import JobState
from scheduler.domain.references import references
from scheduler.service.live.live_jobs import LiveJobs
from scheduler.service.maintenance import disk_usage
from scheduler.service.maintenance.disk_usage import PRUNABLE, Kind
from scheduler.service.maintenance.outputs import Outputs
from scheduler.service.maintenance.removal import remove
from scheduler.service.paths import Paths
from scheduler.storage.stored_folders import holds
from scheduler.store.base import JobQuery, Store

_log = logging.getLogger(__name__)

SERVICE = "retention"
"""The actor of removals that the settings ask for."""
SWEEP_S = 600.0
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class RetentionRule:
    """Which files of some kinds are removed."""

    kinds: Sequence[Kind]
    older_than_s: float | None = None
    """Files of jobs that ended longer ago; None: of any age."""
    keep_bytes: int | None = None
    """The oldest are removed until so many bytes are left; None: all older ones."""


@dataclass(frozen=True, slots=True)
class PrunedItem:
    """One kind of one job's files."""

    job: int
    kind: Kind
    bytes: int
    ended: float = 0.0
    """Unix seconds."""


@dataclass(frozen=True, slots=True)
class Pruning:
    """What was removed, or would be."""

    items: Sequence[PrunedItem]
    failed: Sequence[str] = ()
    """What could not be removed, as sentences."""
    more: bool = False
    """Whether the same rule would remove more now."""


@dataclass(frozen=True, slots=True)
class JobUsage:
    """Bytes of one job's files."""

    job: Job
    kinds: Mapping[Kind, int]

    @property
    def bytes(self) -> int:
        """Bytes of all kinds."""
        return sum(self.kinds.values())


@dataclass(frozen=True, slots=True)
class Usage:
    """Bytes in the data folder."""

    free: int
    kinds: Mapping[Kind, int]
    users: Mapping[str, int]
    projects: Mapping[str, int]
    jobs: Sequence[JobUsage]
    """The biggest first."""


@dataclass(slots=True)
class Retention:
    """Reports disk usage and removes files by rules. Thread-safe."""

    store: Store
    live_jobs: LiveJobs
    folders: Paths
    clock: Clock
    data: Path
    rules: Sequence[RetentionRule] = ()
    """The rules of the settings."""
    success_checkpoints: bool = False
    """Whether a training that succeeded keeps its checkpoints beside its model."""
    permit: Callable[[str], None] = lambda _: None
    """Called before a person's rule removes files; raises `StateError` if another service leads."""
    outputs: Outputs | None = None
    """Knows what lies in a storage; None: all is in the data folder."""
    _pruned: dict[tuple[int, str], float] = field(default_factory=dict, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def __post_init__(self) -> None:
        self._pruned = dict(_read(self._pruned_file))

    def usage(self, most: int) -> Usage:
        """The disk usage, with at most `most` single jobs."""
        kinds: Counter[Kind] = Counter()
        users: Counter[str] = Counter()
        projects: Counter[str] = Counter()
        found = []
        sizes = {job: disk_usage.of_job(self.folders, job) for job in disk_usage.jobs(self.folders)}
        for size in sizes.values():
            kinds.update(size)
        for job in self._stored(sizes):
            one = JobUsage(job, sizes[job.id])
            users[job.spec.user] += one.bytes
            projects[job.spec.project] += one.bytes
            found.append(one)
        kinds[Kind.OTHER] += disk_usage.others(self.folders)
        kinds[Kind.DATABASE] = disk_usage.of_files(self.data.glob("fulcrum.sqlite*"))
        found.sort(key=lambda one: -one.bytes)
        return Usage(
            problems.free(self.data),
            {kind: kinds[kind] for kind in Kind},
            dict(users.most_common()),
            dict(projects.most_common()),
            found[:most],
        )

    def prune(
        self, rule: RetentionRule, actor: str, *, dry_run: bool = False, most: int = 500
    ) -> Pruning:
        """Remove files by the rule, at most `most` items; `dry_run`: only list them.

        Files of a job that has not ended, and files that such a job will read, stay. Raises
        `StateError` if another service leads, unless it is a dry run.
        """
        if not dry_run:
            self.permit("files are removed")
        with self._lock:
            items = self._chosen(rule)
            if dry_run:
                return Pruning(items)
            pruning = self._remove(items[:most], actor)
            return Pruning(pruning.items, pruning.failed, more=len(items) > most)

    def sweep(self) -> None:
        """Remove files as the settings say."""
        with self._lock:
            if not self.success_checkpoints:
                self._remove(list(self._needless()), SERVICE)
            for rule in self.rules:
                self._remove(self._chosen(rule), SERVICE)

    def pruned(self, job: Job, kind: Kind) -> float | None:
        """When files of that kind were pruned (Unix seconds); None: they were not."""
        time = self._pruned.get((job.id, kind))
        # In another database numbers begin again: an earlier removal was of another job.
        if time is None or not job.state.final or time < (job.finished_at or 0.0):
            return None
        return time

    def _needless(self) -> Iterator[PrunedItem]:
        """The checkpoints of trainings that left their model."""
        for number in disk_usage.jobs(self.folders):
            folder = self.folders.job(number)
            if (folder / "checkpoints").is_dir() and holds(folder / "artifacts", "model.pt"):
                job = self._job(number)
                if job is not None and job.spec.kind == JobKind.CNN_TRAIN:
                    size = disk_usage.of_job(self.folders, number)[Kind.CHECKPOINTS]
                    if job.state is JobState.SUCCEEDED and size:
                        yield PrunedItem(number, Kind.CHECKPOINTS, size)

    def _chosen(self, rule: RetentionRule) -> list[PrunedItem]:
        """The items that the rule removes, oldest first."""
        needed, now = self._needed(), self.clock.now()
        total, free = 0, []
        sizes = {job: disk_usage.of_job(self.folders, job) for job in disk_usage.jobs(self.folders)}
        total = sum(size[kind] for size in sizes.values() for kind in rule.kinds)
        for job in self._stored(sizes):
            if not job.state.final or job.id in needed:
                continue
            ended = job.finished_at or 0.0
            free += [
                PrunedItem(job.id, kind, sizes[job.id][kind], ended)
                for kind in rule.kinds
                if sizes[job.id][kind]
            ]
        free.sort(key=lambda item: (item.ended, item.job))
        if rule.older_than_s is not None:
            free = [item for item in free if now - item.ended > rule.older_than_s]
        if rule.keep_bytes is None:
            return free
        chosen = []
        for item in free:
            if total <= rule.keep_bytes:
                break
            chosen.append(item)
            total -= item.bytes
        return chosen

    def _remove(self, items: Sequence[PrunedItem], actor: str) -> Pruning:
        removed, failed = [], []
        for item in items:
            # Written first, so that files removed in part count as pruned.
            now = self.clock.now()
            self._note(item, actor, now)
            self._pruned[item.job, item.kind] = now
            try:
                if self.outputs is not None:
                    self.outputs.remove(item.job, item.kind)
                remove(self.folders.job(item.job), item.kind)
            except FileNotFoundError:
                continue
            except OSError as error:
                failed.append(f"{item.kind} of job {item.job}: {error.strerror or error}")
            else:
                removed.append(item)
        if removed:
            size = sum(item.bytes for item in removed)
            _log.info("%s pruned %d items, %d bytes", actor, len(removed), size)
        for text in failed:
            _log.warning("not pruned: %s", text)
        return Pruning(removed, failed)

    def _needed(self) -> set[int]:
        """Jobs that have not ended, and those whose files they will read."""
        with self.live_jobs.lock:
            live = list(self.live_jobs.jobs.values())
        here = re.compile(re.escape(json.dumps(str(self.folders.root))[1:-1]) + r"/(\d+)")
        needed: set[int] = set()
        for job in live:
            text = json.dumps(job.spec.work, default=str)
            needed |= {job.id, *job.spec.after, *references(job.spec.work)}
            needed |= {earlier for earlier in (job.spec.resume_from,) if earlier is not None}
            needed |= {int(number) for number in here.findall(text)}
        return needed

    def _stored(self, numbers: Iterable[int]) -> Iterator[Job]:
        """The jobs of these numbers that the store has, newest first."""
        wanted = set(numbers)
        before: int | None = max(wanted, default=0) + 1
        while before is not None:
            page = self.store.jobs(JobQuery(), before=before, limit=_PAGE)
            yield from (job for job in page if job.id in wanted)
            before = page[-1].id if len(page) == _PAGE else None

    def require(self, job: Job, kind: Kind, path: Path) -> None:
        """Raise `MissingError` that says when it was pruned, if `path` is gone for that reason."""
        time = self.pruned(job, kind)
        if time is not None and not os.path.lexists(path):
            day = datetime.fromtimestamp(time, UTC)
            raise MissingError(
                f"the {kind} of job {job.id} were pruned on {day:%Y-%m-%d %H:%M} UTC"
            )

    def _job(self, number: int) -> Job | None:
        try:
            return self.store.job(number)
        except MissingError:
            return None

    @property
    def _pruned_file(self) -> Path:
        return self.data / "pruned.jsonl"

    def _note(self, item: PrunedItem, actor: str, now: float) -> None:
        line = {"job": item.job, "kind": item.kind, "bytes": item.bytes, "time": now, "by": actor}
        try:
            with self._pruned_file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        except OSError as error:  # a full disk: removal is needed even more
            _log.warning("%s cannot be written: %s", self._pruned_file, error)


def _read(path: Path) -> Iterator[tuple[tuple[int, str], float]]:
    """What was pruned when; lines that a full disk cut are skipped."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    for line in text.split("\n"):
        try:
            values: Any = json.loads(line)
            yield (int(values["job"]), str(values["kind"])), float(values["time"])
        except (ValueError, TypeError, KeyError):
            continue


def rules(kinds: Mapping[Kind, tuple[float | None, int | None]]) -> tuple[RetentionRule, ...]:
    """Rules of the settings: days and bytes by kind; each limit is one rule."""
    found = []
    for kind, (days, keep) in kinds.items():
        if days is not None:
            found.append(RetentionRule((kind,), older_than_s=days * 86_400.0))
        if keep is not None:
            found.append(RetentionRule((kind,), keep_bytes=keep))
    return tuple(found)


__all__ = [
    "PRUNABLE",
    "JobUsage",
    "Kind",
    "PrunedItem",
    "Pruning",
    "Retention",
    "RetentionRule",
    "Usage",
    "rules",
]
