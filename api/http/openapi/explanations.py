"""An example of an explanation, for the OpenAPI document."""

from __future__ import annotations

from api.schemas import ExplanationOut
from scheduler.decisions.rounds.explanation import Alternative
from scheduler.domain.jobs import Job
from scheduler.domain.records import Decision, Row
from scheduler.service.queries.views import Explanation, WhatIf

_CHOSEN = Row(17, "cpu", 1, 50.0, {"runtime": 24.0, "dollars": 0.00027, "preference": 0.5})
_RIVAL = Row(
    17,
    "cpu",
    2,
    50.0,
    {"runtime": 14.0, "dollars": 0.00031, "preference": 0.5},
    text="instead on cpu × 2: 15 % more expensive, ends 10 s earlier",
)
_WHY = (
    "starts on cpu × 1 (24 s, $0.00027): the only job that waits; cheapest place, free now; "
    "decided by priority"
)


def explanation(job: Job, time: float) -> ExplanationOut:
    """An explanation of a job that waits; `time`: its submission, Unix seconds."""
    start, end, dollars = time + 40, time + 64, 0.00027
    return ExplanationOut.of(
        Explanation(
            job,
            "devices",
            "waits for 1 of 2 cpu devices, 0 free; job 16 ends in about 40 s",
            position=2,
            depth=3,
            start=start,
            end=end,
            pool="cpu",
            width=1,
            dollars=dollars,
            blockers=(16,),
            alternatives=(Alternative("cpu", 2, 80.0, 14.0, 0.00031, 0.58),),
            ahead="1 job goes before it on cpu, job 15 first: job 17 has priority 50, not 80",
            what_if=(
                WhatIf(
                    "priority",
                    81.0,
                    "with priority 81 or more it would start in about 20 s on cpu × 1 and end "
                    "20 s earlier",
                    start - 20,
                    end - 20,
                    "cpu",
                    1,
                    dollars,
                ),
            ),
            decisions=(
                Decision(time + 2, 17, 1, "priority", "start", 2, _CHOSEN, (_RIVAL,), _WHY),
            ),
        )
    )
