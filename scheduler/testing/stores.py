"""What every `Store` must do, as tests: subclass `StoreContract` and give it a `store` fixture."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from scheduler.domain import transitions
from scheduler.domain.errors import ConflictError, InvalidError, NotFoundError, UnavailableError
from scheduler.domain.events import Event, Transition
from scheduler.domain.jobs import JobKind
from scheduler.domain.lifecycle import EventName, JobState
from scheduler.store.base import JobQuery, Store
from scheduler.testing.samples import (
    POOL,
    decision,
    ended,
    job_spec,
    measurement,
    placed,
    placement,
    submission,
    submitted,
)

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
        assert isinstance(answer, ConflictError)
        assert len(store.jobs(EVERYTHING)) == 1

    @pytest.mark.parametrize("after", [(2,), (1, 99), (0,), (-2,), (-(10**30),), (10**30,)])
    def test_unknown_dependencies_are_refused_alone(
        self, store: Store, after: tuple[int, ...]
    ) -> None:
        """A job of the same call is not known yet; the submissions beside are stored."""
        submitted(store)
        bad = submission(job_spec(), job_spec(after=after), key="k")
        good, refused, again = store.submit([submission(), bad, submission(job_spec(after=(1,)))])
        assert isinstance(refused, InvalidError)
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
        assert isinstance(refused, InvalidError)
        assert len(store.jobs(EVERYTHING)) == 3

    def test_a_retry_names_a_known_job(self, store: Store) -> None:
        """And remembers it."""
        submitted(store)
        good, bad = store.submit([submission(retry_of=1), submission(retry_of=7)])
        assert isinstance(good, list)
        assert good[0].retry_of == 1
        assert store.job(2).retry_of == 1
        assert isinstance(bad, InvalidError)

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), b"x", {1, 2}])
    def test_work_that_is_not_json_is_refused_alone(self, store: Store, value: Any) -> None:
        """With the field's name."""
        bad, good = store.submit([submission(job_spec(work={"x": [value]})), submission()])
        assert isinstance(bad, InvalidError)
        assert list(bad.fields) == ["work"]
        assert isinstance(good, list)
        assert [job.id for job in good] == [1]

    def test_odd_text_does_no_harm(self, store: Store) -> None:
        """NUL, lone surrogates, quotes: in names, keys and reasons."""
        odd = "a\0b\ud800'\"%_\\\u2603"
        store.submit([submission(job_spec(name=odd, user=odd), key=odd, digest="1")])
        (again,) = store.submit([submission(key=odd, digest="2")])
        assert isinstance(again, ConflictError)
        job, attempt = placed(store, store.job(1))
        change = transitions.failed(job, attempt, POOL, odd, 120.0)
        assert store.record([change]) == [True]
        assert store.job(1).state is JobState.FAILED

    def test_many_at_once_from_many_threads(self, store: Store) -> None:
        """No id twice, no gap, and every job has its event."""
        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(lambda _: submitted(store, *[job_spec()] * 5), range(16)))
        ids = sorted(job.id for jobs in answers for job in jobs)
        assert ids == list(range(1, 81))
        assert sorted(event.job for event in store.events()) == ids


