"""What every `Store` owes those who record what happened, as tests."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from scheduler.domain import transitions
from scheduler.domain.events import Transition
from scheduler.domain.lifecycle import JobState
from scheduler.store.base import Store
from scheduler.testing.samples import (
    POOL,
    decision,
    ended,
    job_spec,
    placed,
    placement,
    submitted,
)


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
