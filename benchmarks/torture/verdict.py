"""Store, files and heartbeats of a round, held against each other and against what was promised."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from benchmarks.torture.ledger import RoundLedger, Totals
from benchmarks.torture.program import Heartbeats
from scheduler.domain.errors import IllegalTransitionError
from scheduler.domain.events import Event
from scheduler.domain.jobs import Attempt, Job
from scheduler.domain.lifecycle import AttemptState, EventName, JobState, next_state

_LONGER_S, _SHORTER_S = 60.0, 1.0
"""How much a run time in the store may differ from that of the heartbeats, which begin after the
attempt and end before it; the first is below every step of the clock."""


@dataclass(frozen=True, slots=True)
class RoundRecord:
    """What a round has left."""

    ledger: RoundLedger
    jobs: Sequence[Job]
    attempts: Mapping[int, Sequence[Attempt]]
    """Job to its attempts, oldest first."""
    histories: Mapping[int, Sequence[Event]]
    heartbeats: Mapping[str, Heartbeats]
    data: Path
    """The data folder."""


def judge(done: RoundRecord, totals: Totals) -> None:
    """Note every broken promise in the ledger, and count."""
    _submissions(done)
    for job in done.jobs:
        _history(done.ledger, job, done.histories.get(job.id, ()))
        _promises(done.ledger, job)
        attempts = done.attempts[job.id]
        for attempt in attempts:
            _attempt(done.ledger, job, attempt, done.heartbeats.get(attempt.id))
        _redone(done, attempts, totals)
    _together(done)
    known = {attempt.id for attempts in done.attempts.values() for attempt in attempts}
    for name in sorted(done.heartbeats.keys() - known):
        done.ledger.report("doubled", f"attempt {name} ran and is not in the store")
    totals.jobs += len(done.jobs)
    totals.states.update(job.state.value for job in done.jobs)
    totals.events += sum(len(history) for history in done.histories.values())
    every = [attempt for attempts in done.attempts.values() for attempt in attempts]
    totals.attempts += len(every)
    totals.losses += sum(attempt.state is AttemptState.LOST for attempt in every)
    totals.preemptions += sum(attempt.state is AttemptState.PREEMPTED for attempt in every)


def _submissions(done: RoundRecord) -> None:
    ledger, stored = done.ledger, {job.id: job for job in done.jobs}
    for number, name in ledger.accepted.items():
        if number not in stored or stored[number].spec.name != name:
            ledger.report("lost", f"job {number} ({name}) was accepted and is not in the store")
    by_name: defaultdict[str, list[Job]] = defaultdict(list)
    for job in done.jobs:
        by_name[job.spec.name].append(job)
    names = ledger.names
    for name, jobs in by_name.items():
        first = [job.id for job in jobs if job.retry_of is None]
        if name not in names or len(first) != 1:
            ledger.report("doubled", f"{name} was submitted once and is jobs {first}")
        if len(jobs) - len(first) > ledger.retries[name]:
            text = f"{name} was repeated {ledger.retries[name]} times and is jobs "
            ledger.report("doubled", text + str([job.id for job in jobs]))
    for name, answered in names.items():
        if answered and name not in by_name:
            ledger.report("lost", f"{name} was answered and is not in the store")


def _history(ledger: RoundLedger, job: Job, history: Sequence[Event]) -> None:
    told = f"job {job.id}: {', '.join(event.name for event in history)}"
    if not history or history[0].name is not EventName.SUBMITTED:
        ledger.report("history", f"{told}: does not begin with a submission")
        return
    state = JobState.QUEUED
    for event in history[1:]:
        try:
            state = next_state(state, event.name)
        except IllegalTransitionError as error:
            ledger.report("history", f"{told}: {error.message}")
            return
        if event.after is not state:
            ledger.report("history", f"{told}: {event.name} led to {event.after}, not {state}")
    if state is not job.state:
        ledger.report("history", f"{told}: ends in {state}, the job is {job.state}")
    numbers = [event.attempt for event in history if event.name is EventName.PLACED]
    if numbers != list(range(1, job.attempts + 1)):
        ledger.report("history", f"{told}: placed as attempts {numbers} of {job.attempts}")


def _promises(ledger: RoundLedger, job: Job) -> None:
    wanted = ledger.priorities.get(job.id)
    if wanted is not None and job.spec.priority != wanted:
        text = f"job {job.id} was given priority {wanted} and has {job.spec.priority}"
        ledger.report("forgotten", text)
    asked = job.id in ledger.asked_to_cancel or job.spec.after
    if job.state is JobState.CANCELLED and not asked:
        ledger.report("forgotten", f"job {job.id} is cancelled and nobody asked for it")
    kept = (JobState.CANCELLED, JobState.SUCCEEDED)
    if job.id in ledger.cancelled and job.state.final and job.state not in kept:
        ledger.report("forgotten", f"job {job.id} was cancelled and is {job.state}: {job.reason}")


def _attempt(ledger: RoundLedger, job: Job, attempt: Attempt, said: Heartbeats | None) -> None:
    told = f"attempt {attempt.id} ({job.spec.name}) is {attempt.state}: {attempt.exit_reason}"
    if said is not None and len(said.starts) > 1:
        ledger.report("doubled", f"{told}; it ran as processes {said.starts}")
    well = said is not None and said.code == 0
    if attempt.state is AttemptState.SUCCEEDED and not well:
        ledger.report("untrue", f"{told}; its program did not end well: {said}")
    if attempt.state is AttemptState.PREEMPTED and not job.spec.work.get("resumable"):
        ledger.report("preempted", told)
    if attempt.state in (AttemptState.FAILED, AttemptState.LOST):
        excused = attempt.id in ledger.killed | ledger.damaged
        failed = said is not None and said.code not in (0, None)
        reason = attempt.exit_reason or ""
        too_long = reason.startswith("time limit") and job.spec.max_duration_s is not None
        if not (excused or failed or too_long):
            ledger.report("blamed", f"{told}; its program: {said}")
    if said is not None and attempt.started_at is not None and attempt.finished_at is not None:
        stored, real = attempt.finished_at - attempt.started_at, said.last - said.first
        if not real - _SHORTER_S < stored < real + _LONGER_S and attempt.id not in ledger.damaged:
            ledger.report("duration", f"{told}; it ran {real:.1f} s and is billed {stored:.1f} s")


def _redone(done: RoundRecord, attempts: Sequence[Attempt], totals: Totals) -> None:
    for attempt in attempts[:-1]:
        said = done.heartbeats.get(attempt.id)
        later = any(other.id in done.heartbeats for other in attempts[attempt.number :])
        if said is None or said.code != 0 or not later:
            continue
        totals.redone += 1
        if attempt.id not in done.ledger.damaged and _complete(done.data, attempt):
            text = f"attempt {attempt.id} left a complete result, is {attempt.state} and was redone"
            done.ledger.report("redone", f"{text}: {attempt.exit_reason}")


def _complete(data: Path, attempt: Attempt) -> bool:
    """Whether the executor's record says that the work ended well."""
    for file in data.glob(f"run/attempts/{attempt.id}-*/outcome.json"):
        try:
            outcome = json.loads(file.read_bytes())
        except (OSError, ValueError):
            continue
        if isinstance(outcome, dict) and outcome.get("code") == 0:
            return True
    return False


