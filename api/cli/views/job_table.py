"""Jobs as a table that fits the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Column, Table
from rich.text import Text

from api.cli.support import text_format
from api.cli.support.output import table

if TYPE_CHECKING:
    from api.schemas import JobOut

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
LEAST_WHY, GAP = 16, 2
"""Characters that the reason keeps, and between two columns."""
LIVE = ("QUEUED", "STARTING", "RUNNING", "PREEMPTING", "CANCELLING")


def jobs_table(jobs: Sequence[JobOut], width: int) -> Table:
    """Return the jobs as a table; below 100 columns it leaves out the least important ones."""
    wide = width >= 100
    columns = [">JOB", "NAME", "STATE", ">WAIT", ">RUN", "WHY"]
    if wide:
        columns = [">JOB", "NAME", "KIND", "USER", "STATE", "SUBMITTED", ">WAIT", ">RUN", "WHY"]
    if any(job.lost_s for job in jobs):
        columns.insert(-1, ">LOST")
    result = table(*columns)
    for column in result.columns:
        if column.header in ("NAME", "WHY"):
            column.overflow, column.no_wrap = "ellipsis", True
            column.max_width = 28 if column.header == "NAME" else None
        else:
            column.no_wrap = True
    now = datetime.now(UTC)
    for job in jobs:
        cells = {
            ">JOB": str(job.id),
            "NAME": escape(job.name) or "–",
            "KIND": job.kind.value,
            "USER": escape(job.user),
            "STATE": state(job.state.value),
            "SUBMITTED": text_format.moment(job.submitted_at, now),
            ">WAIT": text_format.seconds(waited(job, now)),
            ">RUN": text_format.seconds(ran(job, now)),
            ">LOST": text_format.seconds(job.lost_s) if job.lost_s else "–",
            "WHY": escape(job.reason),
        }
        result.add_row(*(cells[column] for column in columns))
    # A long reason is cut; rich would narrow the other columns, too.
    why = result.columns[-1]
    why.max_width = max(LEAST_WHY, width - sum(map(_width, result.columns[:-1])))
    return result


def _width(column: Column) -> int:
    """Characters that a column takes, with its gap."""
    texts = (str(column.header), *map(str, column.cells))
    widest = max(Text.from_markup(text).cell_len for text in texts)
    return min(widest, column.max_width or widest) + GAP


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