class RecordContract:
    """Transitions."""

    def test_a_life(self, store: Store) -> None:
        """Jobs, attempts and events are read as they were written."""
        (job,) = submitted(store)
        job, attempt = ended(store, job, 3, 1)
        assert store.job(1) == job
        assert store.attempts(1) == [attempt]
        assert store.live() == ([], [])
        events = store.events(1)
        assert [event.name for event in events] == ["submitted", "placed", "started", "succeeded"]
        assert [event.attempt for event in events] == [None, 1, 1, 1]
        assert events[-1].before is JobState.RUNNING

    def test_an_old_version_changes_nothing(self, store: Store) -> None:
        """Neither job nor attempt, event nor decision."""
        (job,) = submitted(store)
        job, _ = placed(store, job)
        late = transitions.cancelled(replace(job, version=0, state=JobState.QUEUED), 1.0, "a", "b")
        events = store.events()
        assert store.record([late], [decision(1)]) == [False]
        assert (store.job(1), store.events(), store.decisions(1)) == (job, events, [])

    def test_a_skipped_transition_skips_no_other(self, store: Store) -> None:
        """In the middle of a call; an unknown job is skipped too."""
        first, second, third = submitted(store, job_spec(), job_spec(), job_spec())
        changes = [
            transitions.cancelled(first, 1.0, "ann", "not needed"),
            transitions.cancelled(replace(second, version=7), 1.0, "ann", "not needed"),
            transitions.cancelled(replace(third, id=99), 1.0, "ann", "not needed"),
            transitions.cancelled(third, 1.0, "ann", "not needed"),
        ]
        assert store.record(changes) == [True, False, False, True]
        assert [job.id for job in store.live()[0]] == [2]

    def test_transitions_of_one_job_follow_each_other(self, store: Store) -> None:
        """Each is checked against what the one before it left."""
        (job,) = submitted(store)
        place, _ = placement(job, 0)
        twice, _ = placement(job, 1)
        cancel = transitions.cancel_requested(place.job, "ann", "", 2.0)
        assert store.record([place, twice, cancel]) == [True, False, True]
        assert store.job(1) == cancel.job
        assert [event.name for event in store.events(1)][1:] == ["placed", "cancel-requested"]

    def test_wishes_are_written_with_an_update_alone(self, store: Store) -> None:
        """Kept by what follows in the same call; no other transition writes what was submitted."""
        first, second = submitted(store, job_spec(), job_spec())
        wishes = {"priority": 90, "preference": None, "deadline": 7.5}
        change = transitions.updated(first, wishes, "ann", 1.0)
        place, _ = placement(change.job, 0)
        assert store.record([change, place]) == [True, True]
        assert store.job(1) == place.job
        assert store.job(1).spec == replace(first.spec, priority=90, deadline=7.5)
        assert store.events(1)[1].data["priority"] == [first.spec.priority, 90]
        other = replace(second, spec=replace(second.spec, priority=1))
        assert store.record([placement(other, 1)[0]]) == [True]
        assert store.job(2).spec == second.spec

    def test_a_held_device_is_not_taken(self, store: Store) -> None:
        """Not in a later call, not in the same one, not one twice; until its holder ends."""
        jobs = submitted(store, *[job_spec()] * 4)
        holder, attempt = placed(store, jobs[0], 0, 1)

        def place(index: int, *devices: int) -> Transition:
            return placement(jobs[index], *devices)[0]

        chosen = [decision(2), decision(3)]
        assert store.record([place(1, 1, 2), place(2, 2, 3)], chosen) == [False, True]
        assert store.decisions(2) == []
        assert store.decisions(3) == [decision(3)]
        assert store.record([place(1, 3), place(3, 4, 4)]) == [False, False]
        assert store.attempts(2) == []
        freed = transitions.lost(holder, attempt, POOL, "gone", 3.0)
        assert store.record([place(1, 0), freed, place(3, 0, 1)]) == [False, True, True]
        assert [one.job for one in store.live()[1]] == [3, 4]

    def test_equal_devices_of_other_pools_are_other_devices(self, store: Store) -> None:
        """A device is a pool and an index."""
        one, two = submitted(store, job_spec(), job_spec())
        placed(store, one, 0)
        placed(store, two, 0, pool=replace(POOL, name="other"))
        assert len(store.live()[1]) == 2

    def test_a_failed_attempt_is_followed_by_another(self, store: Store) -> None:
        """Both are kept, in order, and the first has given its devices back."""
        (job,) = submitted(store)
        job, first = placed(store, job, 0)
        lose = transitions.lost(job, first, POOL, "machine gone", 130.0)
        assert store.record([lose]) == [True]
        _, second = placed(store, lose.job, 0, now=140.0)
        assert store.attempts(1) == [lose.attempt, second]
        assert store.live()[1] == [second]

    def test_a_result_that_json_cannot_hold_is_kept_as_far_as_it_goes(self, store: Store) -> None:
        """A diverged training must still end."""
        (job,) = submitted(store)
        job, attempt = placed(store, job)
        result = {"loss": float("nan"), "best": [0.5, float("inf")], "classes": ("cat", "dog")}
        assert store.record([transitions.succeeded(job, attempt, POOL, result, 150.0)]) == [True]
        (kept,) = store.attempts(1)
        assert kept.result == {"loss": None, "best": [0.5, None], "classes": ["cat", "dog"]}

    def test_an_error_leaves_no_trace(self, store: Store) -> None:
        """Of the transitions before it either."""
        (job,) = submitted(store)
        events = store.events()
        good, _ = placement(job)
        broken: Any = replace(good, job=replace(good.job, version=None))  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            store.record([good, broken], [decision(1)])
        assert (store.job(1), store.attempts(1), store.events()) == (job, [], events)
        assert store.decisions(1) == []
        assert store.record([good]) == [True]

    def test_one_of_many_rivals_wins(self, store: Store) -> None:
        """Threads that decide over the same version: exactly one takes effect."""
        (job,) = submitted(store)
        barrier = threading.Barrier(8)

        def cancel(index: int) -> bool:
            barrier.wait(10)
            (done,) = store.record([transitions.cancelled(job, 1.0, f"user {index}", "")])
            return done

        with ThreadPoolExecutor(8) as threads:
            assert sum(threads.map(cancel, range(8))) == 1
        assert len(store.events(1)) == 2

    def test_a_device_never_has_two_holders(self, store: Store) -> None:
        """Threads that take and give back few devices; the database's word is compared."""
        jobs = submitted(store, *[job_spec()] * 24)
        holders: dict[int, int] = {}
        clashes: list[str] = []

        def run(index: int) -> bool:
            job, devices = jobs[index], (index % 3, (index + 1) % 3)
            change, attempt = placement(job, *devices)
            if store.record([change]) != [True]:
                return False
            for device in devices:
                if holders.setdefault(device, job.id) != job.id:
                    clashes.append(f"device {device}: jobs {holders[device]} and {job.id}")
            for device in devices:
                del holders[device]
            end = transitions.failed(change.job, attempt, POOL, "exit code 1", 2.0)
            return store.record([end]) == [True]

        with ThreadPoolExecutor(6) as threads:
            done = list(threads.map(run, range(24)))
        assert clashes == []
        assert any(done)
        assert store.live()[1] == []
        assert len(store.events()) == 24 + 2 * sum(done)


