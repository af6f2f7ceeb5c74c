"""Placement logs that must not change unless somebody means it.

A difference says that schedules have changed: if that is right, the tables of agreement
(`make bench-rlscheduler`) have to be looked at before the new logs are stored.
"""

import pytest

from envs.scenarios import Failures
from envs.simulator.simulation import ClusterSpec, Simulation
from envs.workloads.lublin import Lublin, draw
from envs.workloads.runtime_estimates import Noisy
from scheduler.decisions.rounds.modes import Mode
from scheduler.policies.heuristics import HEURISTICS
from scheduler.policies.preemptive import PREEMPTIVE
from tests.support import golden
from tests.support.logs import placements
from tests.support.simulated import elastic, pool
from tests.support.thinning import thinned

CLOUD = pool("gpu", 8, nodes=4, boot_s=60.0)
OWNED = pool("cpu", 16, nodes=4)
RISKS = Failures(per_node_hour=0.02, per_attempt=0.05, checkpoint_s=300.0, restart_s=10.0)
SITE = ClusterSpec((CLOUD, OWNED), Mode.EASY, supplies=(elastic(CLOUD),), failures=RISKS)


def fresh():
    jobs = draw(Lublin(processors=32), 300, 5)
    return Simulation(jobs, SITE, Noisy(0.3, 7), seed=11, check=True, record=True)


@pytest.mark.parametrize("name", ["fcfs", "saf", "f4", "best-value", "tetris"])
def test_heuristics(name):
    ran = fresh()
    ran.run(HEURISTICS[name])
    golden.check("simulation", placements(ran), name)


@pytest.mark.parametrize("name", thinned(PREEMPTIVE))
def test_preemptive_policies(name):
    ran = fresh()
    ran.run(PREEMPTIVE[name])
    golden.check("simulation", placements(ran), name)
