"""Occupancy and cluster against brute force."""

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.decisions.state.cluster import Cluster
from scheduler.decisions.state.node_placement import BEST_FIT, RULES, Mix
from scheduler.decisions.state.occupancy import Occupancy
from scheduler.decisions.state.world import RunningAttempt
from tests.support.worlds import MEMORY, held, pool, pools_, running_


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


@settings(max_examples=200)
@given(pools_(), STEPS, st.sampled_from(list(RULES.values())))
def test_fits_exactly_where_something_fits_and_leaves_the_least_over(pools, steps, rule):
    mix = Mix(pools[0])
    cost = None if rule.cost is None else rule.cost(pools[0], mix)
    occupancy, naive, taken = Occupancy(pools[0], cost), Naive(pools[0]), []
    for kind, number, memory in steps:
        if kind == "give":
            if taken:
                nodes, held_bytes, width = taken.pop(number % len(taken))
                occupancy.release(nodes, held_bytes)
                naive.change(nodes, held_bytes, width, +1)
            continue
        mix.add(number, memory)
        nodes, ways = occupancy.fit(number, memory), list(naive.ways(number, memory))
        assert (nodes is None) == (not ways)
        if nodes is None:
            continue
        assert sorted(nodes) in [sorted(way) for way in ways]
        left = naive.free[nodes[-1][0]][0] - nodes[-1][1]
        if rule is BEST_FIT and number < pools[0].devices_per_node:
            assert left == min(naive.free[way[0][0]][0] - number for way in ways)
        occupancy.allocate(nodes, memory)
        naive.change(nodes, memory, number, -1)
        taken.append((nodes, memory, number))
        assert occupancy.free == sum(devices for devices, _ in naive.free)
    twin = occupancy.copy()
    for nodes, memory, _ in taken:
        occupancy.release(nodes, memory)
    assert occupancy.free == pools[0].count
    assert twin.free == sum(devices for devices, _ in naive.free)


@settings(max_examples=200)
@given(pools_(), st.integers(1, 13), MEMORY)
def test_a_pool_says_what_it_could_hold_when_empty(pools, width, memory):
    for each in pools:
        if width <= each.count:
            fits = Occupancy(each).fit(width, memory) is not None
            assert each.memory_fits(width, memory) == fits


def test_best_fit_by_hand():
    occupancy = Occupancy(pool(devices=4, nodes=3))
    occupancy.allocate(((0, 1),))
    occupancy.allocate(((1, 2),))
    assert occupancy.fit(2) == ((1, 2),)
    assert occupancy.fit(3) == ((0, 3),)
    assert occupancy.fit(4) == ((2, 4),)
    assert occupancy.fit(5) == ((2, 4), (1, 1))
    assert occupancy.fit(8) is None
    with pytest.raises(ValueError, match="node 1 of pool 'cpu' is too full"):
        occupancy.allocate(((1, 3),))
    assert occupancy.free == 9


def test_the_lesser_of_two_states():
    one, other = Occupancy(pool(devices=4, nodes=2)), Occupancy(pool(devices=4, nodes=2))
    one.allocate(((0, 3),))
    other.allocate(((1, 2),))
    both = one.least(other)
    assert (both.free, both.fit(3), both.fit(2)) == (3, None, ((1, 2),))
    assert (one.free, other.free) == (5, 6)


@st.composite
def clusters(draw):
    now = draw(st.sampled_from([0.0, 50.0]))
    pools = draw(pools_())
    return pools, draw(running_(pools, now)), now


@settings(max_examples=150)
@given(clusters(), st.integers(1, 12), MEMORY)
def test_earliest_is_the_first_moment_at_which_enough_has_ended(world, width, memory):
    pools, running, now = world
    cluster = Cluster(pools, running)
    for where in range(len(pools)):

        def fits(moment, where=where):
            still = [each for each in running if each.end > moment or moment == -1.0]
            return Cluster(pools, still).occupancy[where].fit(width, memory) is not None

        ends = sorted(each.end for each in running if each.pool == where)
        first = next((moment for moment in (-1.0, *ends) if fits(moment)), None)
        found = cluster.earliest(where, width, memory, now)
        assert (found is None) == (first is None)
        if found is not None:
            assert found[0] == max(now, first)
            assert found[1].fit(width, memory) is not None


@given(clusters())
def test_a_cluster_holds_what_was_started_and_not_what_has_finished(world):
    pools, running, _ = world
    cluster = Cluster(pools, running)
    twin = cluster.copy()
    for count, attempt in enumerate(running, start=1):
        assert cluster.finish(attempt.job) == attempt
        rest = running[count:]
        assert list(cluster.running()) == list(rest)
        for where, nodes in enumerate(held(pools, rest)):
            used = sum(devices for devices, _ in nodes)
            assert cluster.occupancy[where].free == pools[where].count - used
            mine = [each for each in rest if each.pool == where]
            assert list(cluster.releases(where)) == sorted(mine)
    assert list(twin.running()) == list(running)


def test_a_cluster_refuses_a_job_twice_and_an_unknown_end():
    cluster = Cluster([pool()], [RunningAttempt(1.0, 7, 0, ((0, 1),))])
    with pytest.raises(ValueError, match="job 7 runs already"):
        cluster.start(RunningAttempt(2.0, 7, 0, ((0, 1),)))
    with pytest.raises(ValueError, match="too full"):
        cluster.start(RunningAttempt(2.0, 8, 0, ((0, 4),)))
    with pytest.raises(KeyError):
        cluster.finish(8)
    assert cluster.occupancy[0].free == 3


def test_warm_nodes_go_first_and_need_no_boot():
    free = Occupancy(pool("cloud", 2, nodes=3, boot_s=60.0))
    assert free.boot_s(free.fit(1)) == 60.0
    free.mark_up(2)
    assert free.fit(2) == ((2, 2),)
    assert free.boot_s(((2, 2),)) == 0.0
    assert free.fit(4) == ((2, 2), (0, 2))
    assert free.boot_s(((2, 2), (0, 2))) == 60.0
    free.allocate(((2, 1),))
    assert free.fit(2) == ((0, 2),)
    free.release(((2, 1),))
    assert free.fit(2) == ((2, 2),)
    free.mark_down(2)
    assert free.widest == 6
    assert free.fit(2) == ((0, 2),)


def test_states_in_common_and_twins_keep_who_is_warm():
    one = Occupancy(pool("cloud", 2, nodes=2, boot_s=60.0))
    one.mark_up(1)
    one.allocate(((1, 1),))
    for twin in (one.copy(), one.least(one)):
        assert twin.fit(1) == ((1, 1),)
        assert twin.boot_s(((1, 1),)) == 0.0
        assert twin.boot_s(((0, 1),)) == 60.0
        twin.mark_down(1)
    assert one.boot_s(((1, 1),)) == 0.0


def test_a_single_node_is_warm_or_cold_too():
    one = Occupancy(pool("cloud", 4, boot_s=30.0))
    one.allocate(((0, 2),))
    assert one.boot_s(one.fit(2)) == 30.0
    one.mark_up(0)
    assert one.boot_s(one.fit(2)) == 0.0
