"""Requests for work on policies, which the cluster does as jobs, and how such a job goes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.schemas.answer import Answer
from api.schemas.answers import JobOut
from api.schemas.fields import Line, Preference
from api.schemas.jobs import JobCommon
from scheduler.validation import pattern

Algorithm = Literal["ppo", "ars", "cmaes", "search"]
TaskName = Literal["training", "tuning", "study", "promotion"]
PolicyName = Annotated[Line, Field(min_length=1)]
FileName = Annotated[
    str,
    Field(
        pattern=pattern(
            r"^[a-z0-9][a-z0-9._-]{0,59}$",
            "1 to 60 small letters, digits, '.', '_' and '-', a letter or digit first",
        )
    ),
]
Scalar = bool | int | float | str | None
Options = Annotated[
    dict[Line, Scalar | tuple[Scalar, ...]],
    Field(
        max_length=100,
        description="Any other hyper-parameters, as `fulcrum policy train --set` takes them.",
        examples=[{"n_steps": 128, "learning_rate": 0.0005}],
    ),
]


class PolicyJobRequest(BaseModel):
    """Base of the requests for work on policies."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    job: JobCommon = Field(
        default_factory=lambda: JobCommon.model_validate({}),
        description="Fields of the job that does it: project, priority, width (processors) and so "
        "on. Default devices: `cpu`.",
        examples=[{"width": 4, "priority": 20}],
    )


class _Learning(PolicyJobRequest):
    scenario: PolicyName | None = Field(
        None,
        description="A scenario's name, or a file on the service's machine; null: `mixed-cloud`.",
    )
    algo: Algorithm = Field(
        "ppo",
        description="Maskable PPO, augmented random search, CMA-ES, or search and distillation.",
    )
    seed: int = Field(0, ge=0, le=2**31 - 1, strict=True)
    preference: Preference | None = Field(
        None, description="0 cheapest … 1 fastest; null: drawn for each episode."
    )
    options: Options = Field(default_factory=dict)


class TrainingIn(_Learning):
    """A training of a policy; its best weights are registered."""

    name: PolicyName = Field(
        description="The policy is registered as `learned:NAME`.", examples=["ours"]
    )
    steps: int | None = Field(
        None,
        ge=1,
        le=10**12,
        strict=True,
        description="Decisions to learn from; null: 1,000,000, of cmaes 10,000,000, of search "
        "30,000.",
    )
    from_history: bool = Field(
        False,
        strict=True,
        description="Train on the jobs that this cluster has run, and promote the policy if it "
        "passes the test on the last ones. Only admins may ask for this.",
    )
    since: Line | None = Field(
        None, description="How far back the history goes: `12h`, `30d`; `30d` is the default."
    )
    workloads: int | None = Field(
        None,
        ge=6,
        le=10_000,
        strict=True,
        description="Workloads of the test on the history; null: 24.",
    )
    every: Line | None = Field(
        None,
        description="Train again after this time, such as `1d`, on what the history is then. The "
        "next job waits for its time; cancelling it ends the series. With `from_history` only.",
        examples=["1d"],
    )


class StudyIn(_Learning):
    """A search for hyper-parameters of trainings."""

    name: FileName = Field(description="Name of the study.", examples=["first"])
    trials: int = Field(20, ge=1, le=100_000, strict=True, description="Trainings.")
    steps: int | None = Field(
        None,
        ge=1,
        le=10**12,
        strict=True,
        description="Decisions of each training; null: a fifth of a training's.",
    )


class TuningIn(PolicyJobRequest):
    """A search for constants of `wgc` on a scenario, at each preference."""

    name: FileName = Field(description="Name of the schedule's file.", examples=["our-lab"])
    scenario: PolicyName = Field(
        description="A scenario's name, or a file on the service's machine.",
        examples=["mixed-cloud"],
    )
    trials: int = Field(
        40, ge=1, le=100_000, strict=True, description="Candidates at each preference."
    )
    workloads: int = Field(
        24, ge=2, le=10_000, strict=True, description="Half to search on, half to report."
    )
    jobs: int = Field(400, ge=1, le=10**6, strict=True, description="Jobs of each workload.")
    preferences: tuple[Preference, ...] = Field(
        (), max_length=100, description="Empty: 0, .05, .1, .2, .3, .5, .7, .8, .9 and 1."
    )
    seed: int = Field(0, ge=0, le=2**31 - 1, strict=True, description="Seed of the sampler.")


class PromotionIn(PolicyJobRequest):
    """A test whether a policy may become the incumbent."""

    use: bool = Field(
        False, strict=True, description="Let it decide from then on, if it is promoted."
    )
    scenario: PolicyName | None = Field(
        None, description="Where to test it; null: the scenario that it was trained on."
    )
    workloads: int = Field(
        24, ge=6, le=10_000, strict=True, description="Workloads held out from all training."
    )
    jobs: int | None = Field(
        None, ge=1, le=10**6, strict=True, description="Jobs of each; null: the scenario's."
    )
    margin: float = Field(
        0.0,
        strict=True,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="What may be lost to a heuristic, as a share of wgc's objective.",
    )
    force: bool = Field(
        False,
        strict=True,
        description="Promote it whatever the test says. The audit log records this.",
    )


class PolicyJobOut(Answer):
    """A job that works on policies."""

    task: TaskName
    name: str = Field(description="The policy, study or schedule that it makes or tests.")
    folder: str | None = Field(description="Where a training or a study leaves everything.")
    every_s: float | None = Field(
        description="Seconds from one training of its series to the next; null: it runs once."
    )
    job: JobOut


class PolicyJobDetail(PolicyJobOut):
    """How a job that works on policies goes, and what it found."""

    progress: float | None = Field(description="0 … 1; null before it is known.")
    validation: Mapping[str, Any] | None = Field(
        description="The last validation of a training: `steps`, and for each set of weights its "
        "objective ÷ the baseline's."
    )
    policy: str | None = Field(description="The version that was registered or tested.")
    promoted: bool | None = Field(description="Whether it was promoted; null: not tested (yet).")
    test: Mapping[str, Any] | None = Field(
        description="The paired test on held-out workloads: `passed`, and for each baseline the "
        "mean difference with its 95 % interval."
    )


class PolicyJobsOut(Answer):
    """Jobs that work on policies, newest first."""

    jobs: tuple[PolicyJobOut, ...]
