"""The torture's judge: each broken promise is found, and an orderly round is not blamed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.torture.ledger import KeyedRequest, RoundLedger, Totals
from benchmarks.torture.program import Heartbeats, heartbeats
from benchmarks.torture.verdict import RoundRecord, judge
from scheduler.domain import transitions
from scheduler.domain.lifecycle import AttemptState, EventName, JobState
from scheduler.store.base import JobQuery
from scheduler.testing.memory_store import MemoryStore
from scheduler.testing.samples import POOL, job_spec, placed, submitted


class Played:
    """A store with the jobs of one round; `done` is what the judge sees of it."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.store = MemoryStore()
        self.ledger = RoundLedger(1)
        self.heartbeats: dict[str, Heartbeats] = {}
        self.totals = Totals()

    def job(self, name: str = "one", **fields):
        (job,) = submitted(self.store, job_spec(name=name, **fields))
        submission = KeyedRequest(name, [{"name": name}])
        self.ledger.submissions.append(submission)
        self.ledger.accept(submission, [(job.id, name)])
        return job

    def runs(self, job, *devices, beats=(10.0, 12.0), code=0, stored=(120.0, 122.0), ends=None):
        """One attempt, and what its program says; `ends` makes the last transition."""
        job, attempt = placed(self.store, job, *devices)
        begin = transitions.started(job, attempt, 7, stored[0])
        end = (ends or succeeds)(begin.job, begin.attempt, stored[1])
        assert self.store.record([begin, end]) == [True, True]
        self.heartbeats[end.attempt.id] = Heartbeats(*beats, starts=[7], code=code)
        return end.job

    def judged(self, *, jobs=None, histories=None):
        """The rules that were broken."""
        every = list(reversed(self.store.jobs(JobQuery(), limit=100))) if jobs is None else jobs
        told = {job.id: self.store.events(job.id) for job in every}
        attempts = {job.id: self.store.attempts(job.id) for job in every}
        done = RoundRecord(
            self.ledger, every, attempts, histories or told, self.heartbeats, self.data
        )
        judge(done, self.totals)
        return sorted({found.rule for found in self.ledger.violations})


def succeeds(job, attempt, now):
    return transitions.succeeded(job, attempt, POOL, {}, now)


def fails(job, attempt, now, reason="signal SIGKILL"):
    return transitions.failed(job, attempt, POOL, reason, now)


def is_lost(job, attempt, now):
    return transitions.lost(job, attempt, POOL, "its supervisor was killed", now)


@pytest.fixture
def played(tmp_path: Path) -> Played:
    return Played(tmp_path)


def test_an_orderly_round(played):
    played.runs(played.job())
    played.runs(played.job("two"), code=3, beats=(12.0, 13.0), ends=fails)
    assert played.judged() == []
    assert played.totals.states == {"SUCCEEDED": 1, "FAILED": 1}
    assert (played.totals.jobs, played.totals.attempts, played.totals.events) == (2, 2, 8)


@pytest.mark.parametrize("resumable", [True, False])
def test_a_preempted_job(played, resumable):
    job, attempt = placed(played.store, played.job(work={"argv": ["x"], "resumable": resumable}))
    begin = transitions.started(job, attempt, 7, 120.0)
    asked = transitions.preempt_requested(begin.job, "ada", "by ada", 121.0, {})
    end = transitions.preempted(asked.job, begin.attempt, POOL, "by ada", 122.0)
    again = transitions.cancelled(end.job, 123.0, "ada", "enough")
    played.ledger.asked_to_cancel.add(job.id)
    assert played.store.record([begin, asked, end, again]) == [True] * 4
    assert played.judged() == ([] if resumable else ["preempted"])
    assert played.totals.preemptions == 1


def test_an_accepted_job_that_is_not_stored(played):
    played.job()
    assert played.judged(jobs=[]) == ["lost"]


def test_a_submission_that_made_two_jobs(played):
    played.job()
    submitted(played.store, job_spec(name="one"))
    assert played.judged() == ["doubled"]


def test_an_attempt_that_ran_twice(played):
    played.runs(played.job())
    played.heartbeats["1.1"].starts.append(8)
    assert played.judged() == ["doubled"]


def test_an_attempt_that_the_store_does_not_know(played):
    played.runs(played.job())
    played.heartbeats["1.2"] = Heartbeats(13.0, 14.0, starts=[8], code=0)
    assert played.judged() == ["doubled"]