def _together(done: RoundRecord) -> None:
    """Attempts of one job, and attempts on one device, must not have run at the same time."""
    jobs: defaultdict[int, list[Attempt]] = defaultdict(list)
    devices: defaultdict[tuple[str, int], list[Attempt]] = defaultdict(list)
    for attempts in done.attempts.values():
        for attempt in attempts:
            if attempt.id in done.heartbeats:
                jobs[attempt.job].append(attempt)
                for device in attempt.devices:
                    devices[attempt.pool, device].append(attempt)
    for number, attempts in jobs.items():
        for first, second in _overlaps(attempts, done.heartbeats):
            done.ledger.report("overlap", f"job {number}: {first} and {second} ran together")
    for (pool, device), attempts in devices.items():
        for first, second in _overlaps(attempts, done.heartbeats):
            if first.partition(".")[0] != second.partition(".")[0]:
                text = f"{pool} device {device}: {first} and {second} ran together"
                done.ledger.report("device", text)


def _overlaps(
    attempts: Iterable[Attempt], heartbeats: Mapping[str, Heartbeats]
) -> Iterator[tuple[str, str]]:
    ordered = sorted((attempt.id for attempt in attempts), key=lambda name: heartbeats[name].first)
    for first, second in pairwise(ordered):
        if heartbeats[first].last > heartbeats[second].first:
            yield first, second
