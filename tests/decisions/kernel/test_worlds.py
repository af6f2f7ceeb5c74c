"""Worlds that grow, are copied, are compacted, and what nobody should do to them."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.decisions.kernel.columns import (
    CHANGING,
    HELD,
    JOBS,
    MIX,
    MIX_USED,
    ROWS,
    ROWS_USED,
    SCRATCH,
    SHAPES,
    SHAPES_USED,
    SLOTS_USED,
    STATIC,
    Columns,
)
from scheduler.decisions.kernel.queue import jobs as queue
from scheduler.decisions.rounds.forecast import forecast
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.observer import observer
from scheduler.decisions.rounds.round import Round
from scheduler.decisions.rounds.run import decide, run_round
from scheduler.decisions.state.entries import RunningAttempt
from scheduler.decisions.state.node_placement import FGD
from scheduler.decisions.state.plan import Action
from scheduler.decisions.state.snapshot import Snapshot
from scheduler.decisions.state.world import World
from scheduler.policies.heuristics import HEURISTICS
from scheduler.policies.wgc import Wgc
from tests.support.worlds import option, pool, snapshot, snapshots, waiting, waiting_of

FCFS, SJF = HEURISTICS["fcfs"], HEURISTICS["sjf"]
COLUMNS = {each.name: each.metadata for each in fields(Columns)}


def size(world, group):
    """The capacity of a group."""
    name = next(name for name, about in COLUMNS.items() if about["group"] == group)
    return getattr(world, name).shape[-1]


USED = {JOBS: SLOTS_USED, ROWS: ROWS_USED, SHAPES: SHAPES_USED, MIX: MIX_USED}


def used(world, name):
    """A column without its spare capacity."""
    column, counted = getattr(world, name), USED.get(COLUMNS[name]["group"])
    return column if counted is None else column[..., : world.count[counted]]


def values(world):
    names = [name for name, about in COLUMNS.items() if about["use"] != SCRATCH]
    return {name: used(world, name).copy() for name in names}


def unchanged(world, before):
    for name, column in before.items():
        np.testing.assert_array_equal(used(world, name), column, err_msg=name)


def one_job(number):
    return waiting(number, option(1.0 + number))


def several_placements(number):
    return waiting(number, [option(1.0 + at, 1 + at % 4) for at in range(3)])


def own_shape(number):
    return waiting(number, option(1.0 + number, memory=number))


@pytest.mark.parametrize("make", [one_job, several_placements, own_shape])
@pytest.mark.parametrize("group", [JOBS, ROWS, SHAPES])
def test_columns_grow_when_they_are_full(group, make):
    world = World([pool(devices=4, nodes=2)])
    jobs = []
    for number in range(1, 140):
        before = world.handle, size(world, group)
        jobs.append(make(number))
        world.add(jobs[-1])
        if size(world, group) > before[1]:
            assert world.handle is not before[0]
        assert queue.slot_of(world.handle, number) == world.slot_of(number)
    assert waiting_of(world) == jobs
    plan = decide(Round(world, 200.0, Mode.EASY), SJF)
    fresh = snapshot(world.pools, jobs, now=200.0)
    assert plan == run_round(fresh, SJF, Mode.EASY)


def test_the_mix_grows_when_it_is_full():
    world = World([pool(devices=4, nodes=2, memory_per_node=1000)], rule=FGD)
    room = size(world, MIX)
    for number in range(1, 3 * room):
        world.ask([(0, 1 + number % 4)], number)
    assert size(world, MIX) >= 3 * room - 1
    assert world.mix_total[0] == 3 * room - 1
    assert world.fit(0, 2, 10) is not None


def test_a_handle_lasts_until_something_grows():
    world = World([pool(devices=4)])
    handle = world.handle
    world.add(one_job(1))
    world.start(RunningAttempt(9.0, 7, 0, ((0, 1),)))
    world.remove(1)
    world.finish(7)
    assert world.handle is handle


def filled():
    jobs = [several_placements(number) for number in range(1, 11)]
    pools = [pool(devices=4, nodes=2, boot_s=5.0), pool("gpu", 2, memory_per_node=8)]
    running = [RunningAttempt(9.0, 900, 0, ((0, 3),)), RunningAttempt(5.0, 901, 1, ((0, 1),), 4)]
    world = snapshot(pools, jobs, running).world
    world.mark_up(0, 1)
    return world


@pytest.mark.parametrize("name", [name for name, about in COLUMNS.items()])
def test_no_column_is_written_through_a_copy(name):
    world = filled()
    before = values(world)
    twin = world.copy()
    if COLUMNS[name]["use"] == STATIC:
        twin.add(one_job(99))
    getattr(twin, name)[...] = 1
    unchanged(world, before)


@given(snapshots(), st.sampled_from(list(Mode)))
def test_nothing_that_happens_to_a_copy_reaches_the_world(snap, mode):
    world = snap.world
    before = values(world)
    twin = world.copy()
    decide(Round(twin, snap.now, mode), SJF)
    decide(Round(twin, snap.now, mode), Wgc(), observer(Wgc()))
    for job in world.waiting()[::2]:
        twin.remove(job)
    twin.add(waiting(5000, option(3.0)))
    for attempt in twin.running():
        twin.extend(attempt.job, attempt.end + 1.0)
        twin.finish(attempt.job)
    unchanged(world, before)


@given(snapshots(), st.sampled_from(list(Mode)))
def test_nothing_that_happens_to_the_world_reaches_a_copy(snap, mode):
    world, twin = snap.world, snap.world.copy()
    before = values(twin)
    for number in range(6000, 6040):
        world.add(several_placements(number) if world.pools[0].count > 3 else one_job(number))
    decide(Round(world, snap.now, mode), SJF)
    for job in world.waiting():
        world.remove(job)
    for number in range(7000, 7040):
        world.add(one_job(number))
    unchanged(twin, before)


def test_copies_of_copies_grow_by_themselves():
    first = World([pool(devices=4, nodes=2)])
    worlds, expected = [first], [[]]
    for turn in range(4):
        for at, (world, jobs) in enumerate(zip(worlds, expected, strict=True)):
            for number in range(20 * turn, 20 * turn + 20):
                jobs.append(own_shape(1 + 1000 * at + number))
                world.add(jobs[-1])
        worlds += [world.copy() for world in worlds]
        expected += [list(jobs) for jobs in expected]
    for world, jobs in zip(worlds, expected, strict=True):
        assert waiting_of(world) == jobs
        plan = decide(Round(world, 2000.0, Mode.EASY), SJF)
        assert len(plan.placements) == 8
        assert {placed.job for placed in plan.placements} <= {job.id for job in jobs}


def test_a_copy_in_the_midst_of_a_round_goes_on_by_itself():
    jobs = [waiting(number, option(5.0 + number, 2), float(number)) for number in range(1, 9)]
    world = snapshot(pool(devices=6), jobs, now=20.0).world
    round_ = Round(world, 20.0, Mode.EASY)
    round_.take(round_.choose(SJF.scorer))
    twin = world.copy()
    twin.remove(8)
    assert round_.play(SJF.scorer)
    assert [placed.job for placed in round_.plan().placements] == [1, 2, 3]
    assert twin.free(0) == 4


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("policy", [FCFS, SJF, HEURISTICS["wfp3"], HEURISTICS["tetris"], Wgc()])
def test_compaction_in_a_history_with_reservations_changes_no_plan(mode, policy):
    """A world that lives on, against one that is made for each round."""
    each, rng = pool(devices=8), np.random.default_rng(3)
    world, now, committed, number = World([each]), 0.0, (), 0
    for _ in range(60):
        for _ in range(4):
            number += 1
            width, seconds = int(rng.choice([1, 1, 2, 8])), float(rng.integers(1, 9))
            options = [option(seconds, width), option(seconds + 1.0, max(width // 2, 1))]
            world.add(waiting(number, options, now, priority=float(rng.choice([10, 50, 90]))))
        fresh = snapshot(each, waiting_of(world), world.running(), now, committed=committed)
        plan = decide(Round(world, now, mode, committed), policy)
        assert plan == run_round(fresh, policy, mode)
        committed = plan.reservations
        for placed in plan.placements:
            world.remove(placed.job)
        if world.depth > 12:  # some give up, those with a reservation among them
            for job in world.waiting()[:8]:
                world.remove(job)
        now += 2.0
        for attempt in world.running():
            if attempt.end <= now:
                world.finish(attempt.job)
    assert number == 240
    assert len(world.job_id) < 240


def test_what_a_round_reserves_waits_again_in_the_next():
    jobs = [waiting(number, option(9.0, 4), float(number)) for number in (1, 2, 3)]
    world = snapshot(pool(), jobs).world
    first = decide(Round(world, 5.0, Mode.EASY), FCFS)
    assert [placed.job for placed in first.placements] == [1]
    assert [held.job for held in first.reservations] == [2]
    assert world.count[HELD] == 1
    world.remove(1)
    assert decide(Round(world, 6.0, Mode.EASY), FCFS).reservations == first.reservations
    world.finish(1)
    then = decide(Round(world, 7.0, Mode.EASY), FCFS)
    assert [placed.job for placed in then.placements] == [2]
    assert [held.job for held in then.reservations] == [3]


def test_ids_may_come_back():
    world = World([pool(devices=1)])
    for _ in range(300):
        world.add(waiting(7, option(1.0)))
        (placed,) = decide(Round(world, 0.0, Mode.EASY), SJF).placements
        assert placed.job == 7
        world.remove(7)
        world.finish(7)
    assert (world.depth, world.idle, world.free(0)) == (0, True, 1)


def test_a_row_that_is_not_there_is_refused():
    world = snapshot(pool(), [waiting(1, option(5.0))]).world
    round_ = Round(world, 0.0, Mode.EASY)
    for row in (-1, 2, 63, 64, 10**9, -(10**9)):
        for ask in (round_.take, round_.outcome):
            with pytest.raises(ValueError, match=f"row {row} may not be chosen now"):
                ask(row)
    assert round_.take(1) is Action.START


@pytest.mark.parametrize("mode", Mode)
def test_a_cluster_without_pools_and_one_without_jobs_decide_nothing(mode):
    for pools in ([], [pool()]):
        snap = Snapshot(0.0, World(pools))
        assert Round(snap.world.copy(), 0.0, mode).table() is None
        for policy in (SJF, HEURISTICS["wfp3"], HEURISTICS["tetris"], Wgc()):
            plan = run_round(snap, policy, mode, observer(policy, mode))
            assert (plan.placements, plan.reservations, plan.decisions) == ((), (), ())
            assert forecast(snap, policy, mode) == {}


def test_a_placement_of_no_device_is_never_chosen():
    snap = snapshot(pool(), [waiting(1, [option(5.0, 0), option(9.0, 1)])])
    for policy in (SJF, Wgc(), HEURISTICS["tetris"]):
        (placed,) = run_round(snap, policy).placements
        assert placed.width == 1


def test_a_thousand_shapes_each_fit_as_they_should():
    jobs = [waiting(number, option(5.0, 1, memory=number)) for number in range(1, 1001)]
    snap = snapshot(pool(devices=8, memory_per_node=900), jobs)
    assert snap.world.count[SHAPES_USED] == 1001
    plan = run_round(snap, FCFS, Mode.EASY)
    assert [placed.job for placed in plan.placements] == list(range(1, 9))
    last = run_round(snap, Wgc(), Mode.GREEDY)
    assert sum(placed.memory for placed in last.placements) <= 900


def test_a_whole_pool_of_single_devices_may_start_and_be_expected_anew_for_ever():
    each = pool(devices=4, nodes=8)
    world = World([each])
    for number in range(1, 41):
        world.add(waiting(number, option(float(number))))
    plan = decide(Round(world, 0.0, Mode.EASY), FCFS)
    assert len(plan.placements) == each.count
    assert len(plan.reservations) == 1
    for placed in plan.placements:
        world.remove(placed.job)
    for turn in range(40):
        for attempt in world.running():
            world.extend(attempt.job, 100.0 + (attempt.job * 7 + turn) % 31)
    ends = [attempt.end for attempt in world.releases(0)]
    assert len(ends) == each.count
    assert ends == sorted(ends)


def test_memory_is_counted_to_the_byte():
    large = 2**53 + 1
    world = World([pool(devices=2, memory_per_node=2 * large)])
    world.start(RunningAttempt(9.0, 1, 0, ((0, 1),), large))
    assert world.fit(0, 1, large) == ((0, 1),)
    assert world.fit(0, 1, large + 1) is None


@settings(max_examples=20)
@given(snapshots(), st.sampled_from(list(Mode)))
def test_priorities_out_of_range_and_deadlines_that_are_none_decide_all_the_same(snap, mode):
    jobs = [
        replace(
            job, priority=(-5.0, 1e9, np.inf)[job.id % 3], deadline=(np.nan, -np.inf)[job.id % 2]
        )
        for job in waiting_of(snap.world)
    ]
    odd = snapshot(snap.pools, jobs, snap.world.running(), snap.now)
    for policy in (SJF, HEURISTICS["edf"], HEURISTICS["priority"], Wgc()):
        plan = run_round(odd, policy, mode, observer(policy, mode))
        decided = [what.job for what in (*plan.placements, *plan.reservations)]
        assert len(decided) == len(set(decided))


def test_every_column_says_what_it_is_for():
    assert {about["use"] for about in COLUMNS.values()} == {CHANGING, STATIC, SCRATCH}
