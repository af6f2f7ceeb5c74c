"""The waiting jobs of a world against a plain dictionary."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.decisions.kernel.columns import ORIGIN, ROWS_USED, SHAPES_USED, WAITS
from scheduler.decisions.rounds.candidates import open_rows
from scheduler.decisions.state.entries import RunningAttempt, Shape
from scheduler.decisions.state.world import World
from tests.support.worlds import option, pool, waiting, waiting_of

POOLS = (pool("cpu", 4), pool("gpu", 2, memory_per_node=5000))

ENTER = st.tuples(st.just("enter"), st.integers(1, 60))
LEAVE = st.tuples(st.just("leave"), st.integers(1, 60), st.sampled_from(["old", "new"]))
AGAIN = st.tuples(st.just("again"), st.integers(0, 99))


def pickled(world):
    return pickle.loads(pickle.dumps(world))


def job(number: int, born: float):
    """Four shapes by turns, one to three options; every figure tells the job."""
    options = [
        option(number + 10.0 * turn, 1 + (number + turn) % 2, number % 2, dollars=number / 7 + turn)
        for turn in range(1 + number % 3)
    ]
    return waiting(number, options, born, priority=number % 101, preference=(number % 10) / 10)


def check(world, reference):
    """`reference`: the jobs that wait, in the order of their entry."""
    assert world.depth == len(reference)
    assert world.waiting() == [one.id for one in reference]
    assert waiting_of(world) == reference
    rows = open_rows(world)
    assert rows[0] == 0
    assert world.shape_of(0) == Shape(-1, 0, 0)
    assert len(rows) == 1 + sum(len(one.options) for one in reference)
    assert rows.tolist() == sorted(rows.tolist())
    for one in reference:
        slot = world.slot_of(one.id)
        own = world.rows_of(slot)
        assert len(own) == len(one.options)
        assert (world.row_slot[own.start : own.stop] == slot).all()
        assert world.job_state[slot] == WAITS
        assert world.job_ideal[slot] == min(each.runtime_s for each in one.options)
        assert world.job_cheapest[slot] == min(each.dollars for each in one.options)
        assert world.job_frugal[slot] == min(each.joules for each in one.options)
        assert world.job_size[slot] * world.job_request[slot] == min(
            each.runtime_s * each.width for each in one.options
        )
    users = np.zeros(int(world.count[SHAPES_USED]), dtype=int)
    np.add.at(users, world.row_shape[rows[1:]], 1)
    assert users.tolist() == world.shape_users[: len(users)].tolist()


@given(st.lists(st.one_of(ENTER, LEAVE, AGAIN), max_size=12))
def test_is_never_anything_but_the_jobs_that_entered_and_did_not_leave(steps):
    world, reference, gone, number = World(POOLS), {}, [], 0
    for step in steps:
        if step[0] == "enter":
            for _ in range(step[1]):
                number += 1
                reference[number] = job(number, float(number))
                world.add(reference[number])
        elif step[0] == "leave":
            names = list(reference)[: step[1]] if step[2] == "old" else list(reference)[-step[1] :]
            for name in names:
                world.remove(name)
                gone.append(reference.pop(name))
        elif gone:  # a job that left enters once more, as after a retry
            back = gone.pop(step[1] % len(gone))
            reference[back.id] = back
            world.add(back)
        check(world, list(reference.values()))
        assert all(name in world for name in reference)
    assert all(world.slot_of(one.id) is None and one.id not in world for one in gone)


def test_copies_go_their_own_ways():
    world = World(POOLS, origin=3.0)
    jobs = [job(number, 0.0) for number in range(1, 101)]
    for one in jobs:
        world.add(one)
    kept, twin = world.copy(), world.copy()
    twin.add(job(300, 9.0))
    for number in range(1, 91):
        world.remove(number)
    world.add(job(200, 9.0))
    again = world.copy()
    world.add(job(201, 9.0))
    again.add(job(202, 9.0))
    check(kept, jobs)
    check(twin, [*jobs, job(300, 9.0)])
    check(world, [*jobs[90:], job(200, 9.0), job(201, 9.0)])
    check(again, [*jobs[90:], job(200, 9.0), job(202, 9.0)])
    assert kept.figure[ORIGIN] == again.figure[ORIGIN] == 3.0


@pytest.mark.parametrize("duplicate", [copy.deepcopy, pickled])
def test_a_copy_by_other_means_has_arrays_of_its_own(duplicate):
    world = World(POOLS)
    world.add(job(1, 0.0))
    world.start(RunningAttempt(9.0, 9, 0, ((0, 1),)))
    twin = duplicate(world)
    assert world.depth == 1
    del world
    twin.add(job(2, 5.0))
    twin.finish(9)
    check(twin, [job(1, 0.0), job(2, 5.0)])
    assert twin.idle


def test_neither_rows_nor_shapes_of_departed_jobs_pile_up():
    world = World(POOLS)
    for number in range(1, 2001):
        world.add(waiting(number, option(1.0, memory=number)))
        if number > 10:
            world.remove(number - 10)
            world.forget_shapes()
    assert world.depth == 10
    assert world.count[ROWS_USED] < 200
    assert world.count[SHAPES_USED] < 200
    check(world, [waiting(number, option(1.0, memory=number)) for number in range(1991, 2001)])


def test_a_job_may_have_more_placements_than_there_is_room_for():
    world = World(POOLS)
    many = waiting(1, [option(1.0 + at, memory=at) for at in range(500)])
    world.add(job(7, 0.0))
    world.add(many)
    check(world, [job(7, 0.0), many])


def test_refuses_a_job_twice_a_job_without_placement_and_an_unknown_departure():
    world = World(POOLS)
    world.add(waiting(1, option(1.0)))
    with pytest.raises(ValueError, match="job 1 already waits"):
        world.add(waiting(1, option(2.0)))
    with pytest.raises(ValueError, match="job 2 has no placement"):
        world.add(waiting(2, []))
    for unknown in (-1, 2):
        with pytest.raises(ValueError, match="pools 0 to 1"):
            world.add(waiting(2, option(1.0, pool=unknown)))
    with pytest.raises(ValueError, match="job 0: legal are ids but 0"):
        world.add(waiting(0, option(1.0)))
    with pytest.raises(KeyError):
        world.remove(2)
    assert world.slot_of(2) is None
    assert world.waiting() == [1]
    assert World([]).waiting() == World(POOLS).waiting() == []
