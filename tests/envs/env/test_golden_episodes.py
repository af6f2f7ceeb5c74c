"""Episodes that must not change unless somebody means it: what is chosen, placed and paid.

A difference says that the environment has become another one, and that figures of policies before
and after cannot be compared. Actions are chosen without looking at the observation, so these logs
outlive a change of its columns.
"""

from dataclasses import replace
from itertools import groupby

import pytest

from benchmarks.placement_logs.cells import frozen
from envs.gym.cluster_env import ClusterEnv
from scheduler.decisions.features.encoder import encode, may_wait
from scheduler.decisions.rounds.modes import Mode
from tests.support import golden

CASES = [
    ("mixed-cloud", Mode.EASY),
    ("mixed-cloud", Mode.GREEDY),
    ("smart-home", Mode.EASY),
    ("hpc-lublin", Mode.EASY),
    ("hpc-lublin", Mode.COMMIT_EASY),
]


def played(scenario, mode, steps=250):
    """What is offered at each step, what is chosen, and what becomes of it."""
    env = ClusterEnv(replace(frozen(scenario), mode=mode), 0.4, jobs=60, rows=256, reward="latency")
    env.reset(seed=3)
    for step in range(steps):
        table, mask = env.table, env.action_masks()
        offered = " ".join(rows(table))
        encode(table, 256, 0.4)
        assert bool(mask[0]) == may_wait(table)
        # The soonest end, and now and then some other row.
        soonest = (table.start_delay + table.runtime)[1:].argmin() + 1
        action = int(soonest) if step % 5 else 1 + step * 7919 % (len(table) - 1)
        if mask[0] and step % 17 == 0:
            action = 0
        _, reward, over, _, info = env.step(action)
        yield (
            f"{offered} | action {action} reward {reward:.9g} forced {info['forced']} "
            f"dollars {info['dollars']:.9g}"
        )
        if over:
            env.reset()


def rows(table):
    """`job:` and `pool*width` of each of its rows, in order of the table; WAIT left out."""
    offers = (
        (int(table.job[row]), f"{int(table.pool[row])}*{int(table.width[row])}")
        for row in range(1, len(table))
    )
    for job, options in groupby(offers, key=lambda offer: offer[0]):
        yield f"{job}:{','.join(place for _, place in options)}"


@pytest.mark.parametrize(("scenario", "mode"), CASES, ids=str)
def test_episodes(scenario, mode):
    golden.check("episodes", played(scenario, mode), f"{scenario} {mode}")
