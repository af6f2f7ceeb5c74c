"""Placements of every policy on every scenario that is drawn, so that a change of any is seen.

A difference says that a policy, the simulator or the estimates decide differently than before.
"""

import pytest

from benchmarks.placement_logs.cells import POLICIES, SCENARIOS, frozen, hurried
from benchmarks.placement_logs.stress import NAME as DRAWN_THERE
from envs.baselines import catalogue
from envs.simulator.cluster_spec import ClusterSpec
from envs.simulator.simulation import Simulation
from tests.support import golden
from tests.support.logs import placements

CELLS = [
    (scenario, policy) for scenario in SCENARIOS if scenario != DRAWN_THERE for policy in POLICIES
]
JOBS, SEED, SPLIT = 50, 7, "test"


def simulated(scenario, policy):
    """The placements, then totals of the whole."""
    chosen = frozen(scenario)
    drawn = catalogue.adapted(chosen.draw(SEED, SPLIT), policy)
    workload = hurried(chosen.workload(SEED, JOBS, SPLIT))
    simulation = Simulation(
        workload, ClusterSpec.of(drawn), drawn.estimates.make(SEED), seed=SEED, record=True
    )
    outcome = catalogue.run(simulation, policy)
    yield from placements(simulation)
    dollars = outcome.dollars.sum() + outcome.idle_dollars
    joules = outcome.joules.sum() + outcome.idle_joules
    yield f"mean jct {outcome.jct.mean():.9g} s, {dollars:.9g} dollars, {joules:.9g} joules"


@pytest.mark.parametrize(("scenario", "policy"), CELLS)
def test_placements(scenario, policy):
    golden.check("placements", simulated(scenario, policy), f"{scenario} {policy}")


def test_every_stored_log_is_compared():
    assert golden.sections("placements") == {f"{scenario} {policy}" for scenario, policy in CELLS}
