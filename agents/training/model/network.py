"""The network: the same weights score every row, in the light of all rows.

A row's score depends on the row, on the mean and the maximum over all rows, and on the globals,
among them the preference w. So the order of the rows does not matter, nor their number: weights
trained with 32 rows serve 128. Scores are logits as they are; Stable-Baselines3's dense layer
from features to actions, which would tie each weight to a position, is replaced by the identity.

Shared row weights with pooled context: Zaheer et al., "Deep Sets", NeurIPS 2017.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from gymnasium import spaces
from sb3_contrib.common.maskable.policies import MaskableActorCriticPolicy
from stable_baselines3.common.type_aliases import Schedule
from torch import Tensor, nn

from agents.training.environments.reward import CRITIC_FEATURES
from scheduler.decisions.features.columns import GLOBAL_COLUMNS, ROW_COLUMNS

COLUMNS, GLOBALS = len(ROW_COLUMNS), len(GLOBAL_COLUMNS)
PADDING = -1e8
"""Logit of an absent row."""


class Packed(NamedTuple):
    """The P rows that are present: most tables are far shorter than K."""

    embedded: Tensor
    """(P, hidden)"""
    context: Tensor
    """(B, hidden)"""
    table: Tensor
    """(P,) The table of each row, of B tables."""
    present: Tensor
    """(B, K) bool."""


class Pooled(nn.Module):
    """Rows → an embedding of each, and one context of all."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.row = nn.Sequential(
            nn.Linear(COLUMNS, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU()
        )
        self.context = nn.Sequential(nn.Linear(2 * hidden + GLOBALS, hidden), nn.ReLU())

    def forward(self, observation: Tensor) -> Packed:
        """(B, size) → the rows that are present, embedded, and their context."""
        count = observation.shape[0]
        rows = observation[:, :-GLOBALS].reshape(count, COLUMNS, -1)
        present = rows[:, 0] > 0.5
        table, place = present.nonzero(as_tuple=True)
        embedded: Tensor = self.row(rows[table, :, place])
        zeros = embedded.new_zeros(count, embedded.shape[1])
        mean = zeros.index_add(0, table, embedded) / present.sum(1, keepdim=True).clamp(min=1)
        # Embeddings are not negative: the zeros to begin with change no maximum.
        most = zeros.scatter_reduce(0, table.unsqueeze(1).expand_as(embedded), embedded, "amax")
        context = self.context(torch.cat((mean, most, observation[:, -GLOBALS:]), dim=1))
        return Packed(embedded, context, table, present)


class PolicyNetwork(nn.Module):
    """Observation → one score a row: the actor, which is all that serving needs."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.pooled = Pooled(hidden)
        self.own = nn.Linear(hidden, hidden)
        self.common = nn.Linear(hidden, hidden)
        self.score = nn.Linear(hidden, 1)

    def forward(self, observation: Tensor) -> Tensor:
        """(B, size) → (B, K); absent rows have the score `PADDING`."""
        packed: Packed = self.pooled(observation)
        both = torch.relu(self.own(packed.embedded) + self.common(packed.context)[packed.table])
        scores = both.new_full(packed.present.shape, PADDING)
        return scores.masked_scatter(packed.present, self.score(both).squeeze(-1))


class Critic(nn.Module):
    """Observation → features for the critic, which shares no weight with the actor."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.pooled = Pooled(hidden)
        self.last = nn.Sequential(nn.Linear(hidden + CRITIC_FEATURES, hidden), nn.ReLU())

    def forward(self, observation: Tensor) -> Tensor:
        """(B, size + CRITIC_FEATURES) → (B, hidden)."""
        context = self.pooled(encoding(observation)).context
        features: Tensor = self.last(torch.cat((context, observation[:, -CRITIC_FEATURES:]), dim=1))
        return features


def encoding(observation: Tensor) -> Tensor:
    """(B, size + CRITIC_FEATURES) → (B, size): the part that a policy may see."""
    return observation[:, :-CRITIC_FEATURES]


class RowNetwork(nn.Module):
    """Actor and critic where Stable-Baselines3 expects an `mlp_extractor`."""

    def __init__(self, rows: int, hidden: int) -> None:
        super().__init__()
        self.latent_dim_pi = rows
        self.latent_dim_vf = hidden
        self.scorer = PolicyNetwork(hidden)
        self.critic = Critic(hidden)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """(B, size + CRITIC_FEATURES) → scores (B, K), critic's features (B, hidden)."""
        return self.forward_actor(features), self.forward_critic(features)

    def forward_actor(self, features: Tensor) -> Tensor:
        """(B, size + CRITIC_FEATURES) → (B, K)."""
        scores: Tensor = self.scorer(encoding(features))
        return scores

    def forward_critic(self, features: Tensor) -> Tensor:
        """(B, size + CRITIC_FEATURES) → (B, hidden)."""
        value: Tensor = self.critic(features)
        return value


class RowPolicy(MaskableActorCriticPolicy):
    """The policy of `MaskablePPO(RowPolicy, env, policy_kwargs={"hidden": …})`."""

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        lr_schedule: Schedule,
        hidden: int = 64,
        **rest: Any,
    ) -> None:
        self.hidden = hidden
        super().__init__(observation_space, action_space, lr_schedule, **rest)

    @property
    def scorer(self) -> PolicyNetwork:
        """The actor."""
        network: RowNetwork = self.mlp_extractor  # type: ignore[assignment]
        return network.scorer

    def load_state_dict(self, state_dict: Mapping[str, Any], *rest: Any, **options: Any) -> Any:
        """Load weights, also of earlier releases, which called the critic otherwise."""
        old, new = "mlp_extractor.judge.", "mlp_extractor.critic."
        current = {name.replace(old, new): value for name, value in state_dict.items()}
        return super().load_state_dict(current, *rest, **options)

    def _get_constructor_parameters(self) -> dict[str, Any]:
        return {**super()._get_constructor_parameters(), "hidden": self.hidden}

    def _build(self, lr_schedule: Schedule) -> None:
        assert isinstance(self.action_space, spaces.Discrete)
        network = RowNetwork(int(self.action_space.n), self.hidden)
        self.mlp_extractor = network  # type: ignore[assignment]
        self.action_net = nn.Identity()
        self.value_net = nn.Linear(self.hidden, 1)
        network.apply(lambda module: self.init_weights(module, gain=2**0.5))
        # Almost equal scores at first: every legal row is tried.
        self.init_weights(network.scorer.score, gain=0.01)
        self.init_weights(self.value_net, gain=1.0)
        self.optimizer = self.optimizer_class(
            self.parameters(),
            lr=lr_schedule(1.0),  # type: ignore[call-arg]
            **self.optimizer_kwargs,
        )
