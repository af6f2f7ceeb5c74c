"""Named, versioned scenarios to train and compare on: cluster, workload, prices, objective."""

from envs.scenarios.file import load, names
from envs.scenarios.scenario import (
    Estimates,
    Failures,
    Latency,
    Objective,
    Scenario,
    WorkloadSource,
)
from envs.scenarios.splits import Split
from envs.scenarios.supply import Billing, Supply

__all__ = [
    "Billing",
    "Estimates",
    "Failures",
    "Latency",
    "Objective",
    "Scenario",
    "Split",
    "Supply",
    "WorkloadSource",
    "load",
    "names",
]
