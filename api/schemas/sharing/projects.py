"""Projects: their shares, quotas and what they use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import BaseModel, ConfigDict, Field

from api.schemas.answer import Answer
from api.schemas.fields import Dollars

if TYPE_CHECKING:
    from scheduler.service.projects.control import ProjectView

Count = Annotated[int, Field(ge=0, le=10**9, strict=True)]


class QuotaIn(BaseModel):
    """Limits to change; null lifts one, and what is not named stays."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    devices: Count | None = Field(default=None, description="Devices that its jobs hold at once.")
    queued: Count | None = Field(default=None, description="Its jobs that wait.")
    dollars_per_day: Dollars | None = Field(default=None, description="By UTC days.")
    dollars_per_month: Dollars | None = Field(default=None, description="By calendar months, UTC.")

    def changes(self) -> Mapping[str, float | None]:
        """The limits that are named."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class ProjectIn(BaseModel):
    """What shall be otherwise about a project; what is not named stays."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    share: float | None = Field(
        None,
        ge=0.001,
        le=1_000_000,
        allow_inf_nan=False,
        description="Its part of the cluster is its share ÷ the sum of the shares of all projects.",
    )
    hard: QuotaIn = Field(default=QuotaIn(), description="What no job may exceed.")
    soft: QuotaIn = Field(default=QuotaIn(), description="What gives a warning when exceeded.")


class QuotaOut(Answer):
    """Limits of a project; null: not limited."""

    devices: int | None
    queued: int | None
    dollars_per_day: float | None
    dollars_per_month: float | None


class ProjectOut(Answer):
    """A project: what it may use, and what it uses."""

    name: str
    share: float
    hard: QuotaOut
    soft: QuotaOut
    used: float = Field(
        description="Decayed usage: device-seconds, those of the most expensive device count 1."
    )
    ratio: float = Field(description="Its part of all usage ÷ its part of all shares; 1 is fair.")
    factor: float = Field(description="2^(-ratio): the project with the greatest goes first.")
    devices: int = Field(description="Devices that its jobs hold now.")
    queued: int = Field(description="Its jobs that wait.")
    dollars_today: float = Field(description="Of attempts that ended since midnight, UTC.")
    dollars_this_month: float
    committed: float = Field(description="Dollars that its running jobs will cost, by estimate.")
    warnings: tuple[str, ...] = Field(description="A sentence for each exceeded soft limit.")

    @classmethod
    def of(cls, view: ProjectView) -> Self:
        """From the service's value."""
        project, standing, holding = view.project, view.standing, view.holding
        return cls(
            name=project.name,
            share=project.share,
            hard=QuotaOut.of(project.hard),
            soft=QuotaOut.of(project.soft),
            used=standing.used,
            ratio=standing.ratio,
            factor=standing.factor,
            devices=holding.devices,
            queued=view.queued,
            dollars_today=holding.spent["day"],
            dollars_this_month=holding.spent["month"],
            committed=holding.committed,
            warnings=view.warnings,
        )


class ProjectsOut(Answer):
    """All projects that were set up, have jobs or have used anything, by name."""

    projects: tuple[ProjectOut, ...]
