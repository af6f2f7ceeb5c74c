"""Augmented random search: change weights at random, and move to where returns are better.

Mania, Guy, Recht, "Simple random search of static policies is competitive for reinforcement
learning", NeurIPS 2018 (V2-t without the normalisation of observations, whose scales are fixed
here). The search is Stable-Baselines3's; what differs is how candidates are tried.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from sb3_contrib import ARS
from sb3_contrib.ars.policies import ARSPolicy
from sb3_contrib.common.maskable.evaluation import evaluate_policy
from sb3_contrib.common.vec_env.async_eval import AsyncEval
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.type_aliases import MaybeCallback
from torch import Tensor
from torch.nn.utils import parameters_to_vector

from agents.training.model.network import PolicyNetwork, encoding
from scheduler.arrays import Bools, Floats32, Ints
from scheduler.decisions.kernel.learned.choice import wait_score
from scheduler.decisions.state.entries import WAIT

SEED_STRIDE = 10_000
"""Distance between the seeds of one rollout's episodes and the next rollout's."""


class SearchPolicy(ARSPolicy):
    """The `PolicyNetwork` alone: deterministic, without a critic."""

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        hidden: int = 64,
    ) -> None:
        super().__init__(observation_space, action_space, net_arch=[])
        self.hidden = hidden
        scorer = PolicyNetwork(hidden)
        # As in `RowPolicy`.
        scorer.apply(lambda module: self.init_weights(module, gain=2**0.5))
        self.init_weights(scorer.score, gain=0.01)
        self.action_net = scorer  # type: ignore[assignment]

    @property
    def scorer(self) -> PolicyNetwork:
        """The actor."""
        network: PolicyNetwork = self.action_net  # type: ignore[assignment]
        return network

    def predict(
        self,
        observation: Floats32 | dict[str, Floats32],
        state: tuple[np.ndarray[Any, Any], ...] | None = None,
        episode_start: np.ndarray[Any, Any] | None = None,
        deterministic: bool = True,
        action_masks: Bools | None = None,
    ) -> tuple[Ints, tuple[np.ndarray[Any, Any], ...] | None]:
        """(B, size + CRITIC_FEATURES) → (B,) `LearnedPolicy`'s choice of the legal (B, K)."""
        with torch.no_grad():
            scores: Floats32 = self.scorer(encoding(torch.as_tensor(observation))).numpy()
        if action_masks is not None:
            scores = np.where(action_masks, scores, -np.inf)
        for one in scores:
            one[WAIT] = wait_score(one, len(one))
        return scores.argmax(1), state

    def _get_constructor_parameters(self) -> dict[str, Any]:
        return {
            "observation_space": self.observation_space,
            "action_space": self.action_space,
            "hidden": self.hidden,
        }


class RowSearch(ARS):
    """ARS over legal rows, on equal episodes, that can be stopped and resumed.

    - Masks reach the policy. WAIT is not always legal, and the observation does not tell when: a
      search that leaves illegal choices to the environment would rate weights by what the
      environment did instead, while in service the best legal row is taken.
    - All candidates of a rollout play the same workloads at the same preferences. What differs
      between their returns is then their weights' doing: workloads differ by far more.
    - A callback that returns False ends the search, as with the other algorithms.
    - Every environment's step counts once, also when there are several.
    """

    def start_from_policy(self) -> None:
        """Search on from the policy's present weights, after imitation or loading."""
        weights = parameters_to_vector(self.policy.parameters()).detach()
        self.weights = weights  # type: ignore[assignment]

    def learn(  # type: ignore[override]
        self,
        total_timesteps: int,
        callback: MaybeCallback = None,
        log_interval: int = 1,
        tb_log_name: str = "ARS",
        reset_num_timesteps: bool = True,
        async_eval: AsyncEval | None = None,
        progress_bar: bool = False,
    ) -> RowSearch:
        """Learn, with the arguments of Stable-Baselines3's other algorithms."""
        total, callback = self._setup_learn(
            total_timesteps, callback, reset_num_timesteps, tb_log_name, progress_bar
        )
        callback.on_training_start(locals(), globals())
        while self.num_timesteps < total:
            # `total` counts what was done before a resumption, unlike `total_timesteps`.
            self._update_current_progress_remaining(self.num_timesteps, total)
            try:
                self._do_one_update(callback, async_eval)
            except _StoppedError:
                break
            if log_interval and self._n_updates % log_interval == 0:
                self.dump_logs()
        callback.on_training_end()
        return self

    def evaluate_candidates(
        self, candidate_weights: Tensor, callback: BaseCallback, async_eval: AsyncEval | None
    ) -> Tensor:
        """(candidates, weights) → (candidates,) mean returns."""
        assert self.env is not None
        self.ep_info_buffer = []  # type: ignore[assignment]
        callback.on_rollout_start()
        candidate = copy.deepcopy(self.policy)
        returns = torch.zeros(len(candidate_weights))
        for index, weights in enumerate(candidate_weights):
            candidate.load_from_vector(weights.numpy())
            self.env.seed((self.seed or 0) + SEED_STRIDE * self._n_updates)
            rewards, lengths = evaluate_policy(
                candidate,  # type: ignore[arg-type]
                self.env,
                n_eval_episodes=self.n_eval_episodes,
                return_episode_rewards=True,
                callback=lambda *_: self._stepped(callback),
                warn=False,
            )
            returns[index] = float(np.mean(rewards))
            self._mimic_monitor_wrapper(rewards, lengths)  # type: ignore[arg-type]
        callback.on_rollout_end()
        return returns

    def _stepped(self, callback: BaseCallback) -> None:
        self.num_timesteps += 1
        if not callback.on_step():
            raise _StoppedError


class _StoppedError(Exception):
    """The callback ended the search."""
