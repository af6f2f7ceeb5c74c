"""What a person submits as a sweep: a job with the search over its parameters."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    JsonValue,
    Tag,
    TypeAdapter,
    model_validator,
)
from pydantic_core import PydanticCustomError

from api.schemas.fields import Line
from api.schemas.jobs import CnnTrainJob, CommandJob
from scheduler.domain.groups.sweeps import Dimension, Direction, PrunerKind, SweepMethod

MAX_TRIALS = 1000
"""Trials of one sweep."""
LOWER_IS_BETTER = ("loss", "error", "perplexity")
"""A metric whose name ends so is minimised, unless the sweep says otherwise."""

Ends = Annotated[tuple[float, float], Field(description="Lowest and highest value, inclusive.")]
WholeEnds = Annotated[tuple[int, int], Field(description="Lowest and highest, inclusive.")]


class RangeIn(BaseModel):
    """A range of numbers: exactly one of `uniform`, `log`, `integer`, `log_integer`."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    uniform: Ends | None = Field(None, examples=[[0, 0.1]])
    log: Ends | None = Field(None, examples=[[1e-4, 1e-1]])
    integer: WholeEnds | None = Field(None, examples=[[5, 20]])
    log_integer: WholeEnds | None = Field(None, examples=[[8, 512]])
    step: float | None = Field(
        None, gt=0, description="Distance of values; of `uniform` and `integer` only."
    )
    points: int | None = Field(
        None, ge=1, le=MAX_TRIALS, description="How many values a grid takes from the range."
    )

    @model_validator(mode="after")
    def _one(self) -> Self:
        given = [name for name in _RANGES if getattr(self, name) is not None]
        if len(given) != 1:
            raise PydanticCustomError(
                "range", "should name exactly one of uniform, log, integer and log_integer"
            )
        low, high = getattr(self, given[0])
        if not low < high:
            raise PydanticCustomError("range", "the first end should be below the second")
        if "log" in given[0] and low <= 0:
            raise PydanticCustomError("range", "both ends of a log range should be above 0")
        if self.step is not None and "log" in given[0]:
            raise PydanticCustomError("range", "a log range takes no step")
        if self.step is not None and "integer" in given[0] and self.step % 1:
            raise PydanticCustomError("range", "the step of an integer range should be whole")
        return self

    @property
    def dimension(self) -> Dimension:
        """The domain's value."""
        name = next(name for name in _RANGES if getattr(self, name) is not None)
        low, high = getattr(self, name)
        return Dimension(
            low=low,
            high=high,
            log="log" in name,
            whole="integer" in name,
            step=self.step,
            points=self.points,
        )


_RANGES = ("uniform", "log", "integer", "log_integer")

Choices = Annotated[
    tuple[JsonValue, ...], Field(min_length=1, max_length=MAX_TRIALS, description="The values.")
]
LIST, RANGE = "list", "range"


def _form(value: Any) -> str:
    return LIST if isinstance(value, list | tuple) else RANGE


Values = Annotated[
    Annotated[Choices, Tag(LIST)] | Annotated[RangeIn, Tag(RANGE)], Discriminator(_form)
]
"""The values of a parameter."""


class PrunerIn(BaseModel):
    """Which trials are stopped early."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: PrunerKind
    startup_trials: int = Field(
        default=5,
        ge=1,
        le=MAX_TRIALS,
        description="`median`: trials that must have completed before.",
    )
    warmup_epochs: int = Field(
        default=0, ge=0, le=100_000, description="`median`: epochs in which no trial is stopped."
    )
    min_epochs: int = Field(
        default=1,
        ge=1,
        le=100_000,
        description="`asha`: the first epoch at which trials are compared.",
    )
    reduction_factor: int = Field(
        default=4,
        ge=2,
        le=100,
        description="`asha`: one trial of so many goes on at each comparison.",
    )


def _named(value: Any) -> Any:
    return {"kind": value} if isinstance(value, str) else value


class SweepIn(BaseModel):
    """The search over the parameters of a job."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    parameters: dict[Line, Values] = Field(
        min_length=1,
        max_length=50,
        description="Field of the work (`work.learning_rate`), or name of a `{placeholder}` in a "
        "command, to its values: a list, or a range.",
        examples=[{"work.learning_rate": {"log": [1e-4, 1e-1]}, "work.batch_size": [32, 64]}],
    )
    method: SweepMethod = Field(
        SweepMethod.TPE,
        description="`grid`: every combination; `random`; `tpe`: near the best so far.",
    )
    trials: int | None = Field(
        None, ge=1, le=MAX_TRIALS, description="Trials in all; needed unless it is a grid."
    )
    parallel: int | None = Field(
        None,
        ge=1,
        le=MAX_TRIALS,
        description="Trials that wait or run at the same time. Default: 4 with `tpe`, which learns "
        "from those before, else all.",
    )
    metric: Line | None = Field(
        None,
        min_length=1,
        max_length=200,
        description="The number of each epoch's report that is searched for. Default of a "
        "training: `validation_accuracy`.",
        examples=["validation_accuracy", "validation_loss"],
    )
    direction: Direction | None = Field(
        None,
        description="Default: `minimize` if the metric's name ends in loss, error or perplexity, "
        "else `maximize`.",
    )
    pruner: Annotated[
        PrunerIn, BeforeValidator(_named, json_schema_input_type=PrunerKind | PrunerIn)
    ] = Field(
        PrunerIn(kind=PrunerKind.NONE),
        description="Which trials are stopped: `none`, `median`, `asha`, or a table of these.",
        examples=["median", {"kind": "asha", "min_epochs": 2}],
    )
    seed: int = Field(0, ge=0, lt=2**32, description="Of the draws; equal ones draw alike.")


class CnnTrainSweep(CnnTrainJob):
    """Trainings with different parameters."""

    sweep: SweepIn


class CommandSweep(CommandJob):
    """Programs with different parameters."""

    sweep: SweepIn


AnySweep = CnnTrainSweep | CommandSweep
SweepJobIn = Annotated[AnySweep, Field(discriminator="kind")]
"""A sweep as submitted."""
SWEEP: TypeAdapter[AnySweep] = TypeAdapter(SweepJobIn)
