"""What a person submits: a job, or several that refer to one another."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from api.schemas.fields import (
    MAX_ARRAY,
    Addresses,
    After,
    Array,
    Deadline,
    Devices,
    Dollars,
    Duration,
    JobNumber,
    Line,
    Memory,
    Name,
    Preference,
    Priority,
    Project,
    Secrets,
    Width,
    at_once,
)
from scheduler.domain.jobs import MIDDLE_PRIORITY, JobKind
from scheduler.domain.lifecycle import JobState
from scheduler.domain.notifications import ALL_OCCASIONS, Occasion
from scheduler.workloads.spec.work import CnnInferWork, CnnTrainWork, CommandWork

MAX_BATCH = 1000
"""Jobs of one batch."""


class RetryIn(BaseModel):
    """When a failed attempt is followed by another."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_attempts: int = Field(
        1, ge=1, le=100, strict=True, description="Attempts in all, the first included."
    )
    backoff_s: float = Field(
        5.0,
        ge=0,
        le=86_400,
        allow_inf_nan=False,
        description="Seconds before the second attempt; doubles with each further one.",
    )


class NotifyIn(BaseModel):
    """Who hears of a job, and of what."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    to: Addresses = Field(
        (),
        description="Webhooks (`https://…`) and people (`ada@example.org`), one or a list, as far "
        "as the service's settings allow them.",
        examples=[["ada@example.org", "https://hooks.example.org/fulcrum"]],
    )
    on: tuple[Occasion, ...] = Field(
        ALL_OCCASIONS,
        description="`succeeded`, `failed`, `cancelled`, `lost` (an attempt was lost with its "
        "node) and `budget` (90 % are spent). Default: all.",
        examples=[["failed", "lost"]],
    )


class JobCommon(BaseModel):
    """What every job may say, whatever its kind."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name = Field("", description="For people, and for references from other jobs.")
    project: Project = Field("default", description="Groups jobs for costs and preferences.")
    devices: Devices = Field(
        ("any",),
        description="Accepted devices: `any`, `cpu`, `cuda`, a device model or the name of a pool; "
        "one or a list.",
        examples=["any", ["cuda", "cpu"], ["NVIDIA A10"]],
    )
    width: Width = Field(
        (1, 1),
        description="Devices per attempt: a number or a range `LOW..HIGH` to choose from.",
        examples=[1, "1..4"],
    )
    memory: Memory = Field(
        0, description="Of the whole attempt: `2GiB` or bytes.", examples=["2GiB", 2147483648]
    )
    priority: Priority = Field(MIDDLE_PRIORITY, description="0 (whenever) … 100 (first).")
    preference: Preference | None = Field(
        None,
        description="`cheap`, `balanced`, `fast` or 0 … 1; default: the project's, else the "
        "cluster's.",
        examples=["balanced", 0.8],
    )
    deadline: Deadline | None = Field(
        None,
        description="When it should have ended: ISO 8601 with zone, or from now.",
        examples=["2030-01-31T18:00:00Z", "+30m"],
    )
    budget: Dollars | None = Field(None, description="Dollars it may cost at most.")
    after: After = Field(
        (),
        description="Jobs that must have succeeded first: numbers or names. A name means a job of "
        "the same batch, else the live job of that name, else the newest that has ended.",
        examples=[[17], ["train"]],
    )
    retry: RetryIn = RetryIn(max_attempts=1, backoff_s=5.0)
    secrets: Secrets = Field(
        default_factory=dict,
        description="Secrets of its project that it gets as variables: a list of names, or "
        "`{VARIABLE: NAME}`.",
        examples=[["HF_TOKEN"], {"TOKEN": "HF_TOKEN"}],
    )
    max_duration: Duration | None = Field(
        None,
        description="One attempt is stopped after this: seconds or `2h`.",
        examples=["2h", 7200],
    )
    array: Array = Field(
        (),
        description="Makes one job of each index, as a batch: `0-9`, `1-9:2` or a list. "
        "`{index}` in the name and in text of the work stands for it; a training's seed grows by "
        "it.",
        examples=["0-9", [0, 5]],
    )
    parallel: int | None = Field(
        None,
        ge=1,
        le=MAX_ARRAY,
        description="Jobs of the array that wait for devices or run at the same time, at most; "
        "`array: 0-99%4` means the same as `parallel: 4`.",
        examples=[4],
    )
    notify: NotifyIn = NotifyIn(to=(), on=ALL_OCCASIONS)

    _at_once = model_validator(mode="before")(at_once)

    @field_validator("name", mode="before")
    @classmethod
    def _is_no_number(cls, name: object) -> object:
        text = str(name).replace("{index}", "0") if isinstance(name, int | str) else ""
        if text.isdecimal():
            raise PydanticCustomError(
                "name", "should hold more than digits: commands take a number for a job's number"
            )
        return name

    @field_validator("parallel")
    @classmethod
    def _of_an_array(cls, parallel: int | None, info: ValidationInfo) -> int | None:
        if parallel is not None and info.data.get("array") == ():
            raise ValueError("needs `array`")
        return parallel