class ReadContract:
    """Lists, sums and settings."""

    def test_an_unknown_job_is_not_found(self, store: Store) -> None:
        """Whatever the number."""
        for number in (1, 0, -1, 10**30):
            with pytest.raises(NotFoundError, match="no job"):
                store.job(number)
            assert (store.attempts(number), store.events(number)) == ([], [])
            assert store.decisions(number) == []

    def test_pages_follow_each_other(self, store: Store) -> None:
        """Newest first, no job twice or left out, though new ones arrive in between."""
        submitted(store, *[job_spec()] * 7)
        seen: list[int] = []
        before: int | None = None
        while page := store.jobs(EVERYTHING, before=before, limit=3):
            seen += [job.id for job in page]
            before = page[-1].id
            submitted(store)
        assert seen == [7, 6, 5, 4, 3, 2, 1]
        assert store.jobs(EVERYTHING, limit=0) == []
        assert len(store.jobs(EVERYTHING, before=10**30, limit=10**30)) == 10

    @pytest.mark.parametrize(
        ("query", "ids"),
        [
            (JobQuery(), [4, 3, 2, 1]),
            (JobQuery(states=[JobState.SUCCEEDED]), [1]),
            (JobQuery(states=[JobState.QUEUED, JobState.STARTING]), [4, 3, 2]),
            (JobQuery(kinds=[JobKind.CNN_TRAIN]), [3]),
            (JobQuery(user="ann"), [4, 1]),
            (JobQuery(user="ann", project="cats"), [1]),
            (JobQuery(name="NET"), [3, 2]),
            (JobQuery(name="GRÖSSE_"), [4]),
            (JobQuery(name="%"), []),
            (JobQuery(submitted_from=200.0), [4, 3]),
            (JobQuery(submitted_from=100.0, submitted_to=200.0), [2, 1]),
        ],
    )
    def test_jobs_are_filtered(self, store: Store, query: JobQuery, ids: list[int]) -> None:
        """By each field, and by several."""
        first, second = submitted(
            store,
            job_spec(user="ann", project="cats", name="plain"),
            job_spec(user="bob", name="ResNet18"),
        )
        kind = JobKind.CNN_TRAIN
        submitted(store, job_spec(user="bob", kind=kind, name="my-resnet"), now=200.0)
        submitted(store, job_spec(user="ann", name="größe_1"), now=300.0)
        ended(store, first)
        placed(store, second)
        assert [job.id for job in store.jobs(query)] == ids

    def test_live_jobs_are_oldest_first(self, store: Store) -> None:
        """With the attempts that have not ended, again and again."""
        one, two, three = submitted(store, *[job_spec()] * 3)
        ended(store, two, 1)
        assert store.live() == ([one, three], [])
        three, attempt = placed(store, three, 5)
        assert store.live() == ([one, three], [attempt])
        assert store.live() == ([one, three], [attempt])

    def test_events_are_numbered_in_order(self, store: Store) -> None:
        """Read in pages and by job."""
        one, two = submitted(store, job_spec(), job_spec())
        placed(store, two, 0)
        placed(store, one, 1)
        numbers = [event.seq for event in store.events()]
        assert numbers == sorted(set(numbers))
        assert [event.job for event in store.events()] == [1, 2, 2, 1]
        assert [event.seq for event in store.events(after=numbers[1])] == numbers[2:]
        assert [event.seq for event in store.events(limit=1, after=numbers[0])] == [numbers[1]]
        assert [event.seq for event in store.events(1)] == [numbers[0], numbers[3]]

    def test_a_follower_misses_no_event(self, store: Store) -> None:
        """Reading after the last number seen, while others write, gives every event once."""
        writing = threading.Event()
        writing.set()

        def follow() -> list[int]:
            seen: list[int] = []
            while True:
                last_round = not writing.is_set()
                seen += [event.seq for event in store.events(after=seen[-1] if seen else 0)]
                if last_round:
                    return seen

        with ThreadPoolExecutor(5) as threads:
            follower = threads.submit(follow)
            writers = [threads.submit(submitted, store) for _ in range(40)]
            for writer in writers:
                writer.result(30)
            writing.clear()
            assert follower.result(30) == [event.seq for event in store.events()]

    def test_decisions_are_newest_first(self, store: Store) -> None:
        """As they were, infinite figures included; those without a transition are kept."""
        first, second = decision(1, time=1.0), decision(1, attempt=None, time=2.0)
        waited = decision(0, attempt=None, time=3.0)
        assert store.record([], [first, second, waited]) == []
        assert store.decisions(1) == [second, first]
        assert store.decisions(1, limit=1) == [second]
        assert store.decisions(0) == [waited]

    def test_measurements_are_oldest_first(self, store: Store) -> None:
        """The newest of them; a second one of an attempt replaces the first."""
        early, late, later = (measurement(job, time=100.0 * job) for job in (1, 2, 3))
        for one in (later, early, late):
            store.measure(one)
        assert store.measurements() == [early, late, later]
        assert store.measurements(limit=2) == [late, later]
        changed = replace(early, seconds=61.0)
        store.measure(changed)
        assert store.measurements() == [changed, late, later]

    def test_costs_are_summed(self, store: Store) -> None:
        """By user, project and UTC day, inside a span of end times."""
        day = 86_400.0
        specs = [
            job_spec(user="ann", project="x"),
            job_spec(user="bob", project="x"),
            job_spec(user="ann", project="y"),
            job_spec(user="cid"),
        ]
        one, two, three, four = submitted(store, *specs)
        ended(store, one, 0, start=day - 20.0, end=day - 10.0)
        ended(store, two, 1, 2, start=day - 10.0, end=day + 90.0)
        ended(store, three, 3, start=day, end=day + 50.0)
        placed(store, four, 5)
        users = store.costs("user")
        assert [(c.group, c.jobs, c.attempts) for c in users] == [("bob", 1, 1), ("ann", 2, 2)]
        assert [c.device_seconds for c in users] == pytest.approx([200.0, 60.0])
        assert [c.dollars for c in users] == pytest.approx([0.2, 0.06])
        assert [c.joules for c in users] == pytest.approx([2000.0, 600.0])
        assert [c.group for c in store.costs("project")] == ["x", "y"]
        days = store.costs("day")
        assert [(c.group, c.jobs) for c in days] == [("1970-01-01", 1), ("1970-01-02", 2)]
        late = store.costs("day", since=day + 50.0, until=day + 90.0)
        assert [(c.group, c.jobs) for c in late] == [("1970-01-02", 1)]

    def test_settings_are_any_json(self, store: Store) -> None:
        """Overwritten one by one, all or none; an unknown one is None."""
        store.set_settings({"policy": "fcfs", "weights": {"cats": [0.5, None, True]}})
        store.set_settings({"policy": "sjf", "empty": None})
        assert store.setting("policy") == "sjf"
        assert store.setting("weights") == {"cats": [0.5, None, True]}
        assert store.setting("empty") is None
        assert store.setting("never") is None
        with pytest.raises(InvalidError, match="weights"):
            store.set_settings({"policy": "edf", "weights": object()})
        assert store.setting("policy") == "sjf"

    def test_a_closed_store_says_so(self, store: Store) -> None:
        """Every call fails, and `check` too."""
        store.check()
        store.close()
        for call in (store.check, store.live, lambda: store.submit([submission()])):
            with pytest.raises(UnavailableError, match="closed"):
                call()
        store.close()


class StoreContract(SubmitContract, RecordContract, ReadContract):
    """All obligations of `scheduler.store.base`."""
