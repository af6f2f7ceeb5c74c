"""What is known of a job when it is submitted, and the groups of jobs that it belongs to."""

from __future__ import annotations

from dataclasses import dataclass

from scheduler.domain.jobs import JobKind, JobSpec
from scheduler.estimates.learned.argv_shape import shape_of

Group = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class JobFacts:
    """What tells how long a job may run."""

    user: str
    project: str
    kind: str
    """Equal for jobs that do alike work: the shape of a command line, or a work's key."""
    width: int
    """The fewest devices that it accepts."""
    devices: tuple[str, ...] = ()
    """The kinds or models of devices that it accepts."""
    requested_s: float | None = None
    """The longest that an attempt may run; None: no limit."""

    def groups(self) -> tuple[Group, ...]:
        """(`mixture.LEVELS`,) Names of its groups, from the most specific to that of all jobs."""
        return (
            (0, self.user, self.kind, self.width, self.devices, self.requested_s),
            (1, self.user, self.kind, self.requested_s),
            (2, self.kind),
            (3, self.user, self.project),
            (4, self.requested_s),
            (5,),
        )


def facts_of(spec: JobSpec) -> JobFacts:
    """The facts of a submission."""
    kind, request = spec.profile.key, spec.request
    if spec.kind is JobKind.COMMAND:
        kind = shape_of(tuple(spec.work.get("argv", ())), str(spec.work.get("cwd") or ""))
    return JobFacts(
        spec.user,
        spec.project,
        kind,
        request.min_width,
        tuple(request.devices),
        spec.max_duration_s,
    )
