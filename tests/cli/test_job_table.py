"""WAIT and RUN of jobs that have run more than once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api.cli.views.job_table import ran, start, waited
from api.schemas import JobOut, WaitingOut
from scheduler.domain.jobs import Job
from scheduler.domain.lifecycle import JobState
from scheduler.testing.samples import job_spec

T = 1_800_000_000.0


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(T, UTC) + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("state", "values", "now", "wait", "run"),
    [
        (JobState.QUEUED, {}, 7, 7, None),
        (JobState.STARTING, {"attempts": 1}, 7, 7, None),
        (JobState.RUNNING, {"started_at": T + 10}, 40, 10, 30),
        # Preempted at 40, it waits again since then.
        (JobState.QUEUED, {"started_at": T + 10, "ran_s": 30.0}, 60, 30, 30),
        # It runs again since 70.
        (JobState.RUNNING, {"started_at": T + 70, "ran_s": 30.0}, 100, 40, 60),
        (JobState.PREEMPTING, {"started_at": T + 70, "ran_s": 30.0}, 100, 40, 60),
        (
            JobState.SUCCEEDED,
            {"started_at": T + 70, "finished_at": T + 90, "ran_s": 50.0},
            999,
            40,
            50,
        ),
        (JobState.CANCELLED, {"finished_at": T + 5}, 999, 5, None),
    ],
)
def test_waiting_and_running_never_overlap(
    state: JobState, values: dict[str, Any], now: float, wait: float, run: float | None
) -> None:
    job = JobOut.of(Job(1, job_spec(), state, "", T, **values))
    assert waited(job, at(now)) == pytest.approx(wait)
    assert ran(job, at(now)) == (None if run is None else pytest.approx(run))


@pytest.mark.parametrize(
    ("starts", "deadline", "text"),
    [
        (310, None, "#2, in about 5 min 10 s, gpu × 1"),
        (0, None, "#2, now, gpu × 1"),
        (310, 390, "#2, in about 5 min 10 s, 20 s late, gpu × 1"),
        (310, 500, "#2, in about 5 min 10 s, gpu × 1"),
    ],
)
def test_a_waiting_job_tells_when_it_starts(
    starts: float, deadline: float | None, text: str
) -> None:
    waiting = WaitingOut(
        job=7, position=2, start=at(starts), end=at(starts + 100), pool="gpu", width=1, dollars=0.1
    )
    assert start(waiting, None if deadline is None else at(deadline), at(0)) == text
