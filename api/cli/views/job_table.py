"""Jobs as a table that fits the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table
from rich.text import Text

from api.cli.support import text_format
from api.cli.support.output import table
from api.cli.views.run_progress import brief

if TYPE_CHECKING:
    from api.schemas import ForecastOut, JobOut, WaitingOut

COLOURS = {
    "QUEUED": "yellow",
    "STARTING": "cyan",
    "RUNNING": "blue",
    "PREEMPTING": "magenta",
    "PREEMPTED": "magenta",
    "CANCELLING": "magenta",
    "SUCCEEDED": "green",
    "FAILED": "red",
    "CANCELLED": "dim",
}
RUNS = ("RUNNING", "PREEMPTING", "CANCELLING")
"""States in which the newest attempt has not ended."""
LEAST_WHY = 20
"""Characters: how far a job is and how long it still takes."""
LIVE = ("QUEUED", "STARTING", "RUNNING", "PREEMPTING", "CANCELLING")

COLUMNS = (
    *(">JOB", "~NAME", "!KIND", "~USER", "!STATE", "!SUBMITTED", ">WAIT", ">RUN", ">LOST"),
    *(">COST", ">ACC", "~WHY"),
)
DROP = ("USER", "SUBMITTED", "KIND", "LOST", "WAIT", "ACC", "COST", "RUN", "NAME", "WHY", "STATE")
"""What a narrow terminal leaves out, first to last."""


def jobs_table(jobs: Sequence[JobOut], forecast: ForecastOut | None = None) -> Table:
    """Return the jobs as a table; a narrow one leaves out the least important columns.

    With a forecast, waiting jobs tell their place in the queue and when they start.
    """
    lost = any(job.lost_s for job in jobs)
    columns = [name for name in COLUMNS if lost or name != ">LOST"]
    result = table(*columns, drop=DROP, least={"WHY": LEAST_WHY})
    now = datetime.now(UTC)
    waiting = {one.job: one for one in forecast.waiting} if forecast else {}
    held = forecast.held if forecast else {}
    for job in jobs:
        cells: dict[str, str | Text] = {
            ">JOB": str(job.id),
            "~NAME": Text(job.name or "–"),
            "!KIND": job.kind.value,
            "~USER": escape(job.user),
            "!STATE": state(job.state.value),
            "!SUBMITTED": text_format.moment(job.submitted_at, now),
            ">WAIT": text_format.seconds(waited(job, now)),
            ">RUN": text_format.seconds(ran(job, now)),
            ">LOST": text_format.seconds(job.lost_s) if job.lost_s else "–",
            ">COST": text_format.dollars(job.dollars) if job.attempts else "–",
            ">ACC": text_format.share(job.accuracy),
            "~WHY": Text(_why(job, waiting.get(job.id), held.get(job.id), now)),
        }
        result.add_row(*(cells[column] for column in columns))
    return result


def _why(job: JobOut, waiting: WaitingOut | None, held: str | None, now: datetime) -> str:
    """Why the job is in its state; of a running one how far it is, of a waiting one how long."""
    if job.running is not None and job.state.value == "RUNNING":
        return brief(job.running)
    if job.state.value != "QUEUED":
        return job.reason
    if waiting is None:
        return held or job.reason
    return start(waiting, job.deadline, now)


def start(waiting: WaitingOut, deadline: datetime | None, now: datetime) -> str:
    """Return `#2, in about 5 min 10 s, 20 s late, gpu × 1`: late by its deadline."""
    left = (waiting.start - now).total_seconds()
    late = 0.0 if deadline is None else (waiting.end - deadline).total_seconds()
    parts = (
        f"#{waiting.position}",
        f"in about {text_format.seconds(left)}" if left > 1 else "now",
        f"{text_format.seconds(late)} late" if late > 0 else "",
        f"{waiting.pool} × {waiting.width}",
    )
    return ", ".join(filter(None, parts))


def state(name: str) -> str:
    """Return the state in its colour."""
    return f"[{COLOURS.get(name, 'default')}]{name.lower()}[/]"


def waited(job: JobOut, now: datetime) -> float:
    """Seconds since its submission in which no attempt of it ran, to its end or to now."""
    whole = ((job.finished_at or now) - job.submitted_at).total_seconds()
    return max(0.0, whole - (ran(job, now) or 0.0))


def ran(job: JobOut, now: datetime) -> float | None:
    """Seconds that its attempts have run, all together; None before the first start."""
    if job.started_at is None and not job.ran_s:
        return None
    if job.started_at is None or job.state.value not in RUNS:
        return job.ran_s
    return job.ran_s + max(0.0, (now - job.started_at).total_seconds())
