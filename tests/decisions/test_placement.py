"""Rules of placement by hand; that they never change what fits is in test_occupancy."""

import pytest

from scheduler.decisions.state.cluster import Cluster
from scheduler.decisions.state.node_placement import BEST_FIT, DOT_PRODUCT, FGD, RULES, Mix, rule
from scheduler.decisions.state.occupancy import Occupancy
from scheduler.decisions.state.world import RunningAttempt
from scheduler.domain.errors import InputError
from tests.support.worlds import pool


def occupied(chosen, each, *held, mix=None):
    """A pool with `held` ((node, devices, bytes), …) under a rule."""
    occupancy = Occupancy(each, chosen.cost(each, mix or Mix(each)))
    for node, devices, memory in held:
        occupancy.allocate(((node, devices),), memory)
    return occupancy


def test_an_unknown_rule_lists_the_legal_ones():
    assert [rule(name) for name in RULES] == [BEST_FIT, DOT_PRODUCT, FGD]
    with pytest.raises(InputError) as caught:
        rule("tightest")
    assert caught.value.fields == {"placement": "one of best-fit, dot-product, fgd"}


def test_dot_product_weighs_devices_and_memory_by_the_demand():
    each = pool(devices=4, nodes=2, memory_per_node=100)
    # Node 0 has 3 devices and 40 bytes free, node 1 has 2 and 90.
    held = (0, 1, 60), (1, 2, 10)
    free = occupied(DOT_PRODUCT, each, *held)
    assert free.fit(1, 4) == ((1, 1),)
    assert free.fit(1, 40) == ((0, 1),)


def test_dot_product_without_memory_is_best_fit():
    each = pool(devices=4, nodes=3)
    free = occupied(DOT_PRODUCT, each, (0, 1, 0), (1, 2, 0))
    assert free.fit(1) == ((1, 1),)
    assert free.fit(5) == ((2, 4), (1, 1))


def test_fgd_spares_what_typical_jobs_need():
    each = pool(devices=8, nodes=2)
    mix = Mix(each)
    for width, times in ((4, 9), (1, 1)):
        mix.add(width, 0, times)
    # Node 0 has 4 free, node 1 has 6. Best-fit would take the last room for a job of 4 on node 0.
    # There 3 would be left, lost to 9 of 10 jobs: 2.7 more. On node 1 nothing is lost.
    assert occupied(FGD, each, (0, 4, 0), (1, 2, 0), mix=mix).fit(1) == ((1, 1),)
    assert Occupancy(each).fit(1) == ((0, 1),)


def test_fgd_counts_devices_behind_exhausted_memory_as_lost():
    each = pool(devices=4, nodes=2, memory_per_node=100)
    mix = Mix(each)
    mix.add(1, 40)
    # On node 0 a job of 30 bytes leaves 50, on node 1 only 20: three devices that nobody can use.
    assert occupied(FGD, each, (0, 1, 20), (1, 0, 50), mix=mix).fit(1, 30) == ((0, 1),)


def test_a_width_beyond_a_node_counts_as_its_parts():
    each = pool(devices=4, nodes=4, memory_per_node=100)
    mix = Mix(each)
    mix.add(10, 100)
    # Two parts of 4 devices and 40 bytes, one of 2 and 20.
    assert mix.lost(4, 40) == 0.0
    assert mix.lost(3, 100) == pytest.approx(3 * 2 / 3)
    assert mix.lost(4, 19) == 4.0
    assert mix.lost(0, 0) == 0.0
    assert Mix(each).lost(4, 100) == 0.0


@pytest.mark.parametrize("name", RULES)
def test_nodes_that_are_up_go_first(name):
    each = pool("cloud", 4, nodes=3, boot_s=60.0)
    free = Cluster([each], rule=RULES[name]).occupancy[0]
    free.mark_up(1)
    assert free.fit(2) == ((1, 2),)
    free.mark_up(2)
    free.allocate(((1, 3),))
    assert free.fit(2) == ((2, 2),)


def test_copies_of_a_cluster_share_what_is_asked_for():
    each = pool(devices=8, nodes=2)
    cluster = Cluster([each], rule=FGD)
    cluster.start(RunningAttempt(9.0, 1, 0, ((0, 4),)))
    cluster.start(RunningAttempt(9.0, 2, 0, ((1, 2),)))
    twin = cluster.copy()
    assert twin.occupancy[0].fit(1) == ((0, 1),)
    cluster.ask([(0, 4)], 0)
    assert twin.occupancy[0].fit(1) == ((1, 1),)
