"""Names such as `sjf@cheapest`: a textbook order with another rule for where jobs run."""

from dataclasses import replace

import pytest

from envs.baselines import catalogue
from envs.scenarios import load
from scheduler.decisions.kernel.queue.orders import PRICE
from scheduler.decisions.rounds.run import run_round
from scheduler.domain.errors import InputError, MissingError
from scheduler.policies.heuristics import HEURISTICS
from scheduler.policies.learned_index import on
from scheduler.policies.lookup import builtin, named
from scheduler.policies.placements import PLACEMENTS
from tests.support.worlds import option, pool, snapshot, waiting

POOLS = (pool("slow", devices=1), pool("fast", devices=1))
CHEAP, QUICK = option(100.0, dollars=1.0, pool=0), option(10.0, dollars=9.0, pool=1)


def first(name, *jobs):
    """(job, pool) that starts first."""
    plan = run_round(snapshot(POOLS, jobs), named(name))
    return plan.placements[0].job, POOLS[plan.placements[0].pool].name


class TestNames:
    @pytest.mark.parametrize(("placement", "where"), [("cheapest", "slow"), ("fastest", "fast")])
    def test_the_order_chooses_the_job_and_the_placement_chooses_where(self, placement, where):
        long = waiting(1, [option(200.0, dollars=1.0, pool=0)], preference=0.5)
        short = waiting(2, [CHEAP, QUICK], preference=0.5)
        assert first(f"sjf@{placement}", long, short) == (2, where)

    def test_without_a_placement_the_preference_decides(self):
        assert named("sjf@preference").scorer.codes[2:].tolist() == (
            HEURISTICS["sjf"].scorer.codes[2:].tolist()
        )

    def test_the_price_of_wgc_sees_who_waits(self):
        """Alone a job takes the wide, quick placement; with many others the one of least work."""
        where = pool(devices=4)
        placements = [option(100.0, 1), option(60.0, 4)]
        jobs = [waiting(job, placements, preference=1.0) for job in range(1, 41)]
        widths = []
        for queue in (jobs[:1], jobs):
            plan = run_round(snapshot(where, queue), named("fcfs@wgc:congestion=1"))
            widths.append(plan.placements[0].width)
        assert widths == [4, 1]

    def test_any_wgc_may_price(self):
        tuned = named("f1@wgc:mixed-cloud")
        assert tuned.name == "f1@wgc:mixed-cloud"
        assert tuned.price == named("wgc:mixed-cloud")

    def test_a_rule_for_nodes_comes_last(self):
        scenario = catalogue.adapted(load("lab"), "sjf@cheapest@fgd")
        assert scenario.placement == "fgd"
        assert catalogue.served("sjf@cheapest@fgd").name == "sjf@cheapest"

    def test_they_are_policies_of_this_package(self):
        assert builtin("sjf@cheapest")
        assert builtin("saf@wgc+search")

    def test_what_is_legal_is_told(self):
        with pytest.raises(MissingError, match="no placement 'dearest'") as caught:
            named("sjf@dearest")
        assert all(name in caught.value.fields["policy"] for name in (*PLACEMENTS, "wgc"))
        with pytest.raises(MissingError, match="no placement 'saf'"):
            named("sjf@saf")
        with pytest.raises(InputError, match="tetris chooses job and placement together"):
            named("tetris@cheapest")

    def test_no_index_is_learned_on_a_price(self):
        with pytest.raises(InputError, match="no index"):
            on(named("sjf@wgc"), HEURISTICS["sjf"].scorer.weights)


@pytest.mark.parametrize("name", ["sjf@wgc", "lxf@wgc", "saf@wgc:congestion=2"])
def test_the_compiled_rule_is_the_rule_of_the_table(name):
    """One choice after another, with and without the scorer."""
    policy = named(name)
    assert policy.placement == PRICE
    jobs = [
        waiting(
            job,
            [option(50.0 + 7 * job, 1 + job % 2, pool=0), option(20.0 + 3 * job, 1, pool=1)],
            float(-job),
            preference=0.1 * (job % 10),
            priority=10.0 + job,
        )
        for job in range(1, 25)
    ]
    view = snapshot((pool("slow", devices=8), pool("fast", devices=4)), jobs)
    plain = run_round(view, _Table(policy))
    compiled = run_round(view, policy)
    assert len(compiled.placements) > 4
    assert compiled.placements == plain.placements


class _Table:
    """The same policy without its compiled form."""

    stable = False

    def __init__(self, policy):
        self.name, self.scores, self.costs = policy.name, policy.scores, policy.costs


def test_a_placement_is_another_policy():
    assert named("sjf@fastest") != named("sjf")
    assert replace(named("sjf@fastest"), name="sjf@fastest") == named("sjf@fastest")
