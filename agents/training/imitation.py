"""A start from a teacher: the actor learns what a heuristic does, a critic what comes of it."""

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
from agents.training.env import CRITIC_FEATURES
from agents.training.model.network import RowPolicy, encoding
from agents.training.random_search import SearchPolicy
from agents.training.worker import Player, TrainingContext, frozen
from scheduler.decisions.features.columns import Floats32
from scheduler.decisions.features.encoder import size
from scheduler.decisions.rounds.policy import Policy
from scheduler.decisions.state.queue import Bools, Floats, Ints
from scheduler.files import write_bytes
from scheduler.policies.lookup import named

_APART = 1_000_000
"""Between the seeds of one part and the next: no two play the same episodes."""


@dataclass(frozen=True, slots=True)
class Demonstrations:
    """Decisions of a teacher, n of them."""

    observations: Floats32
    """(n, size + CRITIC_FEATURES)"""
    masks: Bools
    """(n, K)"""
    actions: Ints
    """(n,)"""
    others: Ints
    """(n, alternatives) What those would have chosen who did not teach; the teacher's choice if
    that is illegal."""
    returns: Floats
    """(n,) Discounted rewards from the decision on."""

    @classmethod
    def of(cls, parts: Sequence[Demonstrations]) -> Demonstrations:
        """All of them, in order; at least one."""
        return cls(
            *(np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(cls))
        )

    def save(self, file: Path, seconds: float) -> None:
        """Write them, and how long they took: all, or no file."""
        content = {each.name: getattr(self, each.name) for each in fields(self)}
        packed = io.BytesIO()
        np.savez_compressed(packed, seconds=np.float64(seconds), **content)
        write_bytes(file, packed.getvalue())

    @classmethod
    def load(cls, file: Path) -> tuple[Demonstrations, float]:
        """What `save` has written."""
        with np.load(file, allow_pickle=False) as content:
            lessons = cls(*(content[each.name] for each in fields(cls)))
            return lessons, float(content["seconds"])


def taught(
    policy: RowPolicy | SearchPolicy,
    crew: ProcessPool[TrainingContext],
    keep: Path,
    tell: Callable[[str, float], None] = lambda *_: None,
) -> float:
    """Lessons, then corrections, each learnt at once.

    `tell` hears `lessons` with the share of all that is played, and `teaching` with that of what is
    learnt now.

    Each finished part of them is kept in the folder `keep`, and taken over if it is there: they
    are most of the time, and depend on nothing but the configuration and the parts before. What
    is learnt of them is learnt anew, so the weights are the same. Returns the seconds that
    this has saved.
    """
    config = crew.bench.config
    parts = np.array_split(np.arange(config.corrections), config.correction_rounds)
    counts = [config.lessons, *map(len, parts)]
    lessons: Demonstrations | None = None
    saved = 0.0
    for number, count in enumerate(counts):
        if not count:
            continue
        file, heard = keep / f"{number}.npz", _share_of(partial(tell, "lessons"), counts, number)
        if file.is_file():
            new, seconds = Demonstrations.load(file)
            saved += seconds
            heard(1.0)
        else:
            heard(0.0)
            begun = time.monotonic()
            student = None if lessons is None else frozen(policy.scorer)
            new = collect(crew, count, config.seed + number * _APART, heard, student)
            new.save(file, time.monotonic() - begun)
        lessons = new if lessons is None else Demonstrations.of((lessons, new))
        teach(policy, lessons, config, partial(tell, "teaching"))
    return saved


def _share_of(
    tell: Callable[[float], None], counts: Sequence[int], number: int
) -> Callable[[float], None]:
    """Tells of a part as of its share of the whole."""
    before, own, whole = sum(counts[:number]), counts[number], sum(counts)
    return lambda share: tell((before + share * own) / whole)


@dataclass(frozen=True, slots=True)
class Demonstration:
    """One episode that a teacher is asked about."""

    seed: int
    student: Player | None
    """Who plays; None: the teacher."""


def collect(
    crew: ProcessPool[TrainingContext],
    count: int,
    seed: int,
    tell: Callable[[float], None] = lambda _: None,
    student: Player | None = None,
) -> Demonstrations:
    """Let a teacher play whole episodes, drawn from `seed` on, until `count` decisions are there.

    With a `student` that one plays, and the teacher says what it would do. `tell` hears the share
    that is done.
    """
    episodes: list[Demonstrations] = []
    known = 0
    lessons = (Demonstration(each, student) for each in itertools.count(seed))
    for episode in crew.map(attended, lessons):
        episodes.append(episode)
        known += len(episode.actions)
        tell(min(1.0, known / count))
        if known >= count:
            break
    return Demonstrations.of(episodes)


