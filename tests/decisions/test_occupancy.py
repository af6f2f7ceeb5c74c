"""What is free, where it is taken and when it comes back: the world against brute force."""

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.decisions.kernel.cluster import nodes as planes
from scheduler.decisions.kernel.columns import BESIDE, LIVE, RESERVED
from scheduler.decisions.state.entries import RunningAttempt
from scheduler.decisions.state.node_placement import BEST_FIT, RULES
from scheduler.decisions.state.world import World
from tests.support.worlds import MEMORY, earliest, held, pool, pools_, running_


def shares(nodes, memory, width):
    return [memory if len(nodes) == 1 else -(-memory * count // width) for _, count in nodes]


class Naive:
    """Free devices and bytes per node, and every way to place something."""

    def __init__(self, pool):
        self.pool = pool
        self.free = [(pool.devices_per_node, pool.memory_per_node)] * pool.nodes

    def holds(self, nodes, memory, width):
        return all(
            self.free[node][0] >= count
            and (self.free[node][1] >= part or not self.pool.memory_per_node)
            for (node, count), part in zip(nodes, shares(nodes, memory, width), strict=True)
        )

    def ways(self, width, memory):
        """Inside one node where it fits there; else whole nodes and one with the rest."""
        whole, rest = divmod(width, self.pool.devices_per_node)
        every = range(self.pool.nodes)
        for full in combinations(every, whole):
            parts = [(node, self.pool.devices_per_node) for node in full]
            ends = [[(node, rest)] for node in every if node not in full] if rest else [[]]
            for end in ends:
                if self.holds(parts + end, memory, width):
                    yield (*parts, *end)

    def change(self, nodes, memory, width, sign):
        for (node, count), part in zip(nodes, shares(nodes, memory, width), strict=True):
            devices, free = self.free[node]
            self.free[node] = (devices + sign * count, free + sign * part)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("take"), st.integers(1, 9), MEMORY),
        st.tuples(st.just("give"), st.integers(0, 99), st.just(0)),
    ),
    max_size=25,
)


@settings(max_examples=150)
@given(pools_(), STEPS, st.sampled_from(list(RULES.values())))
def test_fits_exactly_where_something_fits_and_leaves_the_least_over(pools, steps, rule):
    world, naive, taken = World(pools, rule=rule), Naive(pools[0]), []
    for job, (kind, number, memory) in enumerate(steps, start=1):
        if kind == "give":
            if taken:
                attempt = taken.pop(number % len(taken))
                world.finish(attempt.job)
                naive.change(attempt.nodes, attempt.memory, attempt.width, +1)
            continue
        world.ask([(0, number)], memory)
        nodes, ways = world.fit(0, number, memory), list(naive.ways(number, memory))
        assert (nodes is None) == (not ways)
        if nodes is None:
            continue
        assert sorted(nodes) in [sorted(way) for way in ways]
        left = naive.free[nodes[-1][0]][0] - nodes[-1][1]
        if rule is BEST_FIT and number < pools[0].devices_per_node:
            assert left == min(naive.free[way[0][0]][0] - number for way in ways)
        taken.append(RunningAttempt(float(number), job, 0, nodes, memory))
        world.start(taken[-1])
        naive.change(nodes, memory, number, -1)
        assert world.free(0) == sum(devices for devices, _ in naive.free)
    twin = world.copy()
    for attempt in taken:
        world.finish(attempt.job)
    assert world.free(0) == pools[0].count
    assert world.idle
    assert twin.free(0) == sum(devices for devices, _ in naive.free)
    assert sorted(twin.running()) == sorted(taken)


@settings(max_examples=150)
@given(pools_(), st.integers(1, 13), MEMORY)
def test_a_pool_says_what_it_could_hold_when_empty(pools, width, memory):
    for index, each in enumerate(pools):
        if width <= each.count:
            fits = World(pools).fit(index, width, memory) is not None
            assert each.memory_fits(width, memory) == fits


def test_best_fit_by_hand():
    first, second = (RunningAttempt(9.0, 1 + node, 0, ((node, 1 + node),)) for node in (0, 1))
    world = World([pool(devices=4, nodes=3)], [first, second])
    assert world.fit(0, 2) == ((1, 2),)
    assert world.fit(0, 3) == ((0, 3),)
    assert world.fit(0, 4) == ((2, 4),)
    assert world.fit(0, 5) == ((2, 4), (1, 1))
    assert world.fit(0, 8) is None
    with pytest.raises(ValueError, match="pool 0 does not have that much free"):
        world.start(RunningAttempt(9.0, 3, 0, ((1, 3),)))
    assert world.free(0) == 9


def test_what_is_free_both_now_and_later():
    world = World([pool("cloud", 4, nodes=2, boot_s=60.0)])
    world.mark_up(0, 1)
    world.start(RunningAttempt(9.0, 1, 0, ((0, 3),)))
    handle = world.handle
    planes.copy_plane(handle, LIVE, RESERVED, 0)
    planes.change(handle, RESERVED, 0, 0, 3, 0)
    planes.change(handle, RESERVED, 0, 1, -2, 0)
    planes.refresh_beside(handle, 0)
    assert world.plane_free[BESIDE, 0] == 3
    assert not planes.fit(handle, BESIDE, 0, 3, 0)
    assert planes.fit(handle, BESIDE, 0, 2, 0)
    assert world.found() == ((1, 2),)
    assert planes.boot_of(handle, BESIDE, 0) == 0.0
    assert world.plane_free[[LIVE, RESERVED], 0].tolist() == [5, 6]


