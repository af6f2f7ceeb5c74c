"""Store, files and heartbeats of a round, held against each other and against what was promised."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from benchmarks.torture.ledger import Figures, Ledger
from benchmarks.torture.program import Life
from scheduler.domain.errors import IllegalTransitionError
from scheduler.domain.events import Event
from scheduler.domain.jobs import Attempt, Job
from scheduler.domain.lifecycle import AttemptState, EventName, JobState, next_state

_LONGER_S, _SHORTER_S = 60.0, 1.0
"""How much a run time in the store may differ from that of the heartbeats, which begin after the
attempt and end before it; the first is below every step of the clock."""


@dataclass(frozen=True, slots=True)
class Round:
    """What a round has left."""

    ledger: Ledger
    jobs: Sequence[Job]
    attempts: Mapping[int, Sequence[Attempt]]
    """Job to its attempts, oldest first."""
    histories: Mapping[int, Sequence[Event]]
    lives: Mapping[str, Life]
    data: Path
    """The data folder."""


def judge(done: Round, figures: Figures) -> None:
    """Note every broken promise in the ledger, and count."""
    _submissions(done)
    for job in done.jobs:
        _history(done.ledger, job, done.histories.get(job.id, ()))
        _promises(done.ledger, job)
        attempts = done.attempts[job.id]
        for attempt in attempts:
            _attempt(done.ledger, job, attempt, done.lives.get(attempt.id))
        _redone(done, attempts, figures)
    _together(done)
    known = {attempt.id for attempts in done.attempts.values() for attempt in attempts}
    for name in sorted(done.lives.keys() - known):
        done.ledger.find("doubled", f"attempt {name} ran and is not in the store")
    figures.jobs += len(done.jobs)
    figures.states.update(job.state.value for job in done.jobs)
    figures.events += sum(len(history) for history in done.histories.values())
    every = [attempt for attempts in done.attempts.values() for attempt in attempts]
    figures.attempts += len(every)
    figures.losses += sum(attempt.state is AttemptState.LOST for attempt in every)


def _submissions(done: Round) -> None:
    ledger, stored = done.ledger, {job.id: job for job in done.jobs}
    for number, name in ledger.accepted.items():
        if number not in stored or stored[number].spec.name != name:
            ledger.find("lost", f"job {number} ({name}) was accepted and is not in the store")
    by_name: defaultdict[str, list[Job]] = defaultdict(list)
    for job in done.jobs:
        by_name[job.spec.name].append(job)
    names = ledger.names
    for name, jobs in by_name.items():
        first = [job.id for job in jobs if job.retry_of is None]
        if name not in names or len(first) != 1:
            ledger.find("doubled", f"{name} was submitted once and is jobs {first}")
        if len(jobs) - len(first) > ledger.retries[name]:
            text = f"{name} was repeated {ledger.retries[name]} times and is jobs "
            ledger.find("doubled", text + str([job.id for job in jobs]))
    for name, answered in names.items():
        if answered and name not in by_name:
            ledger.find("lost", f"{name} was answered and is not in the store")


def _history(ledger: Ledger, job: Job, history: Sequence[Event]) -> None:
    told = f"job {job.id}: {', '.join(event.name for event in history)}"
    if not history or history[0].name is not EventName.SUBMITTED:
        ledger.find("history", f"{told}: does not begin with a submission")
        return
    state = JobState.QUEUED
    for event in history[1:]:
        try:
            state = next_state(state, event.name)
        except IllegalTransitionError as error:
            ledger.find("history", f"{told}: {error.message}")
            return
        if event.after is not state:
            ledger.find("history", f"{told}: {event.name} led to {event.after}, not {state}")
    if state is not job.state:
        ledger.find("history", f"{told}: ends in {state}, the job is {job.state}")
    numbers = [event.attempt for event in history if event.name is EventName.PLACED]
    if numbers != list(range(1, job.attempts + 1)):
        ledger.find("history", f"{told}: placed as attempts {numbers} of {job.attempts}")


def _promises(ledger: Ledger, job: Job) -> None:
    wanted = ledger.priorities.get(job.id)
    if wanted is not None and job.spec.priority != wanted:
        text = f"job {job.id} was given priority {wanted} and has {job.spec.priority}"
        ledger.find("forgotten", text)
    kept = (JobState.CANCELLED, JobState.SUCCEEDED)
    if job.id in ledger.cancelled and job.state.final and job.state not in kept:
        ledger.find("forgotten", f"job {job.id} was cancelled and is {job.state}: {job.reason}")


def _attempt(ledger: Ledger, job: Job, attempt: Attempt, life: Life | None) -> None:
    told = f"attempt {attempt.id} ({job.spec.name}) is {attempt.state}: {attempt.exit_reason}"
    if life is not None and len(life.starts) > 1:
        ledger.find("doubled", f"{told}; it ran as processes {life.starts}")
    well = life is not None and life.code == 0
    if attempt.state is AttemptState.SUCCEEDED and not well:
        ledger.find("untrue", f"{told}; its program did not end well: {life}")
    if attempt.state in (AttemptState.FAILED, AttemptState.LOST):
        excused = attempt.id in ledger.killed | ledger.damaged
        failed = life is not None and life.code not in (0, None)
        reason = attempt.exit_reason or ""
        too_long = reason.startswith("time limit") and job.spec.max_duration_s is not None
        if not (excused or failed or too_long):
            ledger.find("blamed", f"{told}; its program: {life}")
    if life is not None and attempt.started_at is not None and attempt.finished_at is not None:
        stored, real = attempt.finished_at - attempt.started_at, life.last - life.first
        if not real - _SHORTER_S < stored < real + _LONGER_S and attempt.id not in ledger.damaged:
            ledger.find("duration", f"{told}; it ran {real:.1f} s and is billed {stored:.1f} s")


def _redone(done: Round, attempts: Sequence[Attempt], figures: Figures) -> None:
    for attempt in attempts[:-1]:
        life = done.lives.get(attempt.id)
        later = any(other.id in done.lives for other in attempts[attempt.number :])
        if life is None or life.code != 0 or not later:
            continue
        figures.redone += 1
        if attempt.id not in done.ledger.damaged and _complete(done.data, attempt):
            text = f"attempt {attempt.id} left a complete result, is {attempt.state} and was redone"
            done.ledger.find("redone", f"{text}: {attempt.exit_reason}")


def _complete(data: Path, attempt: Attempt) -> bool:
    """Whether the work's own result.json says that it ended well."""
    for file in data.glob(f"jobs/{attempt.job}/attempt-{attempt.number}/**/result.json"):
        try:
            result = json.loads(file.read_bytes())
        except (OSError, ValueError):
            continue
        if isinstance(result, dict) and result.get("exit_code") == 0 and "samples" in result:
            return True
    return False


def _together(done: Round) -> None:
    """Attempts of one job, and attempts on one device, must not have run at the same time."""
    jobs: defaultdict[int, list[Attempt]] = defaultdict(list)
    devices: defaultdict[tuple[str, int], list[Attempt]] = defaultdict(list)
    for attempts in done.attempts.values():
        for attempt in attempts:
            if attempt.id in done.lives:
                jobs[attempt.job].append(attempt)
                for device in attempt.devices:
                    devices[attempt.pool, device].append(attempt)
    for number, attempts in jobs.items():
        for first, second in _overlaps(attempts, done.lives):
            done.ledger.find("overlap", f"job {number}: {first} and {second} ran together")
    for (pool, device), attempts in devices.items():
        for first, second in _overlaps(attempts, done.lives):
            if first.partition(".")[0] != second.partition(".")[0]:
                text = f"{pool} device {device}: {first} and {second} ran together"
                done.ledger.find("device", text)


def _overlaps(attempts: Iterable[Attempt], lives: Mapping[str, Life]) -> Iterator[tuple[str, str]]:
    ordered = sorted((attempt.id for attempt in attempts), key=lambda name: lives[name].first)
    for first, second in pairwise(ordered):
        if lives[first].last > lives[second].first:
            yield first, second
