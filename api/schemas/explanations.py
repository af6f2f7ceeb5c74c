"""Answers about decisions: why a job is where it is, what would happen, what comes next."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import AwareDatetime, Field

from api.schemas.answer import Answer
from api.schemas.answers import JobOut


class RowOut(Answer):
    """One row of the candidate table that was decided on."""

    job: int = Field(description="0: the row of waiting.")
    pool: str
    width: int
    score: float
    values: Mapping[str, float] = Field(description="Columns in their physical units.")
    terms: Mapping[str, float] = Field(
        default_factory=dict,
        description="Of the chosen row of a learned policy: what each column of the encoding did "
        "for it beside the best rival, in units of the score, greatest first; `interactions` is "
        "what single columns do not explain.",
    )
    text: str = Field(
        default="", description="Of a rival: how it compares with the chosen row, in words."
    )


class DecisionOut(Answer):
    """One choice of the policy, with its best rivals."""

    time: AwareDatetime
    job: int
    attempt: int | None
    policy: str
    action: str = Field(description="`start`, `reserve`, `backfill` or `wait`.")
    rows: int = Field(description="Rows in the whole table.")
    reason: str = Field(description="Why this row was chosen: one sentence for a person.")
    chosen: RowOut
    rivals: tuple[RowOut, ...] = Field(
        description="The next best places of the job, then the next best jobs."
    )


class AlternativeOut(Answer):
    """Another placement the job accepts."""

    pool: str
    width: int
    start_delay_s: float | None = Field(description="null: not in sight.")
    runtime_s: float
    dollars: float
    slowdown: float = Field(description="Runtime there ÷ runtime where it waits for.")


class WhatIfOut(Answer):
    """What one change would do to a waiting job, by the estimates and if nothing new arrives."""

    change: str = Field(description="`priority`, `preference` or `devices`.")
    value: float | None = Field(
        description="The priority, the preference (0 … 1) or the devices that would be free; "
        "null: no value changes anything."
    )
    text: str = Field(description="One sentence for a person.")
    start: AwareDatetime | None = Field(description="Expected then; null: unknown, or as now.")
    end: AwareDatetime | None
    pool: str | None
    width: int | None
    dollars: float | None = Field(description="Expected of the attempt then.")


class ExplanationOut(Answer):
    """Why a job is where it is."""

    job: JobOut
    cause: str = Field(description="One word; legal ones in the documentation.")
    text: str = Field(description="One sentence for a person.")
    position: int | None = Field(description="1: next; null unless it competes for devices.")
    depth: int | None = Field(description="Jobs that compete.")
    start: AwareDatetime | None = Field(description="Expected; null: not in sight.")
    end: AwareDatetime | None
    start_low: AwareDatetime | None = Field(
        default=None,
        description="It starts between this and `start_high` with a chance of 80 %; null: unknown.",
    )
    start_high: AwareDatetime | None = Field(
        default=None, description="null: unknown, or with `start_low` not in sight."
    )
    pool: str | None
    width: int | None
    dollars: float | None = Field(description="Expected of the attempt.")
    blockers: tuple[int, ...] = Field(description="Jobs it waits for, soonest first.")
    alternatives: tuple[AlternativeOut, ...]
    ahead: str = Field(
        default="", description="Who goes first for its pool, and why; empty if it is next."
    )
    what_if: tuple[WhatIfOut, ...] = Field(
        default=(), description="What would let it start or end earlier, or cost less."
    )
    decisions: tuple[DecisionOut, ...] = Field(description="Newest first.")


class OutlookOut(Answer):
    """What would happen to a job if it were submitted now."""

    preference: str = Field(description="`fast`, `balanced` or `cheap`.")
    pool: str
    width: int
    wait_s: float | None = Field(description="null: not in sight.")
    runtime_s: float
    dollars: float
    joules: float
    source: str = Field(description="Where the runtime comes from.")
    meets_deadline: bool | None = Field(description="null: the job has no deadline.")
    wait_low_s: float | None = Field(
        default=None,
        description="It waits between this and `wait_high_s` with a chance of 80 %; null: unknown.",
    )
    wait_high_s: float | None = Field(
        default=None, description="null: unknown, or with `wait_low_s` not in sight."
    )


class PlanOut(Answer):
    """The outlooks of one job; nothing was submitted."""

    outlooks: tuple[OutlookOut, ...]


class PlansOut(Answer):
    """The outlooks of several jobs, each as if it were the only one that is submitted."""

    plans: tuple[PlanOut, ...] = Field(description="In the order in which the jobs were sent.")


class WaitingOut(Answer):
    """A job that competes for devices, and where it is expected to run."""

    job: int
    position: int = Field(description="1: starts next.")
    start: AwareDatetime = Field(description="Expected.")
    end: AwareDatetime
    pool: str
    width: int
    dollars: float = Field(description="Expected of the attempt.")


class ExpectedEndOut(Answer):
    """An attempt that holds devices, and when it is expected to end."""

    job: int
    attempt: int = Field(description="Its number.")
    pool: str
    devices: tuple[int, ...] = Field(description="Indices inside the pool.")
    start: AwareDatetime
    end: AwareDatetime
    dollars: float = Field(description="Expected of the attempt.")


class ForecastOut(Answer):
    """What the cluster will do next if every estimate is right and nothing new arrives."""

    now: AwareDatetime = Field(description="When the forecast was made.")
    depth: int = Field(description="Jobs that compete for devices.")
    running: tuple[ExpectedEndOut, ...] = Field(description="By expected end.")
    waiting: tuple[WaitingOut, ...] = Field(
        description="By expected start; jobs whose start is not in sight are missing."
    )
    held: Mapping[int, str] = Field(
        description="Waiting jobs that do not compete yet, and why: a sentence for a person."
    )
    note: str = Field(description="Why no start is forecast; empty if starts are.")
