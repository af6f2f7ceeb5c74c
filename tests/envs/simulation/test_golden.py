"""Placement logs that must not change unless somebody means it.

A changed hash says that schedules have changed: if that is right, the tables of agreement
(`make bench-rlscheduler`) have to be looked at before the new hash is written here.
"""

import hashlib

import pytest
from simulated import elastic, pool

from envs.baselines.preemptive import PREEMPTIVE, run
from envs.scenarios import Failures
from envs.simulator.simulation import Simulation, Site
from envs.workloads.lublin import Lublin, draw
from envs.workloads.runtime_estimates import Noisy
from scheduler.decisions.rounds.round import Mode
from scheduler.policies.heuristics import HEURISTICS

CLOUD = pool("gpu", 8, nodes=4, boot_s=60.0)
OWNED = pool("cpu", 16, nodes=4)
RISKS = Failures(per_node_hour=0.02, per_attempt=0.05, checkpoint_s=300.0, restart_s=10.0)
SITE = Site((CLOUD, OWNED), Mode.EASY, supplies=(elastic(CLOUD),), failures=RISKS)
GOLDEN = {
    "fcfs": "5d15b45a44024c85",
    "saf": "960d7300ab4aed64",
    "f4": "ccf80b5d045f2350",
    "best-value": "5d15b45a44024c85",
    "tetris": "a1a2b952000f750e",
    "srtf": "b2e6b6c6a405f796",
    "srsf": "f86246ae746b0bb6",
    "tiresias": "bfeb9c812f1c8a84",
}


def digest(ran):
    # Times to the microsecond: what is below may differ between machines.
    rows = [(h.job, h.pool, h.nodes, round(h.start, 6), round(h.end, 6)) for h in ran.held]
    return hashlib.sha256(repr(rows).encode()).hexdigest()[:16]


def fresh():
    jobs = draw(Lublin(processors=32), 300, 5)
    return Simulation(jobs, SITE, Noisy(0.3, 7), seed=11, check=True, record=True)


@pytest.mark.parametrize("name", ["fcfs", "saf", "f4", "best-value", "tetris"])
def test_heuristics(name):
    ran = fresh()
    ran.run(HEURISTICS[name])
    assert digest(ran) == GOLDEN[name]


@pytest.mark.parametrize("name", list(PREEMPTIVE))
def test_preemptive_policies(name):
    ran = fresh()
    run(ran, PREEMPTIVE[name])
    assert digest(ran) == GOLDEN[name]
