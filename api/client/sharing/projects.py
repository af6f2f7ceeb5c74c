"""Calls about projects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from api.client.transport import Transport, url_part

if TYPE_CHECKING:
    from api.schemas import ProjectOut

Limits = Mapping[str, float | None]
"""Limits by name: `devices`, `queued`, `dollars_per_day`, `dollars_per_month`; None lifts one."""


class ProjectCalls:
    """The part of `Client` that is about projects."""

    _transport: Transport

    def projects(self) -> tuple[ProjectOut, ...]:
        """All projects with their shares, quotas and usage, by name."""
        from api.schemas import ProjectsOut

        return ProjectsOut.model_validate(self._transport.get("/v1/projects")).projects

    def project(self, name: str) -> ProjectOut:
        """One project. Raises `NotFoundError`."""
        from api.schemas import ProjectOut

        return ProjectOut.model_validate(self._transport.get(_path(name)))

    def set_project(
        self,
        name: str,
        *,
        share: float | None = None,
        hard: Limits | None = None,
        soft: Limits | None = None,
    ) -> ProjectOut:
        """Change a project's share and limits; what is not named stays. It takes an admin.

        Raises `InvalidError` for figures out of range, `UnauthorizedError`.
        """
        from api.schemas import ProjectOut

        body: dict[str, Any] = {"hard": dict(hard or {}), "soft": dict(soft or {})}
        if share is not None:
            body["share"] = share
        return ProjectOut.model_validate(
            self._transport.json("PATCH", _path(name), json=body, safe=True)
        )


def _path(name: str) -> str:
    return f"/v1/projects/{url_part(name)}"
