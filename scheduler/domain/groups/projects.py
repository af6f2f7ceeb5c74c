"""Projects: what each is entitled to."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

from scheduler.domain.errors import InputError


@dataclass(frozen=True, slots=True)
class Quota:
    """Limits of one project; None: not limited."""

    devices: int | None = None
    """That its jobs hold at once."""
    queued: int | None = None
    """Its jobs that wait."""
    dollars_per_day: float | None = None
    """From midnight to midnight, UTC."""
    dollars_per_month: float | None = None
    """Of a calendar month, UTC."""


LIMITS = tuple(each.name for each in fields(Quota))


@dataclass(frozen=True, slots=True)
class Project:
    """A group of jobs that shares the cluster with others. Raises `InputError`."""

    name: str
    share: float = 1.0
    """Only ratios to the shares of other projects count."""
    hard: Quota = field(default_factory=Quota)
    """What no job may exceed."""
    soft: Quota = field(default_factory=Quota)
    """What gives a warning when it is exceeded."""

    def __post_init__(self) -> None:
        if not 0.001 <= self.share <= 1_000_000:
            raise InputError(f"share {self.share:g} is out of range", {"share": "0.001 … 1000000"})
        for kind, quota in (("hard", self.hard), ("soft", self.soft)):
            for name in LIMITS:
                value = getattr(quota, name)
                if value is not None and not 0 <= value <= 1e12:
                    raise InputError(f"{name} {value} is out of range", {f"{kind}.{name}": "0 …"})


class QuotaError(InputError):
    """The job would exceed a hard limit of its project."""

    code = "over-quota"
