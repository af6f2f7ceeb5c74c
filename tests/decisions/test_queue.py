"""The backlog against a plain dictionary, through entries, departures and compaction."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.decisions.state.queue import Backlog
from scheduler.decisions.state.world import Shape
from tests.support.worlds import option, waiting

ENTER = st.tuples(st.just("enter"), st.integers(1, 60))
LEAVE = st.tuples(st.just("leave"), st.integers(1, 60), st.sampled_from(["old", "new"]))
AGAIN = st.tuples(st.just("again"), st.integers(0, 99))


def job(number: int, born: float):
    """Four shapes by turns, one to three options; every figure tells the job."""
    options = [
        option(number + 10.0 * turn, 1 + (number + turn) % 2, number % 2, dollars=number / 7 + turn)
        for turn in range(1 + number % 3)
    ]
    return waiting(number, options, born, priority=number % 101, preference=(number % 10) / 10)


def check(queue, reference):
    """`reference`: the jobs that wait, in the order of their entry."""
    assert queue.depth == len(reference)
    rows = np.flatnonzero(queue.open)
    assert rows[0] == 0
    assert queue.shapes[queue.shape[0]] == Shape(-1, 0, 0)
    expected = [(one, each) for one in reference for each in one.options]
    assert len(rows) == 1 + len(expected)
    for row, (one, each) in zip(rows[1:], expected, strict=True):
        slot = queue.slot[row]
        assert queue.id[slot] == one.id
        assert queue.shapes[queue.shape[row]] == Shape(each.pool, each.width, each.memory)
        assert (queue.runtime[row], queue.dollars[row]) == (each.runtime_s, each.dollars)
    for one in reference:
        slot = queue.slot_of(one.id)
        own = queue.rows_of(slot)
        assert len(own) == len(one.options) == queue.count[slot]
        assert own.start == queue.first[slot]
        assert all(queue.slot[row] == slot and queue.open[row] for row in own)
        assert queue.submitted[slot] == one.submitted_at
        assert queue.priority[slot] == one.priority
        assert queue.preference[slot] == one.preference
        assert queue.ideal[slot] == min(each.runtime_s for each in one.options)
        assert queue.cheapest[slot] == min(each.dollars for each in one.options)
        assert queue.size[slot] * queue.request[slot] == min(
            each.runtime_s * each.width for each in one.options
        )


@given(st.lists(st.one_of(ENTER, LEAVE, AGAIN), max_size=12))
def test_is_never_anything_but_the_jobs_that_entered_and_did_not_leave(steps):
    backlog, reference, gone, number = Backlog(), {}, [], 0
    for step in steps:
        if step[0] == "enter":
            for _ in range(step[1]):
                number += 1
                reference[number] = job(number, float(number))
                backlog.add(reference[number])
        elif step[0] == "leave":
            names = list(reference)[: step[1]] if step[2] == "old" else list(reference)[-step[1] :]
            for name in names:
                backlog.remove(name)
                gone.append(reference.pop(name))
        elif gone:  # a job that left enters once more, as after a retry
            back = gone.pop(step[1] % len(gone))
            reference[back.id] = back
            backlog.add(back)
        check(backlog.view(), list(reference.values()))
        assert len(backlog) == len(reference)
        assert all(name in backlog for name in reference)
    assert all(backlog.freeze().slot_of(one.id) is None for one in gone)


def test_a_frozen_queue_stays_as_it_was_and_a_copy_goes_its_own_way():
    backlog = Backlog(origin=3.0)
    jobs = [job(number, 0.0) for number in range(1, 101)]
    for one in jobs:
        backlog.add(one)
    frozen, twin = backlog.freeze(), backlog.copy()
    for number in range(1, 91):
        backlog.remove(number)
    backlog.add(job(200, 9.0))
    check(frozen, jobs)
    check(twin.view(), jobs)
    check(backlog.view(), [*jobs[90:], job(200, 9.0)])
    assert frozen.origin == 3.0


def test_neither_rows_nor_shapes_of_departed_jobs_pile_up():
    backlog = Backlog()
    for number in range(1, 2001):
        backlog.add(waiting(number, option(1.0, memory=number)))
        if number > 10:
            backlog.remove(number - 10)
    queue = backlog.freeze()
    assert queue.depth == 10
    assert len(queue.slot) < 200
    assert len(queue.shapes) < 200


def test_refuses_a_job_twice_a_job_without_placement_and_an_unknown_departure():
    backlog = Backlog()
    backlog.add(waiting(1, option(1.0)))
    with pytest.raises(ValueError, match="job 1 already waits"):
        backlog.add(waiting(1, option(2.0)))
    with pytest.raises(ValueError, match="job 2 has no placement"):
        backlog.add(waiting(2, []))
    with pytest.raises(KeyError):
        backlog.remove(2)
    assert backlog.freeze().slot_of(2) is None
    assert Backlog().freeze().depth == 0
