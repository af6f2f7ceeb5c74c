"""What the doors answer about decisions: why a job is where it is, what would happen to one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Self

from pydantic import AwareDatetime, Field

from api.schemas.answers import Answer, JobOut
from api.schemas.fields import instant

if TYPE_CHECKING:  # clients read these models too, and need no NumPy for it
    from scheduler.decisions.rounds.explanation import Alternative
    from scheduler.domain.records import Decision, Row
    from scheduler.service.queries.views import Explanation, Outlook


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

    @classmethod
    def of(cls, row: Row) -> Self:
        """From the domain's value."""
        return cls.model_validate(row)


class DecisionOut(Answer):
    """One choice of the policy, with its best rivals."""

    time: AwareDatetime
    job: int
    attempt: int | None
    policy: str
    action: str = Field(description="`start`, `reserve`, `backfill` or `wait`.")
    rows: int = Field(description="Rows in the whole table.")
    reason: str
    chosen: RowOut
    rivals: tuple[RowOut, ...]

    @classmethod
    def of(cls, decision: Decision) -> Self:
        """From the domain's value."""
        return cls.model_construct(
            time=instant(decision.time),
            job=decision.job,
            attempt=decision.attempt,
            policy=decision.policy,
            action=decision.action,
            rows=decision.rows,
            reason=decision.reason,
            chosen=RowOut.of(decision.chosen),
            rivals=tuple(RowOut.of(row) for row in decision.rivals),
        )


class AlternativeOut(Answer):
    """Another placement the job accepts."""

    pool: str
    width: int
    start_delay_s: float | None = Field(description="null: not in sight.")
    runtime_s: float
    dollars: float
    slowdown: float = Field(description="Runtime there ÷ runtime where it waits for.")

    @classmethod
    def of(cls, alternative: Alternative) -> Self:
        """From the decisions' value."""
        return cls(
            pool=alternative.pool,
            width=alternative.width,
            start_delay_s=finite(alternative.start_delay_s),
            runtime_s=alternative.runtime_s,
            dollars=alternative.dollars,
            slowdown=alternative.slowdown,
        )


class ExplanationOut(Answer):
    """Why a job is where it is."""

    job: JobOut
    cause: str = Field(description="One word; legal ones in the documentation.")
    text: str = Field(description="One sentence for a person.")
    position: int | None = Field(description="1: next; null unless it competes for devices.")
    depth: int | None = Field(description="Jobs that compete.")
    start: AwareDatetime | None = Field(description="Expected; null: not in sight.")
    end: AwareDatetime | None
    pool: str | None
    width: int | None
    dollars: float | None = Field(description="Expected of the attempt.")
    blockers: tuple[int, ...] = Field(description="Jobs it waits for, soonest first.")
    alternatives: tuple[AlternativeOut, ...]
    decisions: tuple[DecisionOut, ...] = Field(description="Newest first.")

    @classmethod
    def of(cls, explanation: Explanation) -> Self:
        """From the service's value."""
        return cls.model_construct(
            job=JobOut.of(explanation.job),
            cause=str(explanation.cause),
            text=explanation.text,
            position=explanation.position,
            depth=explanation.depth,
            start=instant(finite(explanation.start)),
            end=instant(finite(explanation.end)),
            pool=explanation.pool,
            width=explanation.width,
            dollars=explanation.dollars,
            blockers=tuple(explanation.blockers),
            alternatives=tuple(AlternativeOut.of(one) for one in explanation.alternatives),
            decisions=tuple(DecisionOut.of(one) for one in explanation.decisions),
        )


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

    @classmethod
    def of(cls, outlook: Outlook) -> Self:
        """From the service's value."""
        return cls(
            preference=outlook.preference,
            pool=outlook.pool,
            width=outlook.width,
            wait_s=finite(outlook.wait_s),
            runtime_s=outlook.runtime_s,
            dollars=outlook.dollars,
            joules=outlook.joules,
            source=outlook.source,
            meets_deadline=outlook.meets_deadline,
        )


class PlanOut(Answer):
    """The outlooks of one job; nothing was submitted."""

    outlooks: tuple[OutlookOut, ...]


def finite(value: float | None) -> float | None:
    """None for what is not in sight: JSON has no infinity."""
    return None if value is None or not math.isfinite(value) else value
