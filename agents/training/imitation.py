"""Behaviour cloning before learning: the actor imitates an expert, the critic learns its returns.

Demonstrations are followed by DAgger steps (Ross, Gordon, Bagnell, AISTATS 2011).
"""

from __future__ import annotations

import io
import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from agents.process_pool import ProcessPool
from agents.training.config import Training
from agents.training.environments.reward import CRITIC_FEATURES
from agents.training.model.network import RowPolicy, encoding
from agents.training.random_search import SearchPolicy
from agents.training.worker import Player, TrainingContext, frozen
from scheduler.arrays import Bools, Floats, Floats32, Ints
from scheduler.decisions.features.encoder import size
from scheduler.decisions.rounds.policy import Policy
from scheduler.files import write_bytes
from scheduler.policies.lookup import named

_SEED_STRIDE = 1_000_000
"""Distance between the seeds of two parts: no two parts play the same episodes."""


@dataclass(frozen=True, slots=True)
class Demonstrations:
    """n decisions of an expert."""

    observations: Floats32
    """(n, size + CRITIC_FEATURES)"""
    masks: Bools
    """(n, K)"""
    actions: Ints
    """(n,)"""
    others: Ints
    """(n, alternatives) Choices of the alternatives; the expert's choice where they are illegal."""
    returns: Floats
    """(n,) Discounted rewards from the decision on."""

    @classmethod
    def of(cls, parts: Sequence[Demonstrations]) -> Demonstrations:
        """The parts in order; at least one part."""
        return cls(
            *(np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(cls))
        )

    def save(self, file: Path, seconds: float) -> None:
        """Write all decisions and the seconds they took, or no file."""
        content = {each.name: getattr(self, each.name) for each in fields(self)}
        packed = io.BytesIO()
        np.savez_compressed(packed, seconds=np.float64(seconds), **content)
        write_bytes(file, packed.getvalue())

    @classmethod
    def load(cls, file: Path) -> tuple[Demonstrations, float]:
        """The decisions and seconds that `save` wrote."""
        with np.load(file, allow_pickle=False) as content:
            demonstrations = cls(*(content[each.name] for each in fields(cls)))
            return demonstrations, float(content["seconds"])


def imitate(
    policy: RowPolicy | SearchPolicy,
    pool: ProcessPool[TrainingContext],
    keep: Path,
    tell: Callable[[str, float], None] = lambda *_: None,
) -> float:
    """Demonstrations, then DAgger steps; the policy is fitted to all decisions after each part.

    `tell` receives `demonstrations` with the share of the decisions that are played, and
    `imitation` with the share of the present fit. Each finished part is saved in the folder `keep`,
    and loaded if it is there: playing takes most of the time, and depends only on the settings and
    the parts before. The policy is fitted again in any case, so the weights are the same. Returns
    the seconds that loading saved.
    """
    config = pool.context.config
    parts = np.array_split(np.arange(config.dagger_steps), config.dagger_rounds)
    counts = [config.demonstrations, *map(len, parts)]
    known: Demonstrations | None = None
    saved = 0.0
    for number, count in enumerate(counts):
        if not count:
            continue
        file = keep / f"{number}.npz"
        played = _share_of(partial(tell, "demonstrations"), counts, number)
        if file.is_file():
            new, seconds = Demonstrations.load(file)
            saved += seconds
            played(1.0)
        else:
            played(0.0)
            begun = time.monotonic()
            student = None if known is None else frozen(policy.scorer)
            new = collect(pool, count, config.seed + number * _SEED_STRIDE, played, student)
            new.save(file, time.monotonic() - begun)
        known = new if known is None else Demonstrations.of((known, new))
        fit(policy, known, config, partial(tell, "imitation"))
    return saved


def _share_of(
    tell: Callable[[float], None], counts: Sequence[int], number: int
) -> Callable[[float], None]:
    """Converts a share of one part into a share of all parts."""
    before, own, whole = sum(counts[:number]), counts[number], sum(counts)
    return lambda share: tell((before + share * own) / whole)


@dataclass(frozen=True, slots=True)
class EpisodeTask:
    """One episode in which the expert labels the decisions."""

    seed: int
    student: Player | None
    """The policy that plays; None: the expert."""


def collect(
    pool: ProcessPool[TrainingContext],
    count: int,
    seed: int,
    tell: Callable[[float], None] = lambda _: None,
    student: Player | None = None,
) -> Demonstrations:
    """Let an expert play whole episodes, drawn from `seed` on, until it has decided `count` times.

    With a `student` that policy plays, and the expert labels its decisions. `tell` receives the
    share that is done.
    """
    episodes: list[Demonstrations] = []
    known = 0
    tasks = (EpisodeTask(each, student) for each in itertools.count(seed))
    for episode in pool.map(demonstrate, tasks):
        episodes.append(episode)
        known += len(episode.actions)
        tell(min(1.0, known / count))
        if known >= count:
            break
    return Demonstrations.of(episodes)


