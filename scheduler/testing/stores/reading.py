"""What every `Store` owes those who read, as tests."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from scheduler.domain.errors import InputError, MissingError, OutageError
from scheduler.domain.jobs import JobKind
from scheduler.domain.lifecycle import JobState
from scheduler.store.base import JobQuery, Store
from scheduler.testing.samples import (
    decision,
    ended,
    job_spec,
    measurement,
    placed,
    submission,
    submitted,
)

EVERYTHING = JobQuery()


class ReadContract:
    """Lists, sums and settings."""

    def test_an_unknown_job_is_not_found(self, store: Store) -> None:
        """Whatever the number."""
        for number in (1, 0, -1, 10**30):
            with pytest.raises(MissingError, match="no job"):
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
            (JobQuery(exact_name="NET"), []),
            (JobQuery(exact_name="RESNET18"), [2]),
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
        assert store.count(query) == len(ids)

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
        with pytest.raises(InputError, match="weights"):
            store.set_settings({"policy": "edf", "weights": object()})
        assert store.setting("policy") == "sjf"

    def test_a_closed_store_says_so(self, store: Store) -> None:
        """Every call fails, `check` too, and `health` tells why."""
        store.check()
        assert store.health() == ()
        store.close()
        assert store.health() == ("the store is closed",)
        for call in (store.check, store.live, lambda: store.submit([submission()])):
            with pytest.raises(OutageError, match="closed"):
                call()
        store.close()
