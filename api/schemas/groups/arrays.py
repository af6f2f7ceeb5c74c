"""Arrays written out: one job of each index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from api.schemas.jobs import MAX_BATCH, AnyJob, CnnTrainJob
from scheduler.domain.errors import InputError
from scheduler.validation import summary
from scheduler.workloads.spec.parameters import with_placeholders
from scheduler.workloads.spec.specs import parse_work

INDEX = "index"
"""`{index}` stands for the index of a job."""
_SEEDS = 2**32


@dataclass(frozen=True, slots=True)
class Member:
    """One job of a request."""

    job: AnyJob
    """Its index is filled in."""
    origin: int = 0
    """Position of the job, or of its array, in the request."""
    name: str = ""
    """By which other jobs of the request refer to it, or to its array."""
    first: int | None = None
    """Position of the array's first job among all members; None: it belongs to no array."""
    index: int | None = None


def members(jobs: Sequence[AnyJob]) -> list[Member]:
    """The jobs of a batch, arrays written out.

    Raises `InputError` for more than `MAX_BATCH`, and naming what an index makes illegal.
    """
    found: list[Member] = []
    wrong: dict[str, str] = {}
    for origin, job in enumerate(jobs):
        if not job.array:
            found.append(Member(job, origin, job.name))
            continue
        first = len(found)
        for index in job.array:
            try:
                written = with_index(job, index)
            except InputError as error:
                for name, text in error.fields.items():
                    wrong.setdefault(f"jobs.{origin}.{name}", f"{text} (index {index})")
                written = job
            found.append(Member(written, origin, job.name, first, index))
    if len(found) > MAX_BATCH:
        wrong["jobs"] = f"{len(found)} jobs with those of arrays; legal: up to {MAX_BATCH}"
    if wrong:
        raise InputError(summary(wrong), wrong)
    return found


def with_index(job: AnyJob, index: int) -> AnyJob:
    """The job of an array at `index`: in its texts for `{index}`, and added to a training's seed.

    Raises `InputError` if that makes it illegal.
    """
    changed, _ = with_placeholders(
        {"name": job.name, "work": job.work.model_dump(mode="json")}, {INDEX: index}
    )
    work = changed["work"]
    if isinstance(job, CnnTrainJob):
        work["seed"] = (work["seed"] + index) % _SEEDS
    parsed = parse_work(job.kind, work)
    return job.model_copy(update={"name": changed["name"], "work": parsed, "array": ()})
