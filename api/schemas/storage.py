"""What uses disk space, and which of it may be removed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from api.schemas.answer import Answer
from api.schemas.fields import Duration, Memory
from scheduler.domain.jobs import JobKind
from scheduler.domain.lifecycle import JobState

if TYPE_CHECKING:
    from scheduler.service.maintenance.retention import JobUsage, Pruning, Usage

What = Literal["logs", "checkpoints", "artifacts", "models"]
MOST_TOLD = 1000
"""Items named in one answer."""


class JobUsageOut(Answer):
    """Bytes on disk of one job's files."""

    job: int
    kind: JobKind
    name: str
    user: str
    project: str
    state: JobState
    bytes: int
    kinds: Mapping[str, int] = Field(description="The same by kind of file.")

    @classmethod
    def of(cls, usage: JobUsage) -> Self:
        """From the service's value."""
        return cls.from_values(
            usage, usage.job, usage.job.spec, job=usage.job.id, kinds=dict(usage.kinds)
        )


class UsageOut(Answer):
    """Bytes on disk in the data folder."""

    bytes: int
    free: int = Field(description="Bytes that can still be written.")
    kinds: Mapping[str, int] = Field(
        description="`logs`, `checkpoints`, `artifacts`, `models`, `other`, `database`."
    )
    users: Mapping[str, int] = Field(description="Of jobs' files; the biggest first.")
    projects: Mapping[str, int] = Field(description="Of jobs' files; the biggest first.")
    jobs: tuple[JobUsageOut, ...] = Field(description="The biggest first.")

    @classmethod
    def of(cls, usage: Usage) -> Self:
        """From the service's value."""
        kinds = dict(usage.kinds)
        return cls.from_values(usage, bytes=sum(kinds.values()), kinds=kinds)


class PruneIn(BaseModel):
    """Which files of ended jobs may go; at least one of `older_than` and `keep_bytes`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    what: tuple[What, ...] = Field(
        ("logs", "checkpoints", "artifacts"), min_length=1, max_length=4, description="Kinds."
    )
    older_than: Duration | None = Field(None, description="Since the job's end.")
    keep_bytes: Memory | None = Field(
        None, description="The oldest go until so much is left of these kinds together."
    )
    dry_run: bool = Field(False, description="Only tell what would go.")

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.older_than is None and self.keep_bytes is None:
            raise ValueError("give older_than, keep_bytes or both")
        return self


class PrunedOut(Answer):
    """One kind of one job's files."""

    job: int
    kind: str
    bytes: int


class PruneOut(Answer):
    """What was removed, or would be."""

    dry_run: bool
    bytes: int
    count: int
    items: tuple[PrunedOut, ...] = Field(description="The first 1000.")
    failed: tuple[str, ...] = Field(description="What could not be removed.")
    more: bool = Field(description="Whether the same request would remove more.")

    @classmethod
    def of_pruning(cls, pruning: Pruning, *, dry_run: bool) -> Self:
        """From the service's value."""
        items = pruning.items
        return cls.from_values(
            pruning,
            dry_run=dry_run,
            bytes=sum(item.bytes for item in items),
            count=len(items),
            items=tuple(map(PrunedOut.of, items[:MOST_TOLD])),
        )
