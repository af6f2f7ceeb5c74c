"""Training a policy: imitate a teacher, then learn, validated against the heuristics.

Maskable PPO: Schulman et al., arXiv 1707.06347; masks: Huang, Ontañón, FLAIRS 2022.
Augmented random search: Mania, Guy, Recht, NeurIPS 2018.

A run is a folder: `config.json`, `checkpoint/` to go on from (before the first one: `lessons/`),
`curve.json`, and `best/`, the artifact of the weights that were best on validation workloads, raw
or averaged (with `keep=last`: of those that were averaged last).
"""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from pathlib import Path

import torch

from agents.evaluation.provenance import commit
from agents.process_pool import ProcessPool
from agents.serving.artifact import BEST
from agents.training import config as configs
from agents.training.algorithms import MAKERS, Model
from agents.training.callbacks import (
    CHECKPOINT,
    CURVE,
    LESSONS,
    MODEL,
    REST,
    Tell,
    TrainingCallback,
    TrainingEvent,
    TrainingProgress,
    progress_in,
)
from agents.training.config import Training
from agents.training.imitation import taught
from agents.training.lock import exclusive
from agents.training.model.network import RowPolicy
from agents.training.random_search import APART, RowSearch, SearchPolicy
from agents.training.worker import TrainingContext, quiet
from envs.scenarios import load
from scheduler.domain.errors import StateError

__all__ = [
    "BEST",
    "CHECKPOINT",
    "CURVE",
    "LESSONS",
    "Tell",
    "TrainingEvent",
    "TrainingProgress",
    "resume",
    "train",
]


def train(
    config: Training,
    run: Path,
    command: str = "",
    tell: Tell = lambda _: None,
    *,
    workers: int = 1,
) -> TrainingProgress:
    """Train from the start; leaves everything in the folder `run`.

    `workers` processes (1: this one) share lessons, validations and what the reference does in
    the episodes to come; the weights are the same with any number of them. Raises
    `UnavailableError` if one of them dies.

    Raises `StateError` if there is a training in it already, `InputError` for unknown
    policies.
    """
    configs.look_up(config)
    scenario = load(config.scenario)
    scenario.check()
    with exclusive(run, "training"):
        if (run / configs.FILE).exists():
            raise StateError(f"{run} holds a training", {"resume": "the folder, to go on with it"})
        # Without a configuration nobody knows what they taught.
        shutil.rmtree(run / LESSONS, ignore_errors=True)
        progress = TrainingProgress(command=command, commit=commit())
        with ProcessPool(TrainingContext(scenario, config), workers) as crew:
            return _begun(crew, run, tell, progress)


def resume(
    run: Path,
    command: str = "",
    tell: Tell = lambda _: None,
    steps: int | None = None,
    *,
    workers: int = 1,
) -> TrainingProgress:
    """Go on from the last checkpoint, with new episodes; before the first one, from the lessons.

    More `steps` than it was begun with prolong the training, and are saved; without, one that is
    over stays as it is. `workers` as of `train`. Raises `InputError` if there is nothing to go on
    from, `StateError` while another process trains in the folder, or if one that was stopped
    early is to be prolonged.
    """
    config = configs.read(run)
    scenario = load(config.scenario)
    with exclusive(run, "training"):
        progress = progress_in(run)
        if steps is not None and steps > config.steps:
            if progress.over(config):
                raise StateError(
                    f"the training in {run} was stopped early: "
                    f"{config.patience} validations in a row found nothing better",
                    {"steps": f"{config.steps}, or another folder with more patience"},
                )
            config = replace(config, steps=steps)
            config.save(run)
        progress.command = " && ".join(filter(None, (progress.command, command)))
        commits = (*progress.commit.split(" && "), commit())
        progress.commit = " && ".join(dict.fromkeys(filter(None, commits)))
        go_on = _gone_on if (run / CHECKPOINT).is_dir() else _begun
        with ProcessPool(TrainingContext(scenario, config), workers) as crew:
            return go_on(crew, run, tell, progress)


def _begun(
    crew: ProcessPool[TrainingContext], run: Path, tell: Tell, progress: TrainingProgress
) -> TrainingProgress:
    """From the start, but for lessons that are there already: with them the same comes of it."""
    begun = time.monotonic()
    config = crew.bench.config
    maker, lessons = MAKERS[config.algo], run / LESSONS
    quiet()
    env = maker.environments(crew, config.seed)
    try:
        model = maker.begin(config, env, run)
        # Only now: a configuration that is refused leaves no training.
        lessons.mkdir(exist_ok=True)
        progress.save(lessons)
        config.save(run)
        saved = 0.0
        if config.teacher is not None:
            assert isinstance(model.policy, RowPolicy | SearchPolicy)
            saved = taught(
                model.policy, crew, lessons, lambda stage, done: tell(TrainingEvent(stage, done))
            )
            if isinstance(model, RowSearch):
                model.adopt()
        progress.seconds = saved + time.monotonic() - begun
        return _learn(crew, model, run, tell, progress, None)
    finally:
        env.close()


def _gone_on(
    crew: ProcessPool[TrainingContext], run: Path, tell: Tell, progress: TrainingProgress
) -> TrainingProgress:
    config = crew.bench.config
    if progress.over(config):
        return progress
    maker, folder = MAKERS[config.algo], run / CHECKPOINT
    quiet()
    # Other episodes than those that were seen, but the same ones whenever this is done.
    seed = config.seed + APART * progress.rollouts
    env = maker.environments(crew, seed)
    try:
        model = maker.load(folder / MODEL, env, seed)
        rest = torch.load(folder / REST, weights_only=True)
        return _learn(crew, model, run, tell, progress, rest)
    finally:
        env.close()


def _learn(
    crew: ProcessPool[TrainingContext],
    model: Model,
    run: Path,
    tell: Tell,
    progress: TrainingProgress,
    rest: dict[str, object] | None,
) -> TrainingProgress:
    steps = crew.bench.config.goal - model.num_timesteps
    course = TrainingCallback(crew, run, tell, progress, rest)
    if steps > 0:
        model.learn(steps, callback=course, reset_num_timesteps=model.num_timesteps == 0)
    return progress