def demonstrate(context: TrainingContext, task: EpisodeTask) -> Demonstrations:
    """The labelled decisions of an episode.

    A decision has no label where the expert's choice is illegal. Where the player's choice is
    illegal, the first legal row is taken.
    """
    env, config = context.env, context.config
    student = None if task.student is None else context.policy(task.student)
    observation, _ = env.reset(seed=task.seed)
    expert, alternatives = _experts(context)
    observations: list[Floats32] = []
    masks: list[Bools] = []
    actions: list[int] = []
    others: list[list[int]] = []
    rewards: list[float] = []
    at: list[int] = []
    done = False
    while not done:
        mask = env.action_masks()
        label = env.action_of(expert)
        if mask[label]:
            at.append(len(rewards))
            observations.append(observation)
            masks.append(mask)
            actions.append(label)
            tried = [env.action_of(other) for other in alternatives]
            others.append([other if mask[other] else label for other in tried])
        action = label if student is None else env.action_of(student)
        if not mask[action]:
            action = int(np.flatnonzero(mask)[0])
        observation, reward, done, _, _ = env.step(np.int64(action))
        rewards.append(reward)
    rows, many = config.rows, len(actions)
    return Demonstrations(
        np.array(observations, dtype=np.float32).reshape(many, size(rows) + CRITIC_FEATURES),
        np.array(masks, dtype=np.bool_).reshape(many, rows),
        np.array(actions, dtype=np.int64),
        np.array(others, dtype=np.int64).reshape(many, len(config.alternatives)),
        discounted(rewards, config.gamma)[at],
    )


def _experts(context: TrainingContext) -> tuple[Policy, list[Policy]]:
    """The expert of the current episode, and the alternatives."""
    env, config = context.env, context.config
    experts = [named(name) for name in (config.expert or config.baseline, *config.alternatives)]
    if not config.best_expert_per_episode:
        return experts[0], experts[1:]
    best = min(range(len(experts)), key=lambda at: env.trajectory(experts[at]).total)
    return experts[best], experts[:best] + experts[best + 1 :]


def discounted(rewards: list[float], gamma: float) -> Floats:
    """(n,) Rewards → the discounted sum from each reward on."""
    worth = np.zeros(len(rewards))
    ahead = 0.0
    for index in range(len(rewards) - 1, -1, -1):
        ahead = rewards[index] + gamma * ahead
        worth[index] = ahead
    return worth


def fit(
    policy: RowPolicy | SearchPolicy,
    demonstrations: Demonstrations,
    config: Training,
    tell: Callable[[float], None] = lambda _: None,
) -> float:
    """Fit the policy to the demonstrations; returns the share of choices in which it then agrees.

    The loss is the cross-entropy to the expert's choice and, with less weight, to the
    alternatives', plus the squared error of the critic if there is one. `tell` receives the share
    that is done.
    """
    tell(0.0)
    rng = np.random.default_rng(config.seed)
    optimizer = torch.optim.Adam(policy.parameters(), lr=config.imitation_rate)
    observations = torch.as_tensor(demonstrations.observations)
    masks, actions = torch.as_tensor(demonstrations.masks), torch.as_tensor(demonstrations.actions)
    others = torch.as_tensor(demonstrations.others)
    returns = torch.as_tensor(demonstrations.returns, dtype=torch.float32)
    count, batch = len(actions), config.imitation_batch
    agreed = 0
    for epoch in range(config.imitation_epochs):
        for group in optimizer.param_groups:
            group["lr"] = config.imitation_rate * (1 - 0.9 * epoch / config.imitation_epochs)
        agreed = 0
        order = rng.permutation(count)
        for first in range(0, count, batch):
            index = torch.as_tensor(order[first : first + batch])
            logits = policy.scorer(encoding(observations[index]))
            legal, chosen = masks[index], actions[index]
            weight = config.alternative_label_weight
            loss = imitation_loss(logits, legal, chosen, others[index], weight)
            if isinstance(policy, RowPolicy):
                value = policy.predict_values(observations[index]).squeeze(-1)
                loss = loss + 0.5 * torch.nn.functional.mse_loss(value, returns[index])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(policy.parameters(), 1.0)
            optimizer.step()
            agreed += int((logits.masked_fill(~legal, -torch.inf).argmax(1) == chosen).sum())
        tell((epoch + 1) / config.imitation_epochs)
    return agreed / count


def imitation_loss(
    logits: Tensor, legal: Tensor, chosen: Tensor, others: Tensor, weight: float
) -> Tensor:
    """Cross-entropy of legal (B, K) logits to chosen (B,), mixed with that to others (B, m)."""
    logs = logits.masked_fill(~legal, -1e8).log_softmax(1)
    own = logs.gather(1, chosen.unsqueeze(1)).squeeze(1)
    if not others.shape[1]:
        return -own.mean()
    return -((1 - weight) * own + weight * logs.gather(1, others).mean(1)).mean()