def test_a_history_with_a_gap(played):
    job = played.runs(played.job())
    history = [event for event in played.store.events(job.id) if event.name != EventName.PLACED]
    assert played.judged(histories={job.id: history}) == ["history"]


def test_a_job_in_another_state_than_its_history(played):
    job = replace(played.runs(played.job()), state=JobState.FAILED)
    assert played.judged(jobs=[job]) == ["history"]


def test_two_attempts_of_a_job_at_the_same_time(played):
    played.ledger.killed.add("1.1")
    job = played.runs(played.job(), code=None, ends=is_lost, beats=(10.0, 12.0))
    played.runs(job, beats=(11.9, 13.0))
    assert played.judged() == ["overlap"]


def test_two_jobs_on_a_device_at_the_same_time(played):
    played.runs(played.job(), 3, 4)
    played.runs(played.job("two"), 4, beats=(11.9, 13.0))
    assert played.judged() == ["device"]


@pytest.mark.parametrize("code", [3, None])
def test_a_success_that_was_none(played, code):
    played.runs(played.job(), code=code)
    assert played.judged() == ["untrue"]


def test_a_success_that_never_ran(played):
    played.runs(played.job())
    played.heartbeats.clear()
    assert played.judged() == ["untrue"]


@pytest.mark.parametrize("set_", ["killed", "damaged"])
def test_a_failure_needs_a_cause(played, set_):
    played.runs(played.job(), code=None, ends=fails)
    assert played.judged() == ["blamed"]
    played.ledger.violations.clear()
    getattr(played.ledger, set_).add("1.1")
    assert played.judged() == []


def test_a_time_limit_is_a_cause(played):
    def ends(job, attempt, now):
        return fails(job, attempt, now, "time limit: stopped by SIGTERM")

    played.runs(played.job(max_duration_s=2.0), code=None, ends=ends)
    assert played.judged() == []


@pytest.mark.parametrize(("complete", "broken"), [(True, ["redone"]), (False, [])])
def test_work_done_twice(played, complete, broken):
    played.ledger.killed.add("1.1")
    job = played.runs(played.job(), ends=is_lost)
    played.runs(job, beats=(13.0, 14.0))
    folder = played.data / "run" / "attempts" / "1.1-a"
    folder.mkdir(parents=True)
    (folder / "outcome.json").write_text(json.dumps({"code": 0 if complete else 1, "result": {}}))
    assert played.judged() == broken
    assert (played.totals.losses, played.totals.redone) == (1, 1)


@pytest.mark.parametrize("end", [120.5, 10_922.0])
def test_a_run_time_by_a_clock_that_was_set(played, end):
    played.runs(played.job(), stored=(120.0, end))
    assert played.judged() == ["duration"]


def test_a_cancellation_and_an_update_that_were_forgotten(played):
    job = played.job()
    played.ledger.cancelled.add(job.id)
    played.ledger.priorities[job.id] = 90
    played.ledger.killed.add("1.1")
    played.runs(job, code=None, ends=fails)
    played.judged()
    assert [found.rule for found in played.ledger.violations] == ["forgotten", "forgotten"]


def test_a_job_that_was_cancelled_unasked(played):
    job = played.job()
    assert played.store.record([transitions.cancelled(job, 120.0, "ann", "")]) == [True]
    assert played.judged() == ["forgotten"]


def test_a_cancelled_job_may_have_been_done(played):
    job = played.job()
    job, attempt = placed(played.store, job)
    begin = transitions.started(job, attempt, 7, 120.0)
    asked = transitions.cancel_requested(begin.job, "ann", "", 121.0)
    end = succeeds(asked.job, begin.attempt, 122.0)
    assert all(played.store.record([begin, asked, end]))
    played.heartbeats["1.1"] = Heartbeats(10.0, 12.0, starts=[7], code=0)
    played.ledger.cancelled.add(1)
    assert played.judged() == []
    assert played.store.attempts(1)[0].state is AttemptState.SUCCEEDED


def test_heartbeats(tmp_path):
    beats = tmp_path / "beats"
    assert heartbeats(beats) == {}
    beats.write_text("start 1.1 7 10.5 -\non 1.1 7 10.7 -\nstart 1.2 9 11.0 -\nstop 1.1 7 10.9 3\n")
    assert heartbeats(beats) == {
        "1.1": Heartbeats(10.5, 10.9, starts=[7], code=3),
        "1.2": Heartbeats(11.0, 11.0, starts=[9], code=None),
    }