@st.composite
def clusters(draw):
    now = draw(st.sampled_from([0.0, 50.0]))
    pools = draw(pools_())
    return pools, draw(running_(pools, now)), now


@settings(max_examples=100)
@given(clusters(), st.integers(1, 12), MEMORY)
def test_earliest_is_the_first_moment_at_which_enough_has_ended(world, width, memory):
    pools, running, now = world
    cluster = World(pools, running)
    for where in range(len(pools)):

        def fits(moment, where=where):
            still = [each for each in running if each.end > moment or moment == -1.0]
            return World(pools, still).fit(where, width, memory) is not None

        ends = sorted(each.end for each in running if each.pool == where)
        first = next((moment for moment in (-1.0, *ends) if fits(moment)), None)
        expected = float("inf") if first is None else max(now, first)
        assert earliest(cluster, where, width, memory, now) == expected


@given(clusters())
def test_a_world_holds_what_was_started_and_not_what_has_finished(drawn):
    pools, running, _ = drawn
    world = World(pools, running)
    twin = world.copy()
    for count, attempt in enumerate(running, start=1):
        world.finish(attempt.job)
        rest = running[count:]
        assert sorted(world.running()) == sorted(rest)
        for where, nodes in enumerate(held(pools, rest)):
            used = sum(devices for devices, _ in nodes)
            assert world.free(where) == pools[where].count - used
            mine = [each for each in rest if each.pool == where]
            assert world.releases(where) == sorted(mine)
    assert sorted(twin.running()) == sorted(running)
    assert world.idle


def test_a_world_refuses_a_job_twice_and_an_unknown_end():
    world = World([pool()], [RunningAttempt(1.0, 7, 0, ((0, 1),))])
    with pytest.raises(ValueError, match="job 7 runs already"):
        world.start(RunningAttempt(2.0, 7, 0, ((0, 1),)))
    with pytest.raises(ValueError, match="that much free"):
        world.start(RunningAttempt(2.0, 8, 0, ((0, 4),)))
    with pytest.raises(KeyError):
        world.finish(8)
    with pytest.raises(KeyError):
        world.extend(8, 5.0)
    assert world.free(0) == 3


@pytest.mark.parametrize(
    ("where", "nodes"),
    [
        (0, ()),
        (0, ((2, 1),)),
        (0, ((-1, 1),)),
        (0, ((0, 0),)),
        (0, ((0, 2), (0, 3))),
        (0, ((0, 1), (1, 1), (2, 1))),
        (1, ((0, 1),)),
        (-1, ((0, 1),)),
    ],
)
def test_a_world_refuses_nodes_that_it_has_not(where, nodes):
    world = World([pool(devices=4, nodes=2)])
    with pytest.raises(ValueError, match="does not have that much free"):
        world.start(RunningAttempt(9.0, 1, where, nodes))
    assert world.free(0) == 8
    assert world.idle


def test_the_memory_of_a_node_is_no_more_than_it_has():
    world = World([pool(devices=4, nodes=2, memory_per_node=100)])
    world.start(RunningAttempt(9.0, 1, 0, ((0, 1), (1, 1)), 120))
    with pytest.raises(ValueError, match="that much free"):
        world.start(RunningAttempt(9.0, 2, 0, ((0, 1),), 41))
    world.start(RunningAttempt(9.0, 2, 0, ((0, 1),), 40))
    assert world.fit(0, 1, 1) == ((1, 1),)
    world.finish(1)
    assert world.fit(0, 1, 60) == ((0, 1),)


def test_warm_nodes_go_first_and_need_no_boot():
    world = World([pool("cloud", 2, nodes=3, boot_s=60.0)])
    assert world.boot_s(0, world.fit(0, 1)) == 60.0
    world.mark_up(0, 2)
    assert world.fit(0, 2) == ((2, 2),)
    assert world.boot_s(0, ((2, 2),)) == 0.0
    assert world.fit(0, 4) == ((2, 2), (0, 2))
    assert world.boot_s(0, ((2, 2), (0, 2))) == 60.0
    world.start(RunningAttempt(9.0, 1, 0, ((2, 1),)))
    assert world.fit(0, 2) == ((0, 2),)
    world.finish(1)
    assert world.fit(0, 2) == ((2, 2),)
    world.mark_down(0, 2)
    assert world.free(0) == 6
    assert world.fit(0, 2) == ((0, 2),)


def test_copies_keep_who_is_warm_and_go_their_own_ways():
    world = World([pool("cloud", 2, nodes=2, boot_s=60.0)])
    world.mark_up(0, 1)
    world.start(RunningAttempt(9.0, 1, 0, ((1, 1),)))
    twin = world.copy()
    assert twin.fit(0, 1) == ((1, 1),)
    assert twin.boot_s(0, ((1, 1),)) == 0.0
    assert twin.boot_s(0, ((0, 1),)) == 60.0
    twin.mark_down(0, 1)
    assert world.boot_s(0, ((1, 1),)) == 0.0


def test_a_single_node_is_warm_or_cold_too():
    world = World([pool("cloud", 4, boot_s=30.0)], [RunningAttempt(9.0, 1, 0, ((0, 2),))])
    assert world.boot_s(0, world.fit(0, 2)) == 30.0
    world.mark_up(0, 0)
    assert world.boot_s(0, world.fit(0, 2)) == 0.0
