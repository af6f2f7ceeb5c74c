"""Observations that must not change by accident.

A difference says that policies trained before see something else now. Undo it, or train them again.
"""

import pytest

from benchmarks.placement_logs.cells import frozen
from envs.gym.cluster_env import ClusterEnv
from scheduler.decisions.features.columns import GLOBAL_COLUMNS, ROW_COLUMNS
from scheduler.decisions.features.encoder import unflatten
from scheduler.policies.heuristics import HEURISTICS
from tests.support import golden

CASES = [("mixed-cloud", 8), ("medical", 8), ("smart-home", 6), ("hpc-lublin", 4)]
"""(scenario, rows): each has steps whose table is longer than its rows."""
STEPS = (0, 3, 10, 20, 35, 50)
"""Steps whose observations are stored."""


def observed(scenario, rows):
    """Each column of the rows, then each of the whole."""
    env = ClusterEnv(frozen(scenario), 0.4, jobs=60, rows=rows)
    observation, _ = env.reset(seed=5)
    for step in range(max(STEPS) + 1):
        if step in STEPS:
            yield f"step {step}: {len(env.table)} rows in the table"
            shown, overall = unflatten(observation, rows)
            for column, values in zip(ROW_COLUMNS, shown.T, strict=True):
                yield f"{column.name} {' '.join(map(text, values))}"
            for column, value in zip(GLOBAL_COLUMNS, overall, strict=True):
                yield f"whole.{column.name} {text(value)}"
        observation, _, over, _, _ = env.step(env.action_of(HEURISTICS["sjf"]))
        if over:
            observation, _ = env.reset()


def text(value):
    return f"{value:.6g}"


@pytest.mark.parametrize(("scenario", "rows"), CASES, ids=str)
def test_observations(scenario, rows):
    golden.check("observations", observed(scenario, rows), f"{scenario} {rows}", tolerance=1e-5)
