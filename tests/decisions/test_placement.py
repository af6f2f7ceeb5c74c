"""Rules of placement by hand; that they never change what fits is in test_occupancy."""

import pytest

from scheduler.decisions.kernel.cluster.node_choice import lost_devices
from scheduler.decisions.state.entries import RunningAttempt
from scheduler.decisions.state.node_placement import BEST_FIT, DOT_PRODUCT, FGD, RULES, rule
from scheduler.decisions.state.world import World
from scheduler.domain.errors import InputError
from tests.support.worlds import pool


def occupied(chosen, each, *held, asked=()):
    """A world of one pool with `held` ((node, devices, bytes), …) under a rule.

    `asked`: ((width, bytes, times), …) of jobs that have asked for nodes.
    """
    world = World([each], rule=chosen)
    for width, memory, times in asked:
        for _ in range(times):
            world.ask([(0, width)], memory)
    for job, (node, devices, memory) in enumerate(held, start=1):
        world.start(RunningAttempt(9.0, job, 0, ((node, devices),), memory))
    return world


def test_an_unknown_rule_lists_the_legal_ones():
    assert [rule(name) for name in RULES] == [BEST_FIT, DOT_PRODUCT, FGD]
    with pytest.raises(InputError) as caught:
        rule("tightest")
    assert caught.value.fields == {"placement": "one of best-fit, dot-product, fgd"}


def test_dot_product_weighs_devices_and_memory_by_the_demand():
    each = pool(devices=4, nodes=2, memory_per_node=100)
    # Node 0 has 3 devices and 40 bytes free, node 1 has 2 and 90.
    world = occupied(DOT_PRODUCT, each, (0, 1, 60), (1, 2, 10))
    assert world.fit(0, 1, 4) == ((1, 1),)
    assert world.fit(0, 1, 40) == ((0, 1),)


def test_dot_product_without_memory_is_best_fit():
    each = pool(devices=4, nodes=3)
    world = occupied(DOT_PRODUCT, each, (0, 1, 0), (1, 2, 0))
    assert world.fit(0, 1) == ((1, 1),)
    assert world.fit(0, 5) == ((2, 4), (1, 1))


def test_fgd_spares_what_typical_jobs_need():
    each, asked = pool(devices=8, nodes=2), ((4, 0, 9), (1, 0, 1))
    # Node 0 has 4 free, node 1 has 6. Best-fit would take the last room for a job of 4 on node 0.
    # There 3 would be left, lost to 9 of 10 jobs: 2.7 more. On node 1 nothing is lost.
    assert occupied(FGD, each, (0, 4, 0), (1, 2, 0), asked=asked).fit(0, 1) == ((1, 1),)
    assert occupied(BEST_FIT, each, (0, 4, 0), (1, 2, 0), asked=asked).fit(0, 1) == ((0, 1),)


def test_fgd_counts_devices_behind_exhausted_memory_as_lost():
    each = pool(devices=4, nodes=2, memory_per_node=100)
    # Node 0 has 3 devices and 80 bytes free, node 1 has 3 and 50. A job of 30 bytes leaves 50 on
    # node 0, and on node 1 only 20: two devices that no job of 40 bytes can use.
    world = occupied(FGD, each, (0, 1, 20), (1, 1, 50), asked=((1, 40, 1),))
    assert world.fit(0, 1, 30) == ((0, 1),)


def test_a_width_beyond_a_node_counts_as_its_parts():
    each = pool(devices=4, nodes=4, memory_per_node=100)
    # Two parts of 4 devices and 40 bytes, one of 2 and 20.
    world = occupied(FGD, each, asked=((10, 100, 1),)).handle
    assert lost_devices(world, 0, 4, 40) == 0.0
    assert lost_devices(world, 0, 3, 100) == pytest.approx(3 * 2 / 3)
    assert lost_devices(world, 0, 4, 19) == 4.0
    assert lost_devices(world, 0, 0, 0) == 0.0
    assert lost_devices(occupied(FGD, each).handle, 0, 4, 100) == 0.0


def test_a_job_that_accepts_several_places_counts_once():
    each = pool(devices=4, nodes=1)
    world = World([each], rule=FGD)
    world.ask([(0, 1), (0, 4)], 0)
    world.ask([(0, 4)], 0)
    assert lost_devices(world.handle, 0, 3, 0) == pytest.approx(3 * 1.5 / 2)


@pytest.mark.parametrize("name", RULES)
def test_nodes_that_are_up_go_first(name):
    world = World([pool("cloud", 4, nodes=3, boot_s=60.0)], rule=RULES[name])
    world.mark_up(0, 1)
    assert world.fit(0, 2) == ((1, 2),)
    world.mark_up(0, 2)
    world.start(RunningAttempt(9.0, 1, 0, ((1, 3),)))
    assert world.fit(0, 2) == ((2, 2),)


def test_a_copy_of_a_world_knows_what_was_asked_for_until_then():
    each = pool(devices=8, nodes=2)
    world = occupied(FGD, each, (0, 4, 0), (1, 2, 0))
    before = world.copy()
    world.ask([(0, 4)], 0)
    assert before.fit(0, 1) == ((0, 1),)
    assert world.fit(0, 1) == world.copy().fit(0, 1) == ((1, 1),)
