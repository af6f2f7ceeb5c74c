"""Training a policy: imitate an expert, then learn, validated against the heuristics.

An index of jobs is learned in another way: see `agents.training.job_index.training`.

Maskable PPO: Schulman et al., arXiv 1707.06347; masks: Huang, Ontañón, FLAIRS 2022.
Augmented random search: Mania, Guy, Recht, NeurIPS 2018.

A run is a folder: `config.json`, `checkpoint/` to resume from (before the first one:
`demonstrations/`), `curve.json`, and `best/`, the artifact of the weights that were best on
validation workloads, raw or averaged (with `keep=last`: the last averaged weights).
"""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from pathlib import Path

import torch

from agents.cpu_time import cpu_seconds
from agents.evaluation.provenance import commit
from agents.process_pool import ProcessPool
from agents.training import config as configs
from agents.training.algorithms import ALGORITHMS, Model
from agents.training.callbacks import MODEL, REST, TrainingCallback
from agents.training.config import Training
from agents.training.imitation import imitate
from agents.training.job_index import training as indices
from agents.training.job_index.export import TrainedOn
from agents.training.job_index.run_state import IndexRun
from agents.training.job_index.task import of_scenario
from agents.training.lock import exclusive
from agents.training.model.network import RowPolicy
from agents.training.progress import (
    CHECKPOINT,
    DEMONSTRATIONS,
    Tell,
    TrainingEvent,
    TrainingProgress,
    progress_in,
)
from agents.training.random_search import SEED_STRIDE, RowSearch, SearchPolicy
from agents.training.worker import TrainingContext, use_one_thread
from envs.scenarios import Scenario, load
from scheduler.domain.errors import StateError


def train(
    config: Training,
    run: Path,
    command: str = "",
    tell: Tell = lambda _: None,
    *,
    workers: int = 1,
) -> TrainingProgress:
    """Train from the start; leaves everything in the folder `run`.

    `workers` processes (1: this one) share demonstrations, validations and the baseline's coming
    episodes; the weights are the same with any number of processes.

    Raises `StateError` if the folder holds a training, `InputError` for unknown policies,
    `OutageError` if a process dies.
    """
    config.check_policies()
    scenario = load(config.scenario)
    scenario.check()
    with exclusive(run, "training"):
        if (run / configs.FILE).exists():
            raise StateError(f"{run} holds a training", {"resume": "the folder, to go on with it"})
        # Without a configuration nobody knows which expert they are from.
        shutil.rmtree(run / DEMONSTRATIONS, ignore_errors=True)
        progress = TrainingProgress(command=command, commit=commit())
        tell = _with_fraction(config, tell)
        if config.learns_index:
            indices.begin(config, TrainedOn.of(scenario), run, progress)
            return _learn_index(config, scenario, IndexRun(run, progress), tell, workers)
        with ProcessPool(TrainingContext(scenario, config), workers) as pool:
            return _begin(pool, run, tell, progress)


def resume(
    run: Path,
    command: str = "",
    tell: Tell = lambda _: None,
    steps: int | None = None,
    *,
    workers: int = 1,
) -> TrainingProgress:
    """Resume from the last checkpoint, with new episodes; before the first, from demonstrations.

    An index goes on as if it had not been interrupted.

    More `steps` than before prolong the training, and are saved; without them, a finished training
    stays as it is. `workers` are those of `train`. Raises `InputError` if there is nothing to
    resume, `StateError` while another process trains in the folder, or if more steps are asked of
    a training that stopped early.
    """
    config = configs.read(run)
    scenario = load(config.scenario)
    with exclusive(run, "training"):
        index = IndexRun.read(run) if config.learns_index else None
        progress = progress_in(run) if index is None else index.progress
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
        tell = _with_fraction(config, tell)
        if index is not None:
            return _learn_index(config, scenario, index, tell, workers)
        go_on = _resume if (run / CHECKPOINT).is_dir() else _begin
        with ProcessPool(TrainingContext(scenario, config), workers) as pool:
            return go_on(pool, run, tell, progress)


def _learn_index(
    config: Training, scenario: Scenario, run: IndexRun, tell: Tell, workers: int
) -> TrainingProgress:
    task = of_scenario(scenario, config, indices.start_in(run.folder))
    with ProcessPool(task, workers) as pool:
        return indices.learn(pool, run, TrainedOn.of(scenario), tell)


def _with_fraction(config: Training, tell: Tell) -> Tell:
    """Add the share of the whole training: demonstrations and learning take most of the time."""
    share = config.imitated / (config.imitated + config.goal)

    def told(event: TrainingEvent) -> None:
        match event.stage:
            case "demonstrations":
                event = replace(event, fraction=share * event.done)
            case "learning" | "validated":
                event = replace(event, fraction=share + (1 - share) * event.done)
        tell(event)

    return told


def _begin(
    pool: ProcessPool[TrainingContext], run: Path, tell: Tell, progress: TrainingProgress
) -> TrainingProgress:
    """From the start; demonstrations that are there already give the same weights."""
    begun, spent = time.monotonic(), cpu_seconds()
    config = pool.context.config
    algorithm, demonstrations = ALGORITHMS[config.algo], run / DEMONSTRATIONS
    use_one_thread()
    env = algorithm.environments(pool, config.seed)
    try:
        model = algorithm.begin(config, env, run)
        # Only now: a configuration that is refused leaves no training.
        demonstrations.mkdir(exist_ok=True)
        progress.save(demonstrations)
        config.save(run)
        saved = 0.0
        if config.expert is not None:
            assert isinstance(model.policy, RowPolicy | SearchPolicy)
            saved = imitate(
                model.policy,
                pool,
                demonstrations,
                lambda stage, done: tell(TrainingEvent(stage, done)),
            )
            if isinstance(model, RowSearch):
                model.start_from_policy()
        progress.seconds = saved + time.monotonic() - begun
        # What an interrupted training has demonstrated counts by its duration.
        progress.cpu_seconds = saved + cpu_seconds() - spent
        return _learn(pool, model, run, tell, progress, None)
    finally:
        env.close()


def _resume(
    pool: ProcessPool[TrainingContext], run: Path, tell: Tell, progress: TrainingProgress
) -> TrainingProgress:
    config = pool.context.config
    if progress.over(config):
        return progress
    algorithm, folder = ALGORITHMS[config.algo], run / CHECKPOINT
    use_one_thread()
    # Other episodes than those that were seen, but the same ones whenever this is done.
    seed = config.seed + SEED_STRIDE * progress.rollouts
    env = algorithm.environments(pool, seed)
    try:
        model = algorithm.load(folder / MODEL, env, seed)
        rest = torch.load(folder / REST, weights_only=True)
        return _learn(pool, model, run, tell, progress, rest)
    finally:
        env.close()


def _learn(
    pool: ProcessPool[TrainingContext],
    model: Model,
    run: Path,
    tell: Tell,
    progress: TrainingProgress,
    rest: dict[str, object] | None,
) -> TrainingProgress:
    steps = pool.context.config.goal - model.num_timesteps
    callback = TrainingCallback(pool, run, tell, progress, rest)
    if steps > 0:
        model.learn(steps, callback=callback, reset_num_timesteps=model.num_timesteps == 0)
    return progress
