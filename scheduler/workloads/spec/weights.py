"""Which weights a training starts from: those of a job, or a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag

from scheduler.text import storable
from scheduler.workloads.spec.texts import PathText, Text

OF_JOB = "job:"
"""As `weights`, `job:12` is short for `{"job": 12}`."""


class JobWeights(BaseModel):
    """Weights that a training job leaves."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    job: int | Annotated[Text, Field(min_length=1, max_length=200)] = Field(
        description="Number or name of the training; this job then waits for it.",
        examples=[12, "pretrain"],
    )


def is_job_name(model: str) -> bool:
    """Whether a text among `models` can only be the name of a job: it has no slash."""
    return "/" not in model and not model.startswith(("~", "."))


def _weights(value: object) -> object:
    """A file as text, or a job's weights. Raises `ValueError` with the legal forms."""
    short = isinstance(value, str) and value.startswith(OF_JOB)
    given = {"job": str(value).removeprefix(OF_JOB)} if short else value
    if not isinstance(given, Mapping):
        return given
    job = given.get("job")
    number = int(job) if isinstance(job, str) and job.isdecimal() else job
    named = isinstance(number, str) and 0 < len(number) <= 200 and storable(number)
    numbered = isinstance(number, int) and not isinstance(number, bool) and number > 0
    if set(given) != {"job"} or not (named or numbered):
        raise ValueError(f"{given!r}: a job's weights are `{{job: NUMBER}}` or `{{job: NAME}}`")
    return JobWeights.model_validate({"job": number})


Weights = Annotated[
    Annotated[JobWeights, Tag("job")] | Annotated[PathText, Tag("str")],
    Discriminator(lambda value: "job" if isinstance(value, JobWeights | Mapping) else "str"),
    BeforeValidator(_weights, json_schema_input_type=JobWeights | PathText),
]
"""Weights to start from: those of a job, or a file."""
