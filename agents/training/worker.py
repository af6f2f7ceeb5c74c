"""The context of a training's tasks, in each of the processes that share them."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from functools import cached_property

import torch

from agents.serving.learned_policy import LearnedPolicy
from agents.serving.network import of_state
from agents.training.config import Training
from agents.training.environments.baseline import BaselineTrajectory, play
from agents.training.environments.env import BaselineRewardEnv
from agents.training.model.network import PolicyNetwork
from envs.gym.episodes import Draw, of_scenario
from envs.scenarios import Scenario, Split
from scheduler.decisions.features.encoder import WaitingRule
from scheduler.decisions.rounds.policy import Policy
from scheduler.policies.lookup import named

Player = str | bytes
"""A policy's name, or a network that decides greedily, as `frozen` makes it: both go from one
process to another."""


@dataclass
class TrainingContext:
    """A scenario and the settings: the context of an `agents.process_pool.ProcessPool`."""

    scenario: Scenario
    config: Training

    @cached_property
    def env(self) -> BaselineRewardEnv:
        """The training's environment, made when it is first needed."""
        return BaselineRewardEnv(self.scenario, self.config)

    @cached_property
    def draw(self) -> Draw:
        """Draws training episodes."""
        return of_scenario(self.scenario, self.config.jobs, Split.TRAIN)

    def trajectory(self, episode: tuple[int, float]) -> BaselineTrajectory:
        """The baseline's trajectory through the training episode (workload, w)."""
        workload, w = episode
        return play(named(self.config.baseline), self.draw(workload), w)

    def policy(self, player: Player) -> Policy:
        """The player as a policy in this process."""
        if isinstance(player, str):
            return named(player)
        return LearnedPolicy(
            pickle.loads(player),
            self.config.rows,
            self.scenario.mode,
            waiting=WaitingRule(self.config.waiting),
        )


def frozen(network: PolicyNetwork) -> bytes:
    """The network as it is now.

    PyTorch hands its tensors to other processes as shared memory: there they would change with
    what is learned here, and each takes a file descriptor.
    """
    state = {name: value.detach().numpy() for name, value in network.state_dict().items()}
    return pickle.dumps(of_state(state))


def use_one_thread() -> None:
    """Limit PyTorch: in small networks several threads wait for each other most of the time."""
    torch.set_num_threads(1)
