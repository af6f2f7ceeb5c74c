"""What every `Store` owes those who submit, as tests."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from scheduler.domain import transitions
from scheduler.domain.errors import InputError, StateError
from scheduler.domain.events import Event
from scheduler.domain.jobs import JobKind
from scheduler.domain.lifecycle import EventName, JobState
from scheduler.store.base import JobQuery, Store
from scheduler.testing.samples import (
    POOL,
    job_spec,
    placed,
    submission,
    submitted,
)
from scheduler.text import shown

EVERYTHING = JobQuery()


class SubmitContract:
    """Submissions."""

    def test_ids_rise_from_one(self, store: Store) -> None:
        """Over submissions and inside them."""
        first, second = store.submit([submission(job_spec(), job_spec()), submission()])
        assert isinstance(first, list)
        assert isinstance(second, list)
        assert [job.id for job in first + second] == [1, 2, 3]
        assert [job.id for job in submitted(store)] == [4]

    def test_a_job_is_read_as_it_was_submitted(self, store: Store) -> None:
        """Every field, and its first event."""
        spec = job_spec(
            kind=JobKind.CNN_TRAIN,
            work={"model": "resnet18", "lr": 1e-3, "layers": [1, 2], "note": "größe \u2603"},
            name="cats",
            preference=0.25,
            deadline=1e9,
            budget=1.5,
            max_duration_s=3600.0,
        )
        (job,) = submitted(store, spec)
        assert job.spec == spec
        assert job == store.job(job.id)
        assert (job.state, job.version, job.submitted_at) == (JobState.QUEUED, 0, 100.0)
        assert store.events(job.id) == [Event(1, EventName.SUBMITTED, 100.0, "ann", seq=1)]

    def test_changing_what_was_submitted_changes_no_job(self, store: Store) -> None:
        """The store keeps its own copy."""
        work = {"argv": ["true"]}
        submitted(store, job_spec(work=work))
        work["argv"].append("--all")
        assert store.job(1).spec.work == {"argv": ["true"]}

    def test_a_repeated_key_gives_the_first_jobs(self, store: Store) -> None:
        """In another call and in the same one; the jobs as they are now."""
        asked = submission(job_spec(), job_spec(), key="k", digest="d")
        first, second = store.submit([asked, asked])
        assert first == second
        job, _ = placed(store, store.job(1))
        assert store.submit([asked]) == [[job, store.job(2)]]
        assert len(store.jobs(EVERYTHING)) == 2

    def test_a_key_belongs_to_its_actor(self, store: Store) -> None:
        """Two people may choose the same one."""
        store.submit([submission(key="k", actor=name, digest=name) for name in ("ann", "bob")])
        assert len(store.jobs(EVERYTHING)) == 2

    def test_a_key_with_another_request_is_a_conflict(self, store: Store) -> None:
        """And leaves nothing."""
        store.submit([submission(key="k", digest="d")])
        (answer,) = store.submit([submission(key="k", digest="e")])
        assert isinstance(answer, StateError)
        assert len(store.jobs(EVERYTHING)) == 1

    @pytest.mark.parametrize("after", [(2,), (1, 99), (0,), (-2,), (-(10**30),), (10**30,)])
    def test_unknown_dependencies_are_refused_alone(
        self, store: Store, after: tuple[int, ...]
    ) -> None:
        """A job of the same call is not known yet; the submissions beside are stored."""
        submitted(store)
        bad = submission(job_spec(), job_spec(after=after), key="k")
        good, refused, again = store.submit([submission(), bad, submission(job_spec(after=(1,)))])
        assert isinstance(refused, InputError)
        assert list(refused.fields) == ["after"]
        assert isinstance(good, list)
        assert isinstance(again, list)
        assert [job.id for job in store.jobs(EVERYTHING)] == [3, 2, 1]
        assert [event.job for event in store.events()] == [1, 2, 3]
        assert isinstance(store.submit([submission(key="k")])[0], list)

    def test_jobs_of_one_submission_refer_to_each_other(self, store: Store) -> None:
        """-k is the k-th of them; only to those before, in `after` and in the models they use."""
        submitted(store)
        infer = job_spec(work={"models": [-1, "file.pt", 1]}, after=(-1, 1))
        train, use = submitted(store, job_spec(), infer)
        assert use.spec.after == (train.id, 1)
        assert store.job(use.id).spec.work == {"models": [train.id, "file.pt", 1]}
        (refused,) = store.submit([submission(job_spec(after=(-2,)), job_spec())])
        assert isinstance(refused, InputError)
        assert len(store.jobs(EVERYTHING)) == 3

    def test_a_retry_names_a_known_job(self, store: Store) -> None:
        """And remembers it, with the work that is done already and where it lies."""
        submitted(store)
        again = submission(job_spec(resume_from=1), retry_of=1, progress=0.4)
        good, bad = store.submit([again, submission(retry_of=7)])
        assert isinstance(good, list)
        stored = store.job(2)
        assert good == [stored]
        assert (stored.retry_of, stored.spec.resume_from, stored.progress) == (1, 1, 0.4)
        assert isinstance(bad, InputError)

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), b"x", {1, 2}])
    def test_work_that_is_not_json_is_refused_alone(self, store: Store, value: Any) -> None:
        """With the field's name."""
        bad, good = store.submit([submission(job_spec(work={"x": [value]})), submission()])
        assert isinstance(bad, InputError)
        assert list(bad.fields) == ["work"]
        assert isinstance(good, list)
        assert [job.id for job in good] == [1]

    def test_odd_text_does_no_harm(self, store: Store) -> None:
        """NUL, lone surrogates, quotes: in actors, keys and reasons."""
        odd = "a\0b\ud800'\"%_\\\u2603"
        store.submit([submission(actor=odd, key=odd, digest="1")])
        (again,) = store.submit([submission(actor=odd, key=odd, digest="2")])
        assert isinstance(again, StateError)
        job, attempt = placed(store, store.job(1))
        change = transitions.failed(job, attempt, POOL, odd, 120.0, result={odd: [odd]})
        assert store.record([change]) == [True]
        assert store.job(1).state is JobState.FAILED
        (ended,) = store.attempts(1)
        assert ended.result == {shown(odd): [shown(odd)]}

    @pytest.mark.parametrize("odd", ["a\0b", "\ud83d", "x\udcff"])
    def test_text_that_cannot_be_stored_is_refused_alone(self, store: Store, odd: str) -> None:
        """With the field's name, wherever it stands."""
        places = {
            "name": job_spec(name=odd),
            "work.argv.1": job_spec(work={"argv": ["echo", odd]}),
            "work.env.A": job_spec(work={"env": {"A": odd}}),
        }
        for field, spec in places.items():
            bad, good = store.submit([submission(spec), submission()])
            assert isinstance(bad, InputError)
            assert list(bad.fields) == [field]
            assert isinstance(good, list)

    def test_many_at_once_from_many_threads(self, store: Store) -> None:
        """No id twice, no gap, and every job has its event."""
        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(lambda _: submitted(store, *[job_spec()] * 5), range(16)))
        ids = sorted(job.id for jobs in answers for job in jobs)
        assert ids == list(range(1, 81))
        assert sorted(event.job for event in store.events()) == ids