def attended(ground: TrainingContext, lesson: Demonstration) -> Demonstrations:
    """The decisions of an episode.

    Where the teacher would choose nothing that may be chosen, nothing is learnt; where the player
    would, the first legal row is taken.
    """
    env, config = ground.env, ground.config
    student = None if lesson.student is None else ground.policy(lesson.student)
    observation, _ = env.reset(seed=lesson.seed)
    teacher, rest = _school(ground)
    observations: list[Floats32] = []
    masks: list[Bools] = []
    actions: list[int] = []
    others: list[list[int]] = []
    rewards: list[float] = []
    at: list[int] = []
    done = False
    while not done:
        mask = env.action_masks()
        right = env.env.action_of(teacher)
        if mask[right]:
            at.append(len(rewards))
            observations.append(observation)
            masks.append(mask)
            actions.append(right)
            tried = [env.env.action_of(other) for other in rest]
            others.append([other if mask[other] else right for other in tried])
        action = right if student is None else env.env.action_of(student)
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


def _school(ground: TrainingContext) -> tuple[Policy, list[Policy]]:
    """Who teaches the current episode, and whose choices are worth trying beside."""
    env, config = ground.env, ground.config
    school = [named(name) for name in (config.teacher or config.reference, *config.alternatives)]
    if not config.contest:
        return school[0], school[1:]
    best = min(range(len(school)), key=lambda who: env.way(school[who]).total)
    return school[best], school[:best] + school[best + 1 :]


def discounted(rewards: list[float], gamma: float) -> Floats:
    """(n,) Rewards → discounted sum from each on."""
    worth = np.zeros(len(rewards))
    ahead = 0.0
    for index in range(len(rewards) - 1, -1, -1):
        ahead = rewards[index] + gamma * ahead
        worth[index] = ahead
    return worth


def teach(
    policy: RowPolicy | SearchPolicy,
    lessons: Demonstrations,
    config: Training,
    tell: Callable[[float], None] = lambda _: None,
) -> float:
    """Fit the policy to the lessons; the share of choices in which it then agrees.

    Cross-entropy to the teacher's choice and, less, to the alternatives', and the squared error of
    the critic if there is one. `tell` hears the share that is done.
    """
    tell(0.0)
    rng = np.random.default_rng(config.seed)
    optimizer = torch.optim.Adam(policy.parameters(), lr=config.teaching_rate)
    observations = torch.as_tensor(lessons.observations)
    masks, actions = torch.as_tensor(lessons.masks), torch.as_tensor(lessons.actions)
    others = torch.as_tensor(lessons.others)
    returns = torch.as_tensor(lessons.returns, dtype=torch.float32)
    count, batch = len(actions), config.teaching_batch
    agreed = 0
    for epoch in range(config.teaching_epochs):
        for group in optimizer.param_groups:
            group["lr"] = config.teaching_rate * (1 - 0.9 * epoch / config.teaching_epochs)
        agreed = 0
        order = rng.permutation(count)
        for first in range(0, count, batch):
            index = torch.as_tensor(order[first : first + batch])
            logits = policy.scorer(encoding(observations[index]))
            legal, chosen = masks[index], actions[index]
            loss = imitation(logits, legal, chosen, others[index], config.hesitation)
            if isinstance(policy, RowPolicy):
                value = policy.predict_values(observations[index]).squeeze(-1)
                loss = loss + 0.5 * torch.nn.functional.mse_loss(value, returns[index])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(policy.parameters(), 1.0)
            optimizer.step()
            agreed += int((logits.masked_fill(~legal, -torch.inf).argmax(1) == chosen).sum())
        tell((epoch + 1) / config.teaching_epochs)
    return agreed / count


def imitation(
    logits: Tensor, legal: Tensor, chosen: Tensor, others: Tensor, hesitation: float
) -> Tensor:
    """Cross-entropy of legal (B, K) logits to chosen (B,), mixed with that to others (B, m)."""
    logs = logits.masked_fill(~legal, -1e8).log_softmax(1)
    own = logs.gather(1, chosen.unsqueeze(1)).squeeze(1)
    if not others.shape[1]:
        return -own.mean()
    return -((1 - hesitation) * own + hesitation * logs.gather(1, others).mean(1)).mean()
