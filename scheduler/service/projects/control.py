"""Projects as interfaces see and change them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from scheduler.clock import Clock
from scheduler.decisions.state.usage import Standing
from scheduler.domain.errors import MissingError
from scheduler.domain.groups.projects import Project
from scheduler.service.projects.accounts import Holding, ProjectAccounts
from scheduler.service.projects.quotas import Quotas, exceeded


@dataclass(frozen=True, slots=True)
class ProjectView:
    """One project: what it may use, and what it uses."""

    project: Project
    standing: Standing
    holding: Holding
    queued: int
    """Its jobs that wait."""
    warnings: tuple[str, ...]
    """A sentence for each soft limit that it exceeds."""


@dataclass(frozen=True, slots=True)
class ProjectControl:
    """Shows and changes projects. Thread-safe."""

    accounts: ProjectAccounts
    quotas: Quotas
    lock: threading.RLock
    """Of the accounts."""
    live: Callable[[], Iterable[str]]
    """Projects of jobs that have not ended."""
    clock: Clock
    changed: Callable[[str], None]
    """Called with the name of a project that was changed."""
    refresh: Callable[[], None]
    """Called before projects are shown."""
    permit: Callable[[str], None]
    """Called before a change with what is changed; raises `StateError` if another service leads."""

    def views(self) -> list[ProjectView]:
        """All projects that were set up, have jobs or have used anything, by name."""
        self.refresh()
        with self.lock:
            names = sorted(self.accounts.names() | {*self.live()})
        return self._views(names)

    def view(self, name: str) -> ProjectView:
        """One of them. Raises `MissingError`."""
        found = next((view for view in self.views() if view.project.name == name), None)
        if found is None:
            known = ", ".join(view.project.name for view in self.views()) or "none"
            raise MissingError(f"there is no project {name!r}", {"project": f"one of: {known}"})
        return found

    def change(
        self,
        name: str,
        share: float | None = None,
        hard: Mapping[str, float | None] | None = None,
        soft: Mapping[str, float | None] | None = None,
        *,
        actor: str,
    ) -> ProjectView:
        """Change what is named, from the next round on; a limit of None is lifted.

        Raises `InputError` for figures out of range, `StateError` if another service leads.
        """
        self.permit("projects are changed")
        self.accounts.book.change(name, share, hard, soft, actor=actor)
        with self.lock:
            self.accounts.changed()
        self.changed(name)
        return self.view(name)

    def _views(self, names: list[str]) -> list[ProjectView]:
        now = self.clock.now()
        with self.lock:
            standings = self.accounts.standings(names, now)
            holdings = [self.accounts.holding(name, now) for name in names]
            projects = [self.accounts.project(name) for name in names]
        found = []
        for project, standing, holding in zip(projects, standings, holdings, strict=True):
            queued = self.quotas.queued(project.name)
            warnings = tuple(exceeded(project, holding, queued))
            found.append(ProjectView(project, standing, holding, queued, warnings))
        return found
