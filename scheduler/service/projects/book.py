"""The projects that somebody has set up: in the settings, or while the service runs."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from scheduler.domain.groups.projects import Project, Quota
from scheduler.store.base import Store

PROJECTS = "projects"
"""The setting that keeps what a person has changed."""


class ProjectBook:
    """The projects by name. Thread-safe."""

    def __init__(self, store: Store, configured: Mapping[str, Project]) -> None:
        """`configured`: of the settings; what a person has changed counts in their place."""
        self._store, self._configured = store, dict(configured)
        self._lock = threading.Lock()

    def all(self) -> dict[str, Project]:
        """Every project that was set up, by name."""
        kept = self._store.setting(PROJECTS) or {}
        return self._configured | {name: _project(name, value) for name, value in kept.items()}

    def change(
        self,
        name: str,
        share: float | None = None,
        hard: Mapping[str, Any] | None = None,
        soft: Mapping[str, Any] | None = None,
        *,
        actor: str,
    ) -> Project:
        """Change what is named, over restarts too; a limit of None is lifted.

        Raises `InputError` for figures out of range.
        """
        with self._lock:
            before = self.all().get(name, Project(name))
            after = replace(
                before,
                share=before.share if share is None else share,
                hard=replace(before.hard, **dict(hard or {})),
                soft=replace(before.soft, **dict(soft or {})),
            )
            kept = dict(self._store.setting(PROJECTS) or {})
            kept[name] = {key: value for key, value in asdict(after).items() if key != "name"}
            self._store.set_settings({PROJECTS: kept, "projects_set_by": actor})
        return after


def _project(name: str, value: Mapping[str, Any]) -> Project:
    hard, soft = Quota(**value["hard"]), Quota(**value["soft"])
    return Project(name, value["share"], hard, soft)
