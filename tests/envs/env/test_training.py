"""The environment under a learner: it runs, and masks are obeyed."""

import pytest
from sb3_contrib import MaskablePPO

from scheduler.decisions.rounds.modes import Mode
from tests.support.played import env


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_maskable_ppo_learns_on_it():
    made = env(Mode.GREEDY, preference="random")
    agent = MaskablePPO("MlpPolicy", made, n_steps=128, batch_size=64, seed=0, gamma=0.998)
    agent.learn(256)
    observation, _ = made.reset(seed=0)
    over = False
    while not over:
        action, _ = agent.predict(observation, action_masks=made.action_masks())
        observation, _, over, _, info = made.step(action)
    assert info["illegal"] == 0