class CnnTrainJob(JobCommon):
    """Train an image classifier."""

    kind: Literal["cnn-train"]
    work: CnnTrainWork = Field(default_factory=CnnTrainWork)


class CnnInferJob(JobCommon):
    """Classify images with trained models."""

    kind: Literal["cnn-infer"]
    work: CnnInferWork


class CommandJob(JobCommon):
    """Run any program."""

    kind: Literal["command"]
    work: CommandWork


JobIn = Annotated[CnnTrainJob | CnnInferJob | CommandJob, Field(discriminator="kind")]
"""A job as submitted."""
AnyJob = CnnTrainJob | CnnInferJob | CommandJob

JOB: TypeAdapter[AnyJob] = TypeAdapter(JobIn)


class JobBatchIn(BaseModel):
    """Several jobs, submitted together or not at all."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    jobs: tuple[JobIn, ...] = Field(min_length=1, max_length=MAX_BATCH)


class JobUpdateIn(BaseModel):
    """What shall be otherwise about a waiting job; what is not named stays."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    priority: Priority = Field(MIDDLE_PRIORITY, description="0 (whenever) … 100 (first).")
    preference: Preference | None = Field(
        None, description="null: the project's, else the cluster's.", examples=["fast"]
    )
    deadline: Deadline | None = Field(None, description="null: none.", examples=["+30m"])

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.model_fields_set:
            raise PydanticCustomError("update", "should name priority, preference or deadline")
        return self


class CancelIn(BaseModel):
    """Why a job is cancelled."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reason: Name = Field("", examples=["wrong learning rate"])


class RepeatIn(BaseModel):
    """How an ended job is run again."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    from_scratch: bool = Field(
        False,
        strict=True,
        description="Begin again. Default: go on from the last checkpoint of the old job.",
    )


class PreemptIn(BaseModel):
    """Why a job shall free its devices for a while."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reason: Name = Field("", examples=["maintenance of the node"])


class ScheduleIn(BaseModel):
    """A schedule of wgc's constants."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: str = Field(
        min_length=1,
        max_length=65_536,
        description="The file that `fulcrum scenario tune` wrote.",
        examples=["[[at]]\nw = 0.5\nconstants = { congestion = 0.5 }\n"],
    )


class CancelJobsIn(BaseModel):
    """Which live jobs are cancelled: those to which all that is named applies."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ids: tuple[JobNumber, ...] = Field((), max_length=10_000, examples=[[17, 18]])
    state: tuple[JobState, ...] = Field((), max_length=8, examples=[["QUEUED"]])
    kind: tuple[JobKind, ...] = Field((), max_length=3)
    user: Line | None = Field(None, description="Default: yourself; admins: everybody.")
    project: Line | None = None
    name: Line | None = Field(None, description="Part of the name.", examples=["sweep-"])
    array: JobNumber | None = Field(None, description="Jobs of this array.", examples=[17])
    everything: bool = Field(False, description="Must be true if nothing else is named.")
    reason: Line = Field("", examples=["wrong learning rate"])
    dry_run: bool = Field(False, description="Only tell which ones; nothing is cancelled.")

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.everything and not self.model_fields_set - {"everything", "reason", "dry_run"}:
            raise PydanticCustomError(
                "cancel",
                "should name ids, state, kind, user, project, name or array, or everything: true",
            )
        return self


class FitIn(BaseModel):
    """Which policy shall prove itself on this cluster."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Line | None = Field(
        None,
        min_length=1,
        description="Default: the one that was wanted last.",
        examples=["learned:fulcrum"],
    )


class PreferencesIn(BaseModel):
    """How much speed shall be worth from now on; what is not named stays."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cluster: Preference | None = Field(
        None, description="Of jobs and projects that name none.", examples=[0.3]
    )
    projects: dict[Project, Preference | None] = Field(
        default_factory=dict,
        max_length=1000,
        description="Of their jobs that name none; null: the cluster's.",
        examples=[{"vision": "fast"}],
    )


class ShadowIn(BaseModel):
    """Which policy shall look on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Line = Field(min_length=1, examples=["learned:our-lab"])


class PolicyIn(BaseModel):
    """Who shall decide from now on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Line = Field(min_length=1, examples=["best-value"])
    mode: Line | None = Field(
        None,
        max_length=100,
        description="What happens to a job that does not fit: `none`, `easy`, … as "
        "docs/policies.md has them. Default: as it is.",
        examples=["easy"],
    )
    preference: Preference | None = Field(None, description="Default: as it is.")
