"""Workloads from a recorded trace: consecutive jobs, or jobs drawn at random."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Annotated

import numpy as np
from annotated_types import Ge

from envs.scenarios.splits import Split, rows
from envs.workloads.base import Workload
from envs.workloads.streams import streams, written
from envs.workloads.traces import formats
from scheduler.arrays import Floats
from scheduler.domain.errors import InputError


class Draw(StrEnum):
    """How a workload is drawn from a trace."""

    WINDOW = "window"
    """Consecutive jobs from a random row on, unchanged."""
    RESAMPLE = "resample"
    """Jobs and pauses drawn with replacement, each by itself: many workloads out of few jobs, but
    without what joins neighbours (bursts, the daily cycle)."""
    BLOCKS = "blocks"
    """Runs of up to `BLOCK` consecutive jobs drawn with replacement, with their pauses, so that
    bursts stay; within each, which job comes when is permuted. The moving block bootstrap of
    Künsch, "The Jackknife and the Bootstrap for General Stationary Observations", Annals of
    Statistics 17(3), 1989."""


NAMED = (
    "--trace FILE (in Python: load(name, trace=FILE)); for commands without --trace, a scenario "
    'file of your own with path = "FILE" under [workload.trace]'
)
"""How a user names the trace of a scenario that has none."""
BLOCK = 16
"""Jobs; fewer where a split has less than four times as many."""


@dataclass(frozen=True, slots=True)
class JobLog:
    """A trace file. It is read when it is first needed, and kept."""

    path: str | None = None
    """None: the user names it when loading the scenario."""
    digest: str = ""
    """Of its content: a file that has changed is read again."""
    format: str | None = None
    """None: it is recognised by its first line."""
    processors: Annotated[int, Ge(1)] | None = None
    """Size of the machine: wider jobs are left out; None: what the file says."""
    draw: Draw = Draw.WINDOW

    def jobs(self) -> Workload:
        """All jobs of the trace. Raises `InputError` if it cannot be read; see `Scenario.check`."""
        assert self.path is not None, "no file is named"
        return _read(self.path, self.digest, self.format, self.processors)


def draw_log(
    log: JobLog,
    count: int,
    where: np.random.SeedSequence,
    split: Split,
    *,
    counted: tuple[int, int] | None = None,
    population: bool = False,
) -> Workload:
    """`count` jobs from the rows that belong to the split.

    `counted`: (jobs before the counted ones, counted ones); None: all. `population`: jobs of
    earlier rows of the split are under way when a window begins, see `Workload.window`. Raises
    `InputError` if the rows are fewer (windows), or if the trace is missing.
    """
    before, own = counted or (0, count)
    whole = log.jobs()
    first, beyond = rows(split, len(whole.jobs))
    (rng,) = streams(where, 1)
    if log.draw is not Draw.WINDOW:
        drawn = _resampled(whole, first, beyond, count, rng, where, log.draw)
        return replace(drawn, counted=None if own == count else (before, before + own))
    if beyond - first < count:
        raise InputError(
            f"{whole.name} has {beyond - first} jobs for {split}, not {count}"
            + (f": {own} counted ones and {count - own} around them" if own < count else ""),
            {"jobs": f"1 to {(beyond - first) * own // count} for {split}"},
        )
    begin = first + int(rng.integers(beyond - first - count + 1)) + before
    window = whole.window(
        begin,
        own,
        before=before,
        after=count - own - before,
        since=first if population else None,
    )
    return replace(window, rows=(begin, begin + own))


def _resampled(
    whole: Workload,
    first: int,
    beyond: int,
    count: int,
    rng: np.random.Generator,
    where: np.random.SeedSequence,
    how: Draw,
) -> Workload:
    if beyond - first < 2:
        raise InputError(
            f"{whole.name} has {len(whole.jobs)} jobs, too few to share out to all splits",
            {"trace": "at least 20 jobs"},
        )
    pool = whole.jobs[first:beyond]
    pauses = np.diff([job.submitted_at for job in pool])
    if how is Draw.BLOCKS:
        chosen, before = _blocks(pauses, count, rng)
    else:
        before = rng.choice(pauses, count - 1)
        chosen = rng.integers(len(pool), size=count).tolist()
    submitted = np.concatenate(([0.0], np.cumsum(before))).tolist()
    jobs = []
    for number, (index, time) in enumerate(zip(chosen, submitted, strict=True), 1):
        job = pool[index]
        moved = None if job.deadline is None else job.deadline - job.submitted_at + time
        jobs.append(replace(job, id=number, submitted_at=time, deadline=moved))
    manner = "in blocks, " if how is Draw.BLOCKS else ""
    source = (
        f"{whole.source}, rows {first + 1} to {beyond} resampled, {manner}seed {written(where)}"
    )
    return replace(whole, jobs=tuple(jobs), source=source, rows=(first, beyond))


def _blocks(pauses: Floats, count: int, rng: np.random.Generator) -> tuple[list[int], Floats]:
    """(count rows, count - 1 pauses before all but the first), of len(pauses) + 1 rows."""
    size = len(pauses) + 1
    length = max(1, min(BLOCK, size // 4))
    rows_: list[int] = []
    before: list[float] = []
    while len(rows_) < count:
        begin = int(rng.integers(size - length + 1))
        rows_ += (begin + rng.permutation(length)).tolist()
        # The job before a block is another one now, so any pause may stand between the two.
        before += [float(rng.choice(pauses)), *pauses[begin : begin + length - 1].tolist()]
    return rows_[:count], np.array(before[1:count])


@lru_cache(maxsize=4)
def _read(path: str, digest: str, format_name: str | None, processors: int | None) -> Workload:  # noqa: ARG001 - the digest tells versions of the file apart
    return formats.read(Path(path), format_name, processors=processors)
