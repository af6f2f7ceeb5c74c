"""Quotas at submission: what is refused, and what gives a warning."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from scheduler.domain.groups.projects import Project, QuotaError
from scheduler.domain.jobs import JobSpec
from scheduler.domain.lifecycle import JobState
from scheduler.domain.units import counted, money
from scheduler.service.projects.accounts import PERIODS, Holding, ProjectAccounts
from scheduler.store.base import JobQuery, Store

WORDS = {"day": "today", "month": "this month"}


class Quotas:
    """Checks submissions against the quotas of their projects. Thread-safe."""

    def __init__(
        self,
        store: Store,
        accounts: ProjectAccounts,
        lock: threading.RLock,
        cheapest: Callable[[JobSpec], float],
    ) -> None:
        """`lock`: of the accounts. `cheapest`: dollars of a job's cheapest placement."""
        self._store, self._accounts, self._lock = store, accounts, lock
        self._cheapest = cheapest
        self._gate = threading.Lock()
        self._arriving: Counter[str] = Counter()
        """Jobs that are accepted and perhaps not stored yet, by project."""

    @contextmanager
    def admitting(self, specs: Sequence[JobSpec], now: float) -> Iterator[None]:
        """Around the storing of jobs. Raises `QuotaError` if a hard limit refuses one."""
        new = Counter(spec.project for spec in specs)
        with self._gate:
            for name, count in new.items():
                self._check_queue(self._accounts.project(name), count)
            self._arriving.update(new)
        try:
            for spec in specs:
                self._check_dollars(spec, now)
            yield
        finally:
            with self._gate:
                self._arriving.subtract(new)

    def warnings(self, projects: Sequence[str], now: float) -> list[str]:
        """A sentence for each soft limit that one of these projects exceeds."""
        return [text for name in dict.fromkeys(projects) for text in self._exceeded(name, now)]

    def queued(self, project: str) -> int:
        """Jobs of a project that wait."""
        return self._store.count(JobQuery(states=(JobState.QUEUED,), project=project))

    def _check_queue(self, project: Project, new: int) -> None:
        limit = project.hard.queued
        if limit is None:
            return
        waiting = self.queued(project.name) + self._arriving[project.name]
        if waiting + new > limit:
            raise QuotaError(
                f"project {project.name} has {waiting} of its {counted(limit, 'waiting job')}, "
                f"and {new} more would be {waiting + new}",
                {"project": f"at most {counted(limit, 'waiting job')} (`fulcrum project show`)"},
            )

    def _check_dollars(self, spec: JobSpec, now: float) -> None:
        project = self._accounts.project(spec.project)
        _check_width(project, spec)
        if all(getattr(project.hard, limit) is None for limit in PERIODS.values()):
            return
        with self._lock:
            spent = self._accounts.holding(project.name, now).spent
        least = self._cheapest(spec)
        for period, name in PERIODS.items():
            limit = getattr(project.hard, name)
            if limit is not None and spent[period] + least > limit:
                raise QuotaError(
                    f"project {project.name} has spent {money(spent[period])} of its "
                    f"{money(limit)} {WORDS[period]}, and the job costs at least {money(least)}",
                    {"project": f"at most {money(limit)} a {period} (`fulcrum project show`)"},
                )

    def _exceeded(self, name: str, now: float) -> Iterator[str]:
        project = self._accounts.project(name)
        with self._lock:
            holding = self._accounts.holding(name, now)
        queued = self.queued(name) if project.soft.queued is not None else 0
        yield from exceeded(project, holding, queued)


def _check_width(project: Project, spec: JobSpec) -> None:
    """Refuse a job that is wider than its project may ever be."""
    most = project.hard.devices
    if most is not None and spec.request.min_width > most:
        raise QuotaError(
            f"the job needs {counted(spec.request.min_width, 'device')}, and project "
            f"{project.name} may hold {most} at once",
            {"width": f"at most {most} in project {project.name}"},
        )


def exceeded(project: Project, holding: Holding, queued: int) -> Iterator[str]:
    """A sentence for each soft limit that a project exceeds."""
    soft = project.soft
    if soft.devices is not None and holding.devices > soft.devices:
        devices = counted(holding.devices, "device")
        yield f"project {project.name} uses {devices}, over its {soft.devices}"
    if soft.queued is not None and queued > soft.queued:
        jobs = counted(queued, "waiting job")
        yield f"project {project.name} has {jobs}, over its {soft.queued}"
    for period, name in PERIODS.items():
        limit = getattr(soft, name)
        if limit is not None and holding.spent[period] > limit:
            yield (
                f"project {project.name} has spent {money(holding.spent[period])} "
                f"{WORDS[period]}, over its {money(limit)}"
            )
