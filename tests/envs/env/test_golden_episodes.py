"""Episodes that must not change unless somebody means it: what is chosen, placed and paid.

A changed hash says that the environment has become another one, and that figures of policies
before and after cannot be compared. Actions are chosen without looking at the observation, so
these hashes outlive a change of its columns.
"""

import hashlib
from dataclasses import replace

import pytest

from envs.gym.cluster_env import ClusterEnv
from envs.scenarios import load
from scheduler.decisions.features.encoder import Encoder, may_wait
from scheduler.decisions.rounds.round import Mode

GOLDEN = {
    ("mixed-cloud", Mode.EASY): "5f78e44f150ee206",
    ("mixed-cloud", Mode.GREEDY): "6cb4e0a90f1cd38c",
    ("smart-home", Mode.EASY): "9f09bfcc317390b6",
    ("hpc-lublin", Mode.EASY): "65ba9dc3ffd66c28",
    ("hpc-lublin", Mode.COMMIT_EASY): "d1c074c67fb7864b",
}


def digest(scenario, mode, steps=250):
    env = ClusterEnv(replace(load(scenario), mode=mode), 0.4, jobs=60, rows=256, reward="latency")
    env.reset(seed=3)
    log = []
    for step in range(steps):
        table, mask = env.table, env.action_masks()
        rows = [
            (int(table.job[row]), int(table.pool[row]), float(table.width[row]))
            for row in range(1, len(table))
        ]
        assert bool(mask[0]) == may_wait(table, mode, Encoder(256).encode(table, 0.4))
        # The soonest end, and now and then some other row.
        soonest = (table.start_delay + table.runtime)[1:].argmin() + 1
        action = int(soonest) if step % 5 else 1 + step * 7919 % (len(table) - 1)
        if mask[0] and step % 17 == 0:
            action = 0
        _, reward, over, _, info = env.step(action)
        log.append(
            (rows, action, float(f"{reward:.9g}"), info["forced"], float(f"{info['dollars']:.9g}"))
        )
        if over:
            env.reset()
    return hashlib.sha256(repr(log).encode()).hexdigest()[:16]


@pytest.mark.parametrize(("scenario", "mode"), list(GOLDEN), ids=str)
def test_episodes(scenario, mode):
    assert digest(scenario, mode) == GOLDEN[scenario, mode]
