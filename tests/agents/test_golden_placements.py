"""Placements of every policy on every scenario that is drawn, so that a change of any is seen.

A difference says that a policy, the simulator or the estimates decide differently than before.
"""

from dataclasses import replace

import pytest

import agents.registry.resolve  # noqa: F401 - so that learned policies are found
from envs.baselines import catalogue
from envs.scenarios import load
from envs.simulator.cluster_spec import ClusterSpec
from envs.simulator.simulation import Simulation
from scheduler.decisions.state.node_placement import RULES
from scheduler.policies import schedules
from tests.support import golden
from tests.support.logs import placements

SCENARIOS = ["driving", "hpc-lublin", "lab", "medical", "mixed-cloud", "random", "smart-home"]
POLICIES = [
    *sorted(catalogue.names()),
    *(f"wgc:{name}" for name in schedules.names()),
    *(f"sjf@{rule}" for rule in RULES),
    "learned:fulcrum",
]
CELLS = [(scenario, policy) for scenario in SCENARIOS for policy in POLICIES]
JOBS, SEED, SPLIT = 50, 7, "test"
FASTER = 4.0
"""Jobs arrive this many times as fast as in the scenario: so few form a queue only then."""


def hurried(workload):
    """The workload with shorter gaps between its jobs; each job has as long to its deadline."""
    return replace(workload, jobs=tuple(map(_earlier, workload.jobs)))


def _earlier(job):
    submitted = job.submitted_at / FASTER
    shift = job.submitted_at - submitted
    deadline = None if job.deadline is None else job.deadline - shift
    return replace(job, submitted_at=submitted, deadline=deadline)


def simulated(scenario, policy):
    """The placements, then totals of the whole."""
    chosen = load(scenario)
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
